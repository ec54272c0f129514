"""The peers: classifiers as published apps of this kind write them, with random weights, which do not change the time.

    python -m benchmarks.peers NAME IMAGE...          (bytes to answer in a process of its own, for its peak memory)

Each decodes with Pillow, resizes to the side of its network, normalises, runs it without gradients, takes a softmax.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Array = Any  # a tensor of PyTorch, or an array of NumPy for Keras


@dataclass(frozen=True, slots=True)
class Opened:
    """A peer that is loaded: what a worker of a DataLoader does, and what the network does."""

    read: Callable[[bytes], Array]
    run: Callable[[Array], Array]
    """Probabilities of a batch."""

    def answer(self, data: bytes) -> Array:
        """Bytes to probabilities of one image."""
        return self.run(self.read(data)[None])


@dataclass(frozen=True, slots=True)
class Peer:
    """A published app, by the network that it runs."""

    words: str
    open: Callable[[], Opened]
    packages: tuple[str, ...]
    """Distributions that its classifying code imports; the web framework of the app is not among them."""


def eager_b4() -> Opened:
    """EfficientNet-B4 of timm at 380 pixels, PyTorch eager."""
    import timm

    return _eager(timm.create_model("efficientnet_b4", num_classes=7), 380)


def eager_b0() -> Opened:
    """EfficientNet-B0 of torchvision at 224 pixels, PyTorch eager."""
    from torchvision.models import efficientnet_b0

    return _eager(efficientnet_b0(weights=None, num_classes=7), 224)


def keras_mobilenet_v2() -> Opened:
    """MobileNetV2 of Keras 3 at 150 pixels on its PyTorch backend, asked with `predict` as such apps do."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras  # type: ignore[import-untyped]  # it has no types
    import numpy as np
    from PIL import Image

    network = keras.applications.MobileNetV2(input_shape=(150, 150, 3), weights=None, classes=7)

    def read(data: bytes) -> Array:
        picture = Image.open(io.BytesIO(data)).convert("RGB").resize((150, 150))
        return np.asarray(picture, dtype=np.float32) / 127.5 - 1

    return Opened(read, lambda batch: network.predict(np.asarray(batch), verbose=0))


def _eager(network: Any, side: int) -> Opened:
    import torch
    from PIL import Image
    from torchvision.transforms import v2

    network.eval()
    steps = v2.Compose(
        [
            v2.Resize((side, side)),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    def run(batch: Array) -> Array:
        with torch.inference_mode():
            return network(batch).softmax(1)

    return Opened(lambda data: steps(Image.open(io.BytesIO(data)).convert("RGB")), run)


PEERS: Final = {
    "eager_b4": Peer(
        "PyTorch eager, EfficientNet-B4 at 380 (published Flask app)", eager_b4, ("torch", "torchvision", "timm")
    ),
    "eager_b0": Peer(
        "PyTorch eager, EfficientNet-B0 at 224 (published Gradio app)", eager_b0, ("torch", "torchvision", "pillow")
    ),
    "keras_mobilenet_v2": Peer(
        "Keras 3 on PyTorch, MobileNetV2 at 150 (published Flask app)", keras_mobilenet_v2, ("keras", "torch", "pillow")
    ),
}


if __name__ == "__main__":
    opened = PEERS[sys.argv[1]].open()
    for image in sys.argv[2:]:
        opened.answer(Path(image).read_bytes())
