"""The exported graph against PyTorch: logits, embedding, and Grad-CAM by its definition (autograd)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import dermalens
from dermalens.core.errors import ExportError
from dermalens.export.graph import map_weights, to_onnx
from dermalens.models.heads import LesionClassifier

SIDE = 64

HEADS: dict[str, dict[str, Any]] = {
    "linear": {"backbone": "tiny"},
    "hidden layer": {"backbone": "tiny", "hidden": 16},
    "flat": {"backbone": "cnn_128", "pooling": "flatten", "side_pixels": SIDE},
    "flat, hidden layer": {"backbone": "cnn_128", "pooling": "flatten", "side_pixels": SIDE, "hidden": 16},
}


def network(*, classes: int = 7, **options: Any) -> LesionClassifier:
    torch.manual_seed(3)
    return LesionClassifier(classes=classes, weights="none", dropout=0.5, **options).eval()


def run(classifier: LesionClassifier, pixels: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(to_onnx(classifier, SIDE), providers=["CPUExecutionProvider"])
    return session.run(["logits", "embedding", "heatmaps"], {"pixels": pixels})


def grad_cam(classifier: LesionClassifier, pixels: np.ndarray, number: int) -> np.ndarray:
    """Grad-CAM of one class by its definition: ReLU of the maps weighed with their mean gradients."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    maps = classifier.features(images).detach().requires_grad_()
    classifier.logits(classifier.pooled(maps))[:, number].sum().backward()
    assert maps.grad is not None
    weights = maps.grad.mean((2, 3), keepdim=True)
    return torch.relu((weights * maps).sum(1)).detach().numpy()


@pytest.mark.parametrize("head", HEADS)
def test_graph_gives_logits_embedding_and_grad_cam_of_the_network(head: str) -> None:
    classifier = network(**HEADS[head])
    pixels = np.random.default_rng(0).integers(0, 256, size=(3, SIDE, SIDE, 3), dtype=np.uint8)
    logits, embedding, heatmaps = run(classifier, pixels)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        np.testing.assert_allclose(logits, classifier(images).numpy(), atol=1e-5)
        np.testing.assert_allclose(embedding, classifier.features(images).mean((2, 3)).numpy(), atol=1e-5)
    for number in range(7):
        np.testing.assert_allclose(heatmaps[:, number], grad_cam(classifier, pixels, number), atol=1e-6)
    assert heatmaps.max() > 0


@pytest.mark.parametrize("hidden", [0, 16])
def test_a_single_logit_shows_what_raises_it_and_what_lowers_it(hidden: int) -> None:
    classifier = network(**HEADS["flat"] | {"classes": 2, "single_logit": True, "hidden": hidden})
    pixels = np.random.default_rng(2).integers(0, 256, size=(2, SIDE, SIDE, 3), dtype=np.uint8)
    logits, _, heatmaps = run(classifier, pixels)
    assert logits.shape == (2, 2)
    assert not logits[:, 0].any()
    np.testing.assert_allclose(heatmaps[:, 1], grad_cam(classifier, pixels, 1), atol=1e-6)
    with torch.no_grad():
        for parameter in classifier.head[-1].parameters():
            parameter.neg_()
    np.testing.assert_allclose(heatmaps[:, 0], grad_cam(classifier, pixels, 1), atol=1e-6)
    assert heatmaps.max() > 0
    assert not np.minimum(heatmaps[:, 0], heatmaps[:, 1]).any()  # no place speaks for both


def test_a_flat_head_at_another_side_is_refused() -> None:
    with pytest.raises(ExportError, match="96 pixels given, 64 needed"):
        to_onnx(network(**HEADS["flat"]), 96)


def test_number_of_images_is_free() -> None:
    classifier = network(**HEADS["linear"])
    pixels = np.random.default_rng(1).integers(0, 256, size=(5, SIDE, SIDE, 3), dtype=np.uint8)
    together = run(classifier, pixels)[0]
    alone = np.concatenate([run(classifier, pixels[number : number + 1])[0] for number in range(2)])
    np.testing.assert_allclose(together[:2], alone, atol=1e-5)


def test_a_head_without_a_closed_form_is_refused_by_name() -> None:
    with pytest.raises(ExportError, match="Sigmoid"):
        map_weights(nn.Sequential(nn.Linear(4, 2), nn.Sigmoid()), torch.zeros(1, 4), torch.zeros(1, 4, 2, 2))


def test_the_graph_names_no_file_of_the_machine() -> None:
    assert str(Path(dermalens.__file__).parent).encode() not in to_onnx(network(backbone="tiny"), SIDE)
