"""The figures of a bundle by sex, age, site, source and skin tone, and the gaps between the groups."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError, name_some
from dermalens.data.index import Row
from dermalens.evaluate.bootstrap import Drawn, Samples, lesion_samples, measured
from dermalens.evaluate.group_figures import NEEDS, figures_of, kinds_of, with_intervals
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Truth
from dermalens.evaluate.skin_tone import DESCRIPTIVE_ONLY, NO_ANGLE, TONES, UNKNOWN

LEAST_IMAGES: Final = 30
"""Of a group that counts in a gap."""

AGE_BANDS: Final = {"under 30": 30.0, "30 to 44": 45.0, "45 to 59": 60.0, "60 to 74": 75.0, "75 and over": math.inf}
"""Each band and the age in years that it ends below."""

_ORDER: Final = (*AGE_BANDS, *TONES)
_LAST: Final = (NO_ANGLE, UNKNOWN)
"""Groups that are no groups of people: they are measured, and count in no gap."""

_LACKS: Final = {
    "image": "no image",
    "malignant": "no malignant image",
    "benign": "no benign image",
    "melanoma": "no image of a melanoma",
    "other": "no image of anything but melanoma",
}


@dataclass(frozen=True, slots=True)
class Group:
    """One group of a dimension."""

    name: str
    images: int
    lesions: int
    malignant: int
    melanomas: int
    figures: dict[str, Measured]
    """By name, as in `dermalens.evaluate.group_figures.NEEDS`. Balanced accuracy is over the classes that are there, so
    that groups with other classes compare in it only roughly."""
    undefined: dict[str, str]
    """For each figure that has no value the reason."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference of one figure between the groups of a dimension, with the groups that it lies between.

    The two are chosen because they lie apart, so that the interval, which takes them as given, is somewhat too narrow.
    """

    difference: Measured
    """Highest less lowest, from the same draws; n is the number of images in both groups."""
    highest: str
    lowest: str


@dataclass(frozen=True, slots=True)
class Subgroups:
    """Every group of every dimension."""

    dimensions: dict[str, tuple[Group, ...]]
    gaps: dict[str, dict[str, Gap]]
    """By dimension and figure; a figure that fewer than two groups have enough images for is left out."""
    notes: dict[str, str]
    """What must be said beside a dimension."""
    threshold: float
    """Of the malignant probability, at which an image is referred (or where a malignant class comes first)."""
    least_images: int = LEAST_IMAGES
    """Of a group that counts in a gap; an area under a curve needs as many on its scarcer side."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Answers for images of lesions, and the threshold of an operating point."""

    scored: Scored
    lesions: Sequence[str]
    threshold: float


def dimensions_of(rows: Sequence[Row], tones: Sequence[str] | None = None) -> dict[str, list[str]]:
    """The group of each row by dimension; `tones` are those of `skin_tone.tones_of`."""
    dimensions = {
        "sex": [row.sex or UNKNOWN for row in rows],
        "age": [age_band(row.age_years) for row in rows],
        "site": [row.site or UNKNOWN for row in rows],
        "source": [row.source or UNKNOWN for row in rows],
    }
    return dimensions if tones is None else dimensions | {"skin_tone": list(tones)}


def age_band(years: float | None) -> str:
    """The band of an age.

    >>> age_band(29.9), age_band(30), age_band(80), age_band(None)
    ('under 30', '30 to 44', '75 and over', 'unknown')
    """
    if years is None or not math.isfinite(years):
        return UNKNOWN
    return next(band for band, end in AGE_BANDS.items() if years < end)


def measure_subgroups(
    cohort: Cohort, dimensions: Mapping[str, Sequence[str]], *, draws: int = 1000, seed: int = 0
) -> Subgroups:
    """The figures of each group with 95 % intervals from one bootstrap over all lesions, and the gaps.

    `dimensions` has for each dimension the group of every image, as `dimensions_of` gives it.

    Raises:
        DataError: a dimension that has not one group for each image.
    """
    images = len(cohort.scored.labels)
    given = {"the lesions": cohort.lesions, **dimensions}
    wrong = [f"{name} ({len(values)})" for name, values in given.items() if len(values) != images]
    if wrong:
        raise DataError(f"{images} images need one value each; another number have {name_some(wrong)}.")
    lesions = tuple(cohort.lesions)
    samples = lesion_samples(Truth(cohort.scored.labels, lesions), draws=draws, seed=seed)
    parts = {
        name: [_part(cohort, group, np.array(groups) == group, samples) for group in _ordered(groups)]
        for name, groups in dimensions.items()
    }
    return Subgroups(
        dimensions={name: tuple(part.group for part in of) for name, of in parts.items()},
        gaps={name: _gaps(of) for name, of in parts.items()},
        notes={"skin_tone": DESCRIPTIVE_ONLY} if "skin_tone" in dimensions else {},
        threshold=cohort.threshold,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A group, how many images of each kind it has, and its figures in every draw."""

    group: Group
    kinds: Mapping[str, int]
    drawn: Mapping[str, Drawn]


def _ordered(groups: Sequence[str]) -> list[str]:
    """Bands and tones in their order, others by their images, the most first; what is not known comes last."""
    counts = Counter(groups)
    place = {name: number for number, name in enumerate(_ORDER)}
    return sorted(counts, key=lambda name: (name in _LAST, place.get(name, -1), -counts[name], name))


def _part(cohort: Cohort, name: str, images: NDArray[np.bool_], samples: Samples) -> _Part:
    scored = cohort.scored.take(np.flatnonzero(images))
    drawn, kinds = figures_of(scored, cohort.threshold, samples[:, images]), kinds_of(scored)
    figures = with_intervals(drawn, kinds)
    group = Group(
        name=name,
        images=kinds["image"],
        lesions=len(set(np.array(cohort.lesions)[images].tolist())),
        malignant=kinds["malignant"],
        melanomas=kinds["melanoma"],
        figures=figures,
        undefined={
            figure: _reason(figure, kinds, scored.classes) for figure, found in figures.items() if found.value is None
        },
    )
    return _Part(group, kinds, drawn)


def _reason(figure: str, kinds: Mapping[str, int], classes: Sequence[str]) -> str:
    if figure == "melanoma_auc" and "mel" not in classes:
        return "the bundle has no class for melanoma"
    lacking = next(kind for kind in NEEDS[figure] if not kinds[kind])
    return f"{_LACKS[lacking]} in this group"


def _gaps(parts: Sequence[_Part]) -> dict[str, Gap]:
    compared = [part for part in parts if part.group.name not in _LAST]
    enough = {
        name: [part for part in compared if min(part.kinds[kind] for kind in needs) >= LEAST_IMAGES]
        for name, needs in NEEDS.items()
    }
    return {name: _gap(name, of) for name, of in enough.items() if len(of) > 1}


def _gap(name: str, parts: Sequence[_Part]) -> Gap:
    ordered = sorted(parts, key=lambda part: float(part.drawn[name][0]))
    lowest, highest = ordered[0], ordered[-1]
    n = lowest.group.figures[name].n + highest.group.figures[name].n
    difference = measured(highest.drawn[name] - lowest.drawn[name], n)
    return Gap(difference, highest.group.name, lowest.group.name)
