from __future__ import annotations

from pathlib import Path

import pytest

from dermalens.predict.classifier import Classifier, load
from tests.tiny_bundle import write_equipped_bundle, write_tiny_bundle


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle on disk; tests do not change it."""
    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    write_tiny_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def classifier(bundle_folder: Path) -> Classifier:
    return load(bundle_folder)


@pytest.fixture(scope="session")
def equipped_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with a gate and an outline; tests do not change it."""
    folder = tmp_path_factory.mktemp("equipped") / "bundle"
    write_equipped_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def equipped(equipped_folder: Path) -> Classifier:
    return load(equipped_folder)
