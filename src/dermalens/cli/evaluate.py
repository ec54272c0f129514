"""`dermalens evaluate`: judge a bundle on labelled images and write a folder of results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

Bundle = Annotated[str, typer.Argument(metavar="BUNDLE", help="Bundle folder; packaged is the one of the package.")]
Index = Annotated[Path, typer.Argument(metavar="INDEX", help="Index or split of labelled images.")]
Part = Annotated[str, typer.Option(help="train, val, test, or all for an index without parts.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for report, figures and predictions.")]
Against = Annotated[
    str | None,
    typer.Option(metavar="OTHER", help="A second bundle, or packaged, on the same images: paired differences."),
]
Prevalence = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Malignant share for PPV, NPV and net benefit, such as 0.03.")
]
Draws = Annotated[int, typer.Option(min=1, help="Bootstrap draws of lesions behind each interval.")]
Run = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The folder of the training run, for its learning curves.")
]
Robustness = Annotated[bool, typer.Option("--robustness", help="Corrupted and perturbed images too; takes minutes.")]
Faithfulness = Annotated[bool, typer.Option("--faithfulness", help="Tests of the heat maps too; takes minutes.")]
HeatOnly = Annotated[
    bool, typer.Option("--heat-only", help="Galleries without the photographs, to be shown where those may not be.")
]
AllowSeen = Annotated[bool, typer.Option("--allow-seen", help="Judge images too that the bundle has learned from.")]
Record = Annotated[bool, typer.Option("--record", help="Write the figures into the bundle (test part only).")]
AsJson = Annotated[bool, typer.Option("--json", help="The main figures as JSON.")]


def evaluate(  # noqa: PLR0913  (each is an option of the command)
    context: typer.Context,
    bundle: Bundle,
    index: Index,
    part: Part = "test",
    out: Out = Path("evaluation"),
    against: Against = None,
    prevalence: Prevalence = None,
    draws: Draws = 1000,
    run: Run = None,
    robustness: Robustness = False,
    faithfulness: Faithfulness = False,
    heat_only: HeatOnly = False,
    allow_seen: AllowSeen = False,
    record: Record = False,
    as_json: AsJson = False,
) -> None:
    """Judge the exported bundle: each figure with its 95 % interval from a bootstrap over lesions.

    Writes report.html, report.json, figures, heat maps and predictions into one folder. For research and education;
    not a medical device.
    """
    from dermalens.cli.comparison import folder_of
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting
    from dermalens.cli.summary import print_summary, typed

    with needing("eval", "Evaluation"):
        from dermalens.evaluate.findings_beside import Asked
        from dermalens.evaluate.run import Order, run_evaluation
        from dermalens.predict.classifier import DEFAULT_BUNDLE

    asked = Asked(draws=draws, prevalence=prevalence, run=run, heat_only=heat_only)
    asked = replace(asked, robustness=robustness, faithfulness=faithfulness)
    other = None if against is None else folder_of(against) or DEFAULT_BUNDLE
    given = (folder_of(bundle), index, out, typed(context), part, other, asked)
    findings = run_evaluation(Order(*given, allow_seen=allow_seen, record=record), counting)
    print_summary(findings, as_json=as_json)
    typer.echo(f"report: {out / 'report.html'}", err=True)
