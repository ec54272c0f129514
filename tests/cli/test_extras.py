"""A missing package of an extra is told apart from a bug of ours."""

from __future__ import annotations

import pytest

from dermalens.cli.extras import needing
from dermalens.core.errors import MissingExtraError


def test_a_missing_package_gives_the_line_to_type() -> None:
    with (
        pytest.raises(MissingExtraError, match=r"Training needs .*pip install 'dermalens\[train\]'"),
        needing("train", "Training"),
    ):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")


def test_a_missing_module_of_ours_stays_a_bug() -> None:
    with pytest.raises(ModuleNotFoundError, match="dermalens.trian"), needing("train", "Training"):
        raise ModuleNotFoundError("No module named 'dermalens.trian'", name="dermalens.trian")
