"""The table of CONTRIBUTING.md leads to files that exist, and to names that stand in them."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Advice:
    """One row of the table."""

    what: str
    edit: str
    test: str


def paths(cell: str) -> list[str]:
    return [word for word in re.findall(r"`([^`]+)`", cell) if "/" in word or "." in word]


def read_table() -> list[Advice]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [Advice(*(cell.strip() for cell in cells)) for cells in rows[1:]]


TABLE = read_table()


def test_the_table_speaks_of_the_usual_wishes() -> None:
    wishes = ("a backbone", "a data set", "a metric", "a command", "a transform", "a recipe", "an error")
    assert [wish for wish in wishes if not any(advice.what.startswith(wish) for advice in TABLE)] == []


@pytest.mark.parametrize("advice", TABLE, ids=lambda advice: advice.what)
def test_every_row_names_what_to_edit_and_its_test_and_both_exist(advice: Advice) -> None:
    assert paths(advice.edit)
    assert paths(advice.test)
    assert all(path.startswith("tests/") for path in paths(advice.test))
    assert [path for path in paths(advice.edit + advice.test) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("advice", TABLE, ids=lambda advice: advice.what)
def test_a_table_in_the_code_that_a_row_names_stands_in_its_file(advice: Advice) -> None:
    code = "".join((ROOT / path).read_text(encoding="utf-8") for path in paths(advice.edit) if path.endswith(".py"))
    assert [name for name in re.findall(r"`([A-Z_]+)`", advice.edit) if f"\n{name}" not in code] == []


def test_the_page_stays_one_page() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 70
