"""The line of the malignant probability of a lesion over time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest

from dermalens.serve.pages.comparison import HALF_DATE, LEFT, RIGHT, line_of
from dermalens.serve.pages.i18n import languages

ENGLISH = languages()["en"]


def of_moment(moment):
    return SimpleNamespace(decision="refer", seen=moment, day=moment.date(), malignant_probability=0.5)


def line(*hours):
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    return line_of(
        [of_moment(first + timedelta(hours=one)) for one in hours],
        ENGLISH,
    )


@pytest.mark.parametrize("hours", [(0, 0), (0, 1), (0, 20, 100), (0, 80, 100), (0, 1, 99, 100), (0, 18, 36, 54, 100)])
def test_no_two_dates_overprint_and_all_stand_below_the_line(hours):
    found = line(*hours)
    centres = [date.x for date in found.dates]
    assert len(found.dots) == len(hours)
    assert centres[0] == LEFT + HALF_DATE
    assert all(after - before >= 2 * HALF_DATE for before, after in pairwise(centres))
    assert centres[-1] <= RIGHT - HALF_DATE
    assert found.dates[0].words == "Jan 1, 2026"


def test_cases_far_apart_have_a_date_each():
    assert [date.words for date in line(0, 24 * 30, 24 * 60).dates] == ["Jan 1, 2026", "Jan 31, 2026", "Mar 2, 2026"]


def test_images_of_one_moment_stand_side_by_side():
    first, middle, last = (dot.x for dot in line(0, 0, 0).dots)
    assert (first, last) == (LEFT, RIGHT)
    assert middle == pytest.approx((first + last) / 2)
