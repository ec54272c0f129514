"""All that an evaluation found, as a report shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dermalens.core.bundle import Measured
from dermalens.evaluate.card import FIGURE_NAMES
from dermalens.evaluate.evaluation_types import Evaluation, Paired
from dermalens.evaluate.faithfulness import Faithfulness, Inside
from dermalens.evaluate.robustness import Robustness
from dermalens.evaluate.subgroups import Subgroups


@dataclass(frozen=True, slots=True)
class Subject:
    """What was judged, and on which images."""

    name: str
    """Of the bundle with its version, or of the prediction file."""
    sha256: str
    """Of the bundle; "" for a prediction file."""
    images_from: str
    """The index or truth as it was given, and the part."""
    seen: str
    """What is known of whether these images were learned from."""
    command: str
    """What was typed."""
    split_sha256: str = ""
    """Of the split that the images are a part of; "" for an index without parts."""
    limits: tuple[str, ...] = ()
    """Of the bundle."""


@dataclass(frozen=True, slots=True)
class Against:
    """A second bundle on the same images."""

    name: str
    sha256: str
    paired: Paired
    """The first less the second."""


@dataclass(frozen=True, slots=True)
class Findings:
    """An evaluation with everything beside it; None for what was not asked for or cannot be had."""

    subject: Subject
    evaluation: Evaluation
    subgroups: Subgroups | None = None
    robustness: Robustness | None = None
    faithfulness: Faithfulness | None = None
    inside: Inside | None = None
    """Where the heat lies against the outline of the lesion."""
    against: Against | None = None
    history: Mapping[str, Sequence[float]] | None = None
    """The log of the run, column by column."""
    galleries: Mapping[str, bytes] = field(default_factory=dict)
    """JPEG by title."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each step took."""


def bundle_figures(evaluation: Evaluation) -> dict[str, Measured]:
    """The figures that a bundle carries of its evaluation: those of `FIGURE_NAMES`, then each class's sensitivity."""
    return {name: evaluation.overall[name] for name in FIGURE_NAMES} | {
        f"sensitivity_{code}": figures["sensitivity"] for code, figures in evaluation.per_class.items()
    }
