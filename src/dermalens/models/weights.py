"""Start weights from a weight package, from timm's hub or from a file."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from dermalens.core.errors import MissingExtraError, RecipeError, name_some


def package_file(package: str) -> Path:
    """The weight file that an installed weight package carries.

    Raises:
        MissingExtraError: the package is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise MissingExtraError(f"weights of {package}", "train")
    return next((Path(found.origin).parent / "models").glob("*.pth"))


def load_in_order(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a state dict of other names tensor by tensor: stem and blocks, then conv_head, then the rest.

    Both sides leave out `num_batches_tracked`. The classifier of `network` may have other classes: tensors after
    the backbone are left as they are.

    Raises:
        RecipeError: a tensor does not fit, or the counts differ.
    """
    own = [(name, tensor) for name, tensor in network.state_dict().items() if "num_batches_tracked" not in name]
    given = [(name, tensor) for name, tensor in state.items() if "num_batches_tracked" not in name]
    own = [item for item in own if not item[0].startswith("classifier")]
    given = [item for item in given if not item[0].startswith(("_fc", "classifier"))]
    wrong = [f"{o} from {g}" for (o, a), (g, b) in zip(own, given, strict=False) if a.shape != b.shape]
    if wrong or len(own) != len(given):
        raise RecipeError(
            f"The weights do not fit the network: {len(given)} tensors given, {len(own)} needed; "
            f"of other shape: {name_some(wrong) or 'none'}."
        )
    network.load_state_dict({o: b for (o, _), (_, b) in zip(own, given, strict=True)}, strict=False)


def read_state(source: Path) -> dict[str, Tensor]:
    """Read a state dict from a file of tensors (no code is run from it)."""
    if not source.is_file():
        raise RecipeError(f'No weights at {source}. Use "package", "timm", "none" or an existing file.')
    state: dict[str, Tensor] = torch.load(source, map_location="cpu", weights_only=True)
    return state
