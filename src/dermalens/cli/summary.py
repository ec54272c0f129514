"""What `evaluate` and `score` say on standard output: the main figures as lines or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dermalens.core.bundle import Measured
from dermalens.evaluate.report_names import as_given, figure_words, p_words, plain_words, show

if TYPE_CHECKING:  # these need the extra `eval`
    from dermalens.evaluate.findings import Against, Findings


def typed(context: typer.Context) -> str:
    """The command with what was given to it; a path from the root of this machine by its name alone."""
    words = ["dermalens", str(context.info_name)]
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[str(parameter.name)]
        words += [] if parameter.param_type_name == "argument" else [parameter.opts[0]]
        words += [] if value is True else [as_given(Path(value)) if isinstance(value, str | Path) else str(value)]
    return " ".join(words)


def print_summary(findings: Findings, *, as_json: bool) -> None:
    """The main figures on standard output; what cannot be said goes to standard error in both forms."""
    from dermalens.evaluate.findings import bundle_figures
    from dermalens.evaluate.report_sections import warnings

    evaluation = findings.evaluation
    figures = bundle_figures(evaluation)
    for warning in warnings(evaluation):
        typer.echo(warning, err=True)
    if as_json:
        typer.echo(json.dumps({name: figure.model_dump() for name, figure in figures.items()}, indent=2))
        return
    typer.echo(f"{evaluation.images} images of {evaluation.lesions} lesions, {findings.subject.images_from}")
    _print_figures(figures)
    for name, point in evaluation.operating_points.items():
        typer.echo(f"{plain_words(name)}, threshold {point.threshold:.4f}")
        _print_figures(point.figures)
        for figure, value in point.at_prevalence.items():
            typer.echo(f"  {figure_words(figure)} at a prevalence of {evaluation.settings.prevalence:g}: {show(value)}")
    if findings.against:
        _print_against(findings.against, findings.subject.name)


def _print_figures(figures: Mapping[str, Measured]) -> None:
    for name, figure in figures.items():
        typer.echo(f"  {figure_words(name)}: {show(figure)}, n = {figure.n}")


def _print_against(against: Against, name: str) -> None:
    from dermalens.evaluate.report_beside import compared_rows

    typer.echo(f"{name} less {against.name}")
    for words, difference, n in compared_rows(against):
        typer.echo(f"  {words}: {difference}, n = {n}")
    tests = {
        "most probable class": against.paired.most_probable_class,
        "malignant or benign": against.paired.malignant_or_benign,
    }
    for words, test in tests.items():
        if test:
            typer.echo(
                f"  McNemar, {words}: only {name} right in {test.first_only}, only {against.name} in "
                f"{test.second_only} of {test.images}; mid-p {p_words(test.mid_p)}"
            )
