"""What a model card takes from the report of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from dermalens.core.bundle import Measured
from dermalens.core.decision import describe
from dermalens.core.errors import DataError
from dermalens.evaluate.document import Block, Section, Table
from dermalens.evaluate.report_json import read_report
from dermalens.evaluate.report_names import figure_words, plain_words, short_words, show

_OF_CLASS: Final = ("sensitivity", "specificity", "precision", "f1", "auc")
_OF_POINT: Final = ("sensitivity", "specificity", "ppv", "npv")
_CALIBRATION: Final = ("expected_calibration_error", "brier_score", "negative_log_likelihood")

Figures = dict[str, Measured]


@dataclass(frozen=True, slots=True)
class Judged:
    """The figures of a report that a card shows."""

    images_from: str
    seen: str
    command: str
    per_class: dict[str, Figures]
    """By class."""
    before: Figures
    """Calibration figures before calibration; empty where they are not known."""
    after: Figures
    points: dict[str, Figures]
    """By operating point."""
    gaps: tuple[tuple[str, str, Measured, str, str], ...]
    """Dimension, figure, difference, highest and lowest group."""
    notes: tuple[str, ...]
    mean_loss: Measured | None
    """Of balanced accuracy under corruptions."""
    losses: Figures
    """The same by family of corruption; empty where it is not known."""
    heat: Figures
    """Of the heat maps."""


def read_judged(path: Path, sha256: str) -> Judged:
    """What a `report.json` says of the bundle with `sha256`.

    Raises:
        DataError: not a report, or that of another bundle.
    """
    content = read_report(path)
    try:
        found = content["subject"]["sha256"]
        judged = _judged(content)
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise DataError(
            f"{path} is not a complete report ({type(error).__name__}: {error}). Write it again: "
            "dermalens evaluate BUNDLE INDEX"
        ) from error
    if found != sha256:
        raise DataError(
            f"{path} is the report of another bundle ({found[:12] or 'a prediction file'}; this one is {sha256[:12]}). "
            "Judge this one: dermalens evaluate BUNDLE INDEX"
        )
    return judged


def _judged(content: Mapping[str, Any]) -> Judged:
    subject, evaluation = content["subject"], content["evaluation"]
    groups, changed = content["subgroups"] or {}, content["robustness"]
    heat = {**(content["faithfulness"] or {}), **(content["inside"] or {})}
    before = evaluation["uncalibrated"]
    return Judged(
        images_from=subject["images_from"],
        seen=subject["seen"],
        command=subject["command"],
        per_class={code: _figures(of) for code, of in evaluation["per_class"].items()},
        before=_figures(before["figures"]) if before else {},
        after=_figures(evaluation["calibration"]["figures"]),
        points={name: _figures(point["figures"]) for name, point in evaluation["operating_points"].items()},
        gaps=tuple(
            (dimension, name, Measured.model_validate(gap["difference"]), gap["highest"], gap["lowest"])
            for dimension, of in groups.get("gaps", {}).items()
            for name, gap in of.items()
        ),
        notes=tuple(groups.get("notes", {}).values()),
        mean_loss=Measured.model_validate(changed["mean_loss"]) if changed else None,
        losses=_figures(changed["loss"]) if changed else {},
        heat=_figures({name: heat[name] for name in _HEAT if name in heat}),
    )


def _figures(content: Mapping[str, Any]) -> Figures:
    return {name: Measured.model_validate(value) for name, value in content.items()}


def report_sections(judged: Judged) -> tuple[Section, ...]:
    """The sections that need a report."""
    sections = [Section("Each class", _classes(judged)), Section("Calibration", (_calibration(judged),))]
    if judged.points:
        sections.append(Section("Decisions on the images judged", (_points(judged),)))
    if judged.gaps:
        sections.append(Section("Gaps between groups", _gaps(judged)))
    if judged.mean_loss or judged.heat:
        sections.append(Section("Bad pictures and heat maps", _beside(judged)))
    return tuple(sections)


def _classes(judged: Judged) -> tuple[Block, ...]:
    rows = tuple(
        (describe(code), *(show(figures[name]) for name in _OF_CLASS)) for code, figures in judged.per_class.items()
    )
    words = f"On {judged.images_from}. {judged.seen}"
    return words, Table("Against the rest (95 % interval)", ("class", *map(figure_words, _OF_CLASS)), rows)


def _calibration(judged: Judged) -> Table:
    rows = tuple(
        (figure_words(name), *([show(judged.before[name])] if judged.before else []), show(judged.after[name]))
        for name in _CALIBRATION
        if name in judged.after
    )
    head = ("figure", *(["before"] if judged.before else []), "after calibration")
    return Table("Lower is better (95 % interval)", head, rows)


def _points(judged: Judged) -> Table:
    rows = tuple((plain_words(name), *(show(of[figure]) for figure in _OF_POINT)) for name, of in judged.points.items())
    return Table("Operating points (95 % interval)", ("operating point", *map(figure_words, _OF_POINT)), rows)


def _gaps(judged: Judged) -> tuple[Block, ...]:
    rows = tuple(
        (plain_words(dimension), short_words(name), show(difference), highest, lowest)
        for dimension, name, difference, highest, lowest in judged.gaps
    )
    words = "The largest difference between two groups with enough images (95 % interval)"
    return Table(words, ("by", "figure", "gap", "highest", "lowest"), rows), *judged.notes


_HEAT: Final = {
    "deletion_gain": "Deletion: random map less heat map",
    "insertion_gain": "Insertion: heat map less random map",
    "mass": "Share of the heat inside the outline of the lesion",
    "lesion_share": "Share of the square that is lesion",
}


def _beside(judged: Judged) -> tuple[Block, ...]:
    losses = {"Mean loss of balanced accuracy under corruptions": judged.mean_loss}
    figures = {words: figure for words, figure in losses.items() if figure}
    figures |= {f"Loss under {plain_words(family)}": figure for family, figure in judged.losses.items()}
    figures |= {_HEAT[name]: figure for name, figure in judged.heat.items()}
    rows = tuple((words, show(figure), str(figure.n)) for words, figure in figures.items())
    table = Table("", ("figure", "value (95 % interval)", "n"), rows)
    return (_TRAINED_ON, table) if judged.losses else (table,)


_TRAINED_ON: Final = (
    "Corruptions are those of DermaLens in five severities, the mean of all five. A model whose training changed its "
    "images in a like way, as the recipe says, is not surprised by such a picture: its losses say less of changes that "
    "it has never seen."
)
