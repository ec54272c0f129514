from __future__ import annotations

from pathlib import Path

from dermalens.core import spec
from dermalens.train.ensemble_recipe import Stack
from dermalens.train.recipe import Recipe
from dermalens.train.recipe_reference import recipe_reference
from dermalens.transforms.clean import CLEANERS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "recipe.md"


def test_the_reference_of_the_recipe_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == recipe_reference()


def test_every_key_of_the_recipe_is_explained():
    rows = [line for line in recipe_reference().splitlines() if line.startswith("| `")]
    parts = [field.annotation for field in Recipe.model_fields.values() if hasattr(field.annotation, "model_fields")]
    keys = len(Recipe.model_fields) - len(parts) + sum(len(part.model_fields) for part in parts)
    steps = [
        kind for kind in vars(spec).values() if isinstance(kind, type) and "step" in getattr(kind, "model_fields", ())
    ]
    assert len(steps) == len(CLEANERS)
    assert len(rows) == keys + len(Stack.model_fields) + sum(len(step.model_fields) for step in steps)
    assert [row for row in rows if row.endswith("|  |")] == []
