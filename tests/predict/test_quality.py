from __future__ import annotations

import numpy as np
import pytest

from dermalens.predict.quality import assess
from tests.tiny_bundle import lesion


def square_of(picture):
    return np.asarray(picture.resize((64, 64)))


def test_a_picture_with_detail_has_no_findings():
    quality = assess(square_of(lesion("nv")), (600, 450))
    assert quality.findings == ()
    assert quality.source_side_pixels == 450
    assert quality.contrast > 2


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_cannot_be_judged(grey):
    quality = assess(np.full((64, 64, 3), grey, dtype=np.uint8), (600, 450))
    assert quality.contrast == 0
    assert "without detail" in quality.findings[0]


@pytest.mark.parametrize(("size", "findings"), [((63, 500), 1), ((500, 63), 1), ((64, 64), 0)])
def test_fewer_than_64_pixels_cannot_be_judged(size, findings):
    assert len(assess(square_of(lesion("nv")), size).findings) == findings
