from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dermalens.cli.main import app
from tests.tiny_bundle import write_equipped_bundle, write_tiny_bundle


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle on disk; tests do not change it."""
    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    write_tiny_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def equipped_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with a gate and an outline; tests do not change it."""
    folder = tmp_path_factory.mktemp("equipped") / "bundle"
    write_equipped_bundle(folder)
    return folder


@pytest.fixture
def command(bundle_folder: Path) -> Callable[..., Any]:
    """Run `dermalens predict` with the tiny bundle, in this process."""

    def run(*arguments: object, given: bytes | None = None) -> Any:
        words: Sequence[str] = ["predict", "--bundle", str(bundle_folder), *map(str, arguments)]
        return CliRunner(env={"COLUMNS": "300"}).invoke(app, words, input=given)

    return run
