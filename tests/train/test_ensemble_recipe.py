from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermalens.core.errors import RecipeError
from dermalens.train.ensemble_recipe import EnsembleRecipe, read_any_recipe
from dermalens.train.recipe import Recipe

RECIPES = Path(__file__).parents[2] / "recipes"
LESIONLENS = RECIPES / "lesionlens.toml"


def ensemble(*changes: str) -> EnsembleRecipe:
    recipe = read_any_recipe(LESIONLENS, changes)
    assert isinstance(recipe, EnsembleRecipe)
    return recipe


def test_each_member_is_the_shared_recipe_with_its_own_keys():
    recipe = ensemble("trainer.epochs=3", "members.densenet121.trainer.epochs=5")
    assert {name: member.model.backbone for name, member in recipe.members.items()} == {
        name: name for name in ("mobilenet_v1", "densenet121", "densenet169", "nasnet_mobile")
    }
    assert [member.trainer.epochs for member in recipe.members.values()] == [3, 5, 3, 3]
    assert {tuple(member.classes) for member in recipe.members.values()} == {("benign", "malignant")}
    assert recipe.members["densenet169"].name == "lesionlens_densenet169"
    assert recipe.stack.combiner == "logistic"


def test_the_recipe_of_a_run_stays_one():
    assert isinstance(read_any_recipe(RECIPES / "smoke.toml"), Recipe)


def test_an_ensemble_survives_json():
    recipe = ensemble()
    assert EnsembleRecipe.model_validate_json(json.dumps(recipe.model_dump(mode="json"))) == recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('members.densenet121.classes=["mel", "nv"]', "densenet121 differs from mobilenet_v1 in classes"),
        ("members.densenet121.data.split=other.csv", "densenet121 differs from mobilenet_v1 in data.split"),
        ("members.densenet169.preprocess.side_pixels=96", "densenet169 differs from mobilenet_v1 in preprocess"),
        ("members.nasnet_mobile.data.fold=1", "nasnet_mobile has data.fold or data.left_out"),
        ("trainer.devices=2", "asks for several devices"),
        ("members.densenet121.optimizer.speed=1", "densenet121: unknown key optimizer.speed"),
        ("stack.combiner=vote", "stack.combiner: .*'logistic' or 'mean'"),
        ("stack.penalty=0", "stack.penalty: .*greater than 0"),
        ("members={a={model={backbone='tiny'}}}", "members needs two tables at least"),
        ("members={a={model={backbone='tiny'}}, B-2={model={backbone='tiny'}}}", "named with a-z.*B-2"),
    ],
)
def test_what_cannot_be_one_ensemble_is_refused_with_its_member(override, message):
    with pytest.raises(RecipeError, match=message):
        ensemble(override)


def test_an_ensemble_without_a_name_is_told_so(tmp_path):
    source = tmp_path / "nameless.toml"
    source.write_text(LESIONLENS.read_text().replace('name = "lesionlens"\n', ""))
    with pytest.raises(RecipeError, match=r"nameless\.toml: missing key name$"):
        read_any_recipe(source)
