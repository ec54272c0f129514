"""The figure of the cleaning steps is what its script draws."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

ROOT = Path(__file__).parents[1]


def test_the_figure_of_the_cleaning_steps_is_up_to_date() -> None:
    pytest.importorskip("cv2")
    spec = importlib.util.spec_from_file_location("clean_figure", ROOT / "docs" / "clean_figure.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    sheet = script.sheet(script.preprocess(script.drawn(), script.PreprocessSpec(side_pixels=script.SIDE)))
    with Image.open(script.DRAWN) as saved:
        assert saved.size == sheet.size
        difference = ImageStat.Stat(ImageChops.difference(saved.convert("RGB"), sheet)).mean
    assert max(difference) < 2.5  # what JPEG at quality 90 changes
    assert script.DRAWN.stat().st_size < 200_000
