"""The exported graph against PyTorch: logits, embedding, and Grad-CAM by its definition (autograd)."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from dermalens.core.errors import ExportError
from dermalens.export.graph import class_gradients, to_onnx
from dermalens.models.heads import LesionClassifier

SIDE = 64


def tiny(hidden: int) -> LesionClassifier:
    torch.manual_seed(3)
    return LesionClassifier("tiny", classes=7, weights="none", hidden=hidden, dropout=0.5).eval()


def run(classifier: LesionClassifier, pixels: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(to_onnx(classifier, SIDE), providers=["CPUExecutionProvider"])
    return session.run(["logits", "embedding", "heatmaps"], {"pixels": pixels})


def grad_cam(classifier: LesionClassifier, pixels: np.ndarray, number: int) -> np.ndarray:
    """Grad-CAM of one class by its definition: ReLU of the maps weighed with their mean gradients."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    maps = classifier.features(images).detach().requires_grad_()
    classifier.head(maps.mean((2, 3)))[:, number].sum().backward()
    assert maps.grad is not None
    weights = maps.grad.mean((2, 3), keepdim=True)
    return torch.relu((weights * maps).sum(1)).detach().numpy()


@pytest.mark.parametrize("hidden", [0, 16], ids=["linear head", "hidden layer"])
def test_graph_gives_logits_embedding_and_grad_cam_of_the_network(hidden: int) -> None:
    classifier = tiny(hidden)
    pixels = np.random.default_rng(0).integers(0, 256, size=(3, SIDE, SIDE, 3), dtype=np.uint8)
    logits, embedding, heatmaps = run(classifier, pixels)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        np.testing.assert_allclose(logits, classifier(images).numpy(), atol=1e-5)
        np.testing.assert_allclose(embedding, classifier.features(images).mean((2, 3)).numpy(), atol=1e-5)
    for number in range(7):
        np.testing.assert_allclose(heatmaps[:, number], grad_cam(classifier, pixels, number), atol=1e-6)
    assert heatmaps.max() > 0


def test_number_of_images_is_free() -> None:
    classifier = tiny(0)
    pixels = np.random.default_rng(1).integers(0, 256, size=(5, SIDE, SIDE, 3), dtype=np.uint8)
    together = run(classifier, pixels)[0]
    alone = np.concatenate([run(classifier, pixels[number : number + 1])[0] for number in range(2)])
    np.testing.assert_allclose(together[:2], alone, atol=1e-5)


def test_a_head_without_a_closed_form_is_refused_by_name() -> None:
    with pytest.raises(ExportError, match="Sigmoid"):
        class_gradients(nn.Sequential(nn.Linear(4, 2), nn.Sigmoid()), torch.zeros(1, 4))
