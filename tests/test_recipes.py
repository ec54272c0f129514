"""Each published system: its recipe is complete, its network has the published size, exports, agrees and predicts."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from dermalens.core.bundle import Calibration
from dermalens.core.spec import PreprocessSpec
from dermalens.core.taxonomy import BINARY, CLASSES, malignant_of
from dermalens.export.graph import to_onnx
from dermalens.models.heads import LesionClassifier
from dermalens.predict.classifier import load
from dermalens.train.ensemble_recipe import EnsembleRecipe, read_any_recipe
from dermalens.train.network import build_network
from dermalens.train.recipe import Recipe, read_recipe
from dermalens.transforms.preprocess import preprocess
from tests.tiny_bundle import lesion, write_tiny_bundle

RECIPES = Path(__file__).parents[1] / "recipes"
PUBLISHED = {
    "efficientnet_b4": 18_470_223,
    "efficientnet_b0": 4_016_515,
    "mobilenet_v2": 2_232_839,
    "cnn_150": 3_456_199,
    "cnn_128_binary": 3_304_769,
}
"""Recipes and the parameters of their networks, as published or added up from the layers that the recipe names."""

MEMBERS = {
    "mobilenet_v1": 3_206_976 + 2 * 1025,
    "densenet121": 6_953_856 + 2 * 1025,
    "densenet169": 12_484_480 + 2 * 1665,
    "nasnet_mobile": 4_232_978 + 2 * 1057,
}
"""Of the ensemble lesionlens: the network of Keras without its top, and a linear layer for two classes."""

LEFT_OUT = {"data": ["fold", "left_out"]}
"""Keys that TOML cannot write as absent."""

SMALL = 64
"""Side of the exported graph where the head allows any: the layers are the same and the export is quick."""


def recipe_of(name: str) -> Recipe:
    """A recipe or the member of the ensemble, without its download."""
    if name not in MEMBERS:
        return read_recipe(RECIPES / f"{name}.toml", ["model.weights=none"])
    ensemble = read_any_recipe(RECIPES / "lesionlens.toml", ["model.weights=none"])
    assert isinstance(ensemble, EnsembleRecipe)
    return ensemble.members[name]


@pytest.fixture(scope="module", params=[*PUBLISHED, *MEMBERS])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name: str) -> LesionClassifier:
    torch.manual_seed(0)
    return build_network(recipe_of(name)).eval()


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_a_recipe_writes_every_key(recipe: str) -> None:
    path = RECIPES / f"{recipe}.toml"
    written = tomllib.loads(path.read_text(encoding="utf-8"))
    whole = read_recipe(path).model_dump(mode="json")
    assert set(whole) == set(written)
    missing = {
        table: [key for key in keys if key not in written[table]]
        for table, keys in whole.items()
        if isinstance(keys, dict)
    }
    assert {table: keys for table, keys in missing.items() if keys} == LEFT_OUT


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_pretrained_networks_start_from_timm_and_small_ones_from_nothing(recipe: str) -> None:
    whole = read_recipe(RECIPES / f"{recipe}.toml")
    assert whole.model.weights == ("none" if whole.model.backbone.startswith("cnn") else "timm")
    assert tuple(whole.classes) == (BINARY if recipe.endswith("binary") else CLASSES)
    assert whole.data.split == "work/split.csv"


def test_the_network_has_the_published_number_of_parameters(name: str, network: LesionClassifier) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == (PUBLISHED | MEMBERS)[name]


def test_the_head_is_the_published_one() -> None:
    head = build_network(recipe_of("efficientnet_b4")).head
    assert [str(layer) for layer in head] == [
        "Linear(in_features=1792, out_features=512, bias=True)",
        "ReLU(inplace=True)",
        "Dropout(p=0.5, inplace=False)",
        "Linear(in_features=512, out_features=7, bias=True)",
    ]


def test_the_early_layers_of_mobilenet_are_there_to_be_frozen() -> None:
    recipe = recipe_of("mobilenet_v2")
    names = [name for name, _ in build_network(recipe).backbone.named_parameters()]
    assert all(any(name.startswith(f"{prefix}.") for name in names) for prefix in recipe.model.frozen)
    kept = [name for name in names if not name.startswith(tuple(f"{prefix}." for prefix in recipe.model.frozen))]
    assert {name.split(".")[1] for name in kept if name.startswith("blocks.")} == {"4", "5", "6"}


def test_it_forwards_exports_agrees_and_predicts(name: str, network: LesionClassifier, tmp_path: Path) -> None:
    classes = recipe_of(name).classes
    side = network.fixed_side_pixels or SMALL
    with torch.no_grad():  # fresh weights give logits near 0, in which no difference would show
        list(network.head.parameters())[-2].mul_(20)
    spec, count = PreprocessSpec(side_pixels=side), len(classes)
    write_tiny_bundle(
        tmp_path / "bundle",
        {"model.onnx": to_onnx(network, side)},
        classes=classes,
        malignant=list(malignant_of(classes)),
        preprocess=spec,
        calibration=Calibration(method="none", scale=[1.0] * count, shift=[0.0] * count, n=0),
    )
    classifier, image = load(tmp_path / "bundle"), lesion("mel")
    square = preprocess(image, spec)
    with torch.inference_mode():
        given = torch.from_numpy(square[None].copy()).permute(0, 3, 1, 2).float() / 255
        logits = network(given).numpy()
    outputs = classifier.run(square[None])
    np.testing.assert_allclose(outputs.logits, logits, atol=1e-4 * max(1.0, float(np.abs(logits).max())))
    prediction = classifier.predict(image, heatmap=True)
    expected = torch.from_numpy(logits).softmax(1)[0].tolist()
    assert list(prediction.probabilities) == classes
    assert list(prediction.probabilities.values()) == pytest.approx(expected, abs=1e-4)
    assert prediction.explanation is not None
    assert prediction.explanation.heat.shape == (side, side)
    assert np.isfinite(outputs.heatmaps).all()
