"""Drawn lesions, a split of them and the smoke recipe on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row
from dermalens.data.split import write_split
from dermalens.train.recipe import Recipe, read_recipe
from tests.drawn_lesions import draw_lesion

SMOKE = Path(__file__).parents[2] / "recipes" / "smoke.toml"

MakeRecipe = Callable[..., Recipe]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """The same sums in the same order every time, in what a module shares too, and no fight for the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def split_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of each class 4 training, 2 validation and 1 test image; two folds; the test images do not exist."""
    folder = tmp_path_factory.mktemp("drawn")
    rows: list[Row] = []
    for label in CLASSES:
        for place in range(7):
            name = f"{label}_{place}"
            part = "train" if place < 4 else "val" if place < 6 else "test"
            path = folder / f"{name}.png"
            if part != "test":
                draw_lesion(len(rows), label, path)
            fold = None if part == "test" else place % 2
            rows.append(Row(name, str(path), label, f"lesion_{name}", part=part, fold=fold))
    target = folder / "split.csv"
    write_split(rows, target, seed=0)
    return target


@pytest.fixture
def make_recipe(split_file: Path) -> MakeRecipe:
    """The smoke recipe on the drawn split, with overrides as of `--set`."""

    def make(overrides: Sequence[str] = ()) -> Recipe:
        return read_recipe(SMOKE, [f"data.split='{split_file}'", "data.workers=0", *overrides])

    return make
