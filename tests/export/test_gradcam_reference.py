"""The heat maps of exported graphs against Grad-CAM of the package grad-cam, and against randomised weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx.numpy_helper import to_array
from PIL import Image
from pytorch_grad_cam.utils.image import scale_cam_image

from benchmarks.gradcam import Target, as_floats, correlation, randomised, reference_maps, target_of
from dermalens.export.graph import to_onnx
from dermalens.models.heads import LesionClassifier
from dermalens.predict.explain import explain
from tests.drawn_lesions import draw_lesion

SIDE = 96
CLASSES = 7
LABELS = [4, 5, 6]

NETWORKS: dict[str, dict[str, Any]] = {
    "hidden layer": {"backbone": "mobilenet_v1", "hidden": 16},
    "flat head": {"backbone": "tiny", "pooling": "flatten", "side_pixels": SIDE},
}
SINGLE_LOGIT: dict[str, Any] = {
    "backbone": "cnn_128",
    "pooling": "flatten",
    "side_pixels": SIDE,
    "hidden": 16,
    "classes": 2,
    "single_logit": True,
}


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.uint8]:
    """Three drawn lesions [3, S, S, 3]."""
    folder = tmp_path_factory.mktemp("drawn")
    squares = []
    for number, label in enumerate(("mel", "nv", "vasc")):
        draw_lesion(number, label, folder / f"{label}.png")
        with Image.open(folder / f"{label}.png") as picture:
            squares.append(np.asarray(picture.convert("RGB").resize((SIDE, SIDE))))
    return np.stack(squares)


@pytest.fixture(scope="module")
def linear(pixels: NDArray[np.uint8]) -> tuple[LesionClassifier, bytes]:
    """A small network with a linear head, a little trained on the drawn lesions, and its graph."""
    network = untrained(backbone="tiny")
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(15):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(as_floats(pixels)), torch.tensor(LABELS)).backward()
        optimizer.step()
    return network, to_onnx(network, SIDE)


def untrained(*, classes: int = CLASSES, **options: Any) -> LesionClassifier:
    torch.manual_seed(3)
    return LesionClassifier(classes=classes, weights="none", dropout=0.5, **options).eval()


def graph_maps(graph: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    maps: NDArray[np.float32] = session.run(["heatmaps"], {"pixels": pixels})[0]
    return maps


def like_reference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The least correlation of maps [n, h, w] with those of the package [n, S, S], drawn as the package draws.

    A map without any heat must be one in both.
    """
    filled = found.any(axis=(1, 2))
    assert filled.any()
    assert np.array_equal(filled, expected.any(axis=(1, 2)))
    drawn = scale_cam_image(found[filled], (SIDE, SIDE))
    return min(correlation(*pair) for pair in zip(drawn, expected[filled], strict=True))


def of_all_classes(network: LesionClassifier, pixels: NDArray[np.uint8], targets: list[Target]) -> NDArray[np.float32]:
    """The package's maps [K * N, S, S] of every target for every image."""
    images = as_floats(pixels)
    return np.concatenate([reference_maps(network, images, [target] * len(images)) for target in targets])


def check_every_class(network: LesionClassifier, graph: bytes, pixels: NDArray[np.uint8]) -> None:
    maps = graph_maps(graph, pixels)
    expected = of_all_classes(network, pixels, [target_of(number) for number in range(CLASSES)])
    assert like_reference(np.concatenate(list(maps.swapaxes(0, 1))), expected) >= 0.999


def test_with_a_linear_head_every_heat_map_is_grad_cam_of_the_package(
    linear: tuple[LesionClassifier, bytes], pixels: NDArray[np.uint8]
) -> None:
    check_every_class(*linear, pixels)


@pytest.mark.parametrize("head", NETWORKS)
def test_with_other_heads_every_heat_map_is_grad_cam_of_the_package(head: str, pixels: NDArray[np.uint8]) -> None:
    network = untrained(**NETWORKS[head])
    check_every_class(network, to_onnx(network, SIDE), pixels)


def test_both_maps_of_a_single_logit_are_grad_cam_of_the_package(pixels: NDArray[np.uint8]) -> None:
    network = untrained(**SINGLE_LOGIT)
    maps = graph_maps(to_onnx(network, SIDE), pixels)
    expected = of_all_classes(network, pixels, [lambda logits: -logits[1], lambda logits: logits[1]])
    assert like_reference(np.concatenate(list(maps.swapaxes(0, 1))), expected) >= 0.999


def test_the_heat_map_as_it_is_shown_is_that_of_the_package(
    linear: tuple[LesionClassifier, bytes], pixels: NDArray[np.uint8]
) -> None:
    network, graph = linear
    expected = reference_maps(network, as_floats(pixels), [target_of(number) for number in LABELS])
    own = graph_maps(graph, pixels)[range(3), LABELS]
    shown = [explain(heat, square, code="").heat for heat, square in zip(own, pixels, strict=True)]
    assert min(correlation(*pair) for pair in zip(shown, expected, strict=True)) >= 0.99


def test_the_comparison_notices_the_map_of_another_class(
    linear: tuple[LesionClassifier, bytes], pixels: NDArray[np.uint8]
) -> None:
    network, graph = linear
    others = [target_of(number) for number in (*LABELS[1:], LABELS[0])]
    assert (
        like_reference(graph_maps(graph, pixels)[range(3), LABELS], reference_maps(network, as_floats(pixels), others))
        < 0.99
    )


def test_the_heat_map_goes_with_the_weights(linear: tuple[LesionClassifier, bytes], pixels: NDArray[np.uint8]) -> None:
    _, graph = linear
    own = graph_maps(graph, pixels)[range(3), LABELS]

    def likeness(share: float) -> float:
        changed = [graph_maps(randomised(graph, share=share, seed=seed), pixels) for seed in range(5)]
        pairs = [pair for maps in changed for pair in zip(own, maps[range(3), LABELS], strict=True)]
        return float(np.mean(np.nan_to_num([correlation(*pair) for pair in pairs])))

    assert likeness(0.0) == pytest.approx(1)
    assert likeness(0.1) < 0.9
    assert likeness(1.0) < 0.6


def test_randomising_the_weights_starts_at_the_output(linear: tuple[LesionClassifier, bytes]) -> None:
    _, graph = linear
    top = changed_weights(graph, randomised(graph, share=0.05, seed=0))
    assert any("head" in name for name in top)
    assert not any("conv_stem" in name for name in top)
    assert any("conv_stem" in name for name in changed_weights(graph, randomised(graph, share=1.0, seed=0)))


def changed_weights(before: bytes, after: bytes) -> list[str]:
    tensors = [onnx.load_from_string(graph).graph.initializer for graph in (before, after)]
    pairs = [(one.name, to_array(one), to_array(other)) for one, other in zip(*tensors, strict=True)]
    return [name for name, one, other in pairs if not np.array_equal(one, other)]
