from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermalens.core.errors import RecipeError
from dermalens.train.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
SMOKE = RECIPES / "smoke.toml"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rate=1", "unknown key optimizer.learning_rate; there are name, lr, "),
        ("colour=1", "unknown key colour; there are name, description, "),
        ('preprocess.clean=[{step="hair", foo=1}]', "unknown key preprocess.clean.0.hair.foo; there are step, width, "),
        ("trainer.epochs=many", "trainer.epochs: .*integer.*'many'"),
        ("trainer.epochs=2.5", "trainer.epochs: .*integer.*2.5"),
        ("trainer.compile=1", "trainer.compile: .*boolean"),
        ("optimizer.lr=nan", "optimizer.lr: "),
        ("optimizer.lr=inf", "optimizer.lr: .*finite"),
        ("optimizer.name=lion", "optimizer.name: .*'adamw', 'adam' or 'sgd'"),
        ("name=My Run", "name: .*pattern"),
        ("augment.sides_pixels=[]", "first for epoch 0"),
        ("augment.sides_pixels=[[1, 64]]", "first for epoch 0"),
        ("augment.sides_pixels=[[0, 64], [0, 96]]", "in order"),
        ("augment.sides_pixels=[[0, 16]]", "32 to 1024"),
        ("augment.scale=[1.2, 0.8]", "smaller number first"),
        ("balance.weight_power=0.6", "together may be 1 at most"),
        ("trainer.head_epochs=9", "head_epochs may not exceed"),
        ("optimizer.warmup_epochs=4", "less than trainer.epochs"),
        ('classes=["nv", "nv"]', "none of them twice"),
        ('classes=["bkl", "nv"]', "at least one that is malignant and one that is not"),
        ('classes=["bcc", "mel"]', "at least one that is malignant and one that is not"),
        ('name="gate"', "name may not be gate"),
        ('classes=["malignant", "benign"]', "in the order malignant benign; needed is benign malignant"),
        ("data={split='a.csv', fold=0, left_out=1}", "data.fold and data.left_out were both given"),
        ("model.single_logit=true", "single_logit needs two classes, given are 7"),
        ("model.pooling=flatten", r"flatten.* needs augment\.sides_pixels = \[\[0, 64\]\]"),
        ("model.pooling=max", "model.pooling: .*'mean' or 'flatten'"),
        ("optimizer", "needed is KEY=VALUE"),
        ("seed.deep=1", "seed is not a table"),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_path(override, message):
    with pytest.raises(RecipeError, match=message) as caught:
        read_recipe(SMOKE, [override])
    assert "\n" not in str(caught.value)


def test_settings_that_exclude_each_other_are_refused():
    with pytest.raises(RecipeError, match="no effect with the plateau"):
        read_recipe(SMOKE, ["optimizer.schedule=plateau", "optimizer.warmup_epochs=1"])
    with pytest.raises(RecipeError, match="needs a GPU"):
        read_recipe(SMOKE, ["trainer.precision=16-mixed", "trainer.accelerator=cpu"])


def test_a_missing_key_is_named(tmp_path):
    short = tmp_path / "short.toml"
    short.write_text(SMOKE.read_text().replace("batch_size = 14", ""))
    with pytest.raises(RecipeError, match=r"short\.toml: missing key trainer\.batch_size"):
        read_recipe(short)


def test_a_file_that_is_absent_or_not_toml_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="No recipe at"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path)
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(RecipeError, match="is not TOML"):
        read_recipe(tmp_path / "bad.toml")


def test_a_byte_order_mark_as_editors_of_windows_write_it_is_no_fault(tmp_path):
    (tmp_path / "marked.toml").write_text(SMOKE.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_recipe(tmp_path / "marked.toml") == read_recipe(SMOKE)


def test_an_override_changes_its_key_alone():
    before, after = read_recipe(SMOKE), read_recipe(SMOKE, ["optimizer.lr=1e-4", "model.frozen=['conv_stem']"])
    assert after.optimizer.lr == 1e-4
    assert after.model.frozen == ["conv_stem"]
    assert before.model_dump(exclude={"optimizer", "model"}) == after.model_dump(exclude={"optimizer", "model"})


def test_a_recipe_survives_json():
    recipe = read_recipe(RECIPES / "default.toml")
    assert Recipe.model_validate_json(json.dumps(recipe.model_dump(mode="json"))) == recipe


def test_the_default_recipe_writes_every_key_but_the_folds():
    import tomllib

    written = tomllib.loads((RECIPES / "default.toml").read_text())
    whole = read_recipe(RECIPES / "default.toml").model_dump(mode="json")
    missing = [
        f"{table}.{key}"
        for table, keys in whole.items()
        for key in (keys if isinstance(keys, dict) else ())
        if key not in written[table]
    ]
    assert missing == ["data.fold", "data.left_out"]
