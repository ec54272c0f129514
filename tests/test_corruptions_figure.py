"""The figure of the corruptions is what its script draws."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

ROOT = Path(__file__).parents[1]


def test_the_figure_of_the_corruptions_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("corruptions_figure", ROOT / "docs" / "corruptions_figure.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    sheet = script.sheet(script.lesion())
    with Image.open(script.DRAWN) as saved:
        assert saved.size == sheet.size
        difference = ImageStat.Stat(ImageChops.difference(saved.convert("RGB"), sheet)).mean
    assert max(difference) < 4  # what a palette of 192 colours changes
    assert script.DRAWN.stat().st_size < 700_000
