from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermalens.cli.outline import app
from dermalens.train.outline import OutlineSettings
from tests.drawn_outlines import draw_pairs

TINY = OutlineSettings(epochs=1, batch_size=4, weights="none", sides_pixels=((0, 32),))


@pytest.fixture
def drawn(tmp_path: Path) -> list[str]:
    """SPLIT and MASKS."""
    return [str(path) for path in draw_pairs(tmp_path, {"train": 4, "val": 64, "test": 2})]


def test_a_network_is_trained_exported_and_judged(tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dermalens.train.outline.OutlineSettings", lambda: TINY)
    run = str(tmp_path / "run")
    trained = CliRunner().invoke(app, ["train", *drawn, "--out", run])
    assert trained.exit_code == 0, trained.output
    assert "Best epoch 0 of 1" in trained.output
    exported = CliRunner().invoke(app, ["export", run, *drawn, "--side", "64"])
    assert exported.exit_code == 0, exported.output
    assert "threshold" in exported.output
    assert "val_intersection_over_union" in exported.output
    judged = CliRunner().invoke(app, ["judge", run, *drawn, "--side", "64"])
    assert judged.exit_code == 0, judged.output
    assert "2 images" in judged.output
    assert "test_dice" in (tmp_path / "run" / "outline.json").read_text()
