"""What the docs say that a command wrote is what the command writes."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_page_is_up_to_date(generate: ModuleType) -> None:
    old = [path for path, content in generate.contents().items() if (ROOT / path).read_text("utf-8") != content]
    assert old == [], "run: make docs"


def test_every_block_of_a_page_has_a_generator(generate: ModuleType) -> None:
    for page in generate.FILLED:
        names = re.findall(r"<!-- generated: (.+?) -->", (ROOT / page).read_text("utf-8"))
        assert names
        assert set(names) <= set(generate.BLOCKS)
