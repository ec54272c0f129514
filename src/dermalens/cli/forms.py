"""The three forms of the answers on standard output: JSON lines, CSV and, for people, a table.

Each function writes the rows as they come and gives back those without an answer.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable

import typer
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dermalens.cli.answers import Answered, Failed, Row, for_terminal
from dermalens.cli.lesion_words import lesion_sections
from dermalens.core.bundle import Manifest
from dermalens.core.decision import RECOMMENDATIONS, Verdict, describe
from dermalens.core.taxonomy import BINARY, DIAGNOSES, is_binary
from dermalens.predict.prediction import Prediction
from dermalens.predict.prevalence import Prevalence

HEADLINES: dict[Verdict, tuple[str, str]] = {
    "refer": ("REFER: show this lesion to a dermatologist", "bold red"),
    "reassure": ("REASSURE: no referral from this image alone", "bold green"),
    "abstain": ("ABSTAIN: this picture cannot be judged", "bold yellow"),
}
"""The decision in words, and its style; the word says it too, for those who see no colour."""

_SHOWN_CLASSES = 3
"""How many of the most probable classes the table lists."""


_LAST_COLUMNS = (
    "malignant_probability",
    "decision",
    "operating_point",
    "bundle_sha256",
    "heatmap",
    "reasons",
    "recommendation",
    "error",
    "lesion_image_score",
    "lesion_image_accepted",
    "outline_picture",
    "similar_malignant_share",
    "notes",
)
"""Of the CSV, after the classes."""


def write_json(rows: Iterable[Row], _: Manifest) -> list[Failed]:
    """One object a line, written as soon as it is known."""
    for_programs()
    failures = []
    for row in rows:
        if isinstance(row, Failed):
            failures.append(row)
            content: dict[str, object] = {"image": row.image, "error": row.error}
        else:
            files = {"heatmap": row.heatmap, "outline_picture": row.outline}
            content = row.prediction.as_dict() | {name: file for name, file in files.items() if file}
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return failures


def write_csv(rows: Iterable[Row], manifest: Manifest) -> list[Failed]:
    """A header and one row for each image; `error` is empty where there is an answer, the rest where there is none.

    The limits stand on standard error, once, so that they are not in every row.
    """
    for_programs()
    columns = ("image", "diagnosis", *manifest.classes, *_LAST_COLUMNS)
    writer = csv.DictWriter(sys.stdout, columns, restval="", lineterminator="\n")
    writer.writeheader()
    typer.echo(f"Limits: {' '.join(manifest.limits)}", err=True)
    failures = []
    for row in rows:
        if isinstance(row, Failed):
            failures.append(row)
            writer.writerow({"image": row.image, "error": row.error})
        else:
            writer.writerow(_flat(row))
        sys.stdout.flush()
    return failures


def for_programs() -> None:
    """UTF-8, whatever the terminal is set to."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def _flat(row: Answered) -> dict[str, object]:
    prediction = row.prediction
    gate, share = prediction.lesion_image, prediction.similar_malignant_share
    return {
        "image": prediction.image,
        "diagnosis": prediction.diagnosis,
        **prediction.probabilities,
        "malignant_probability": prediction.malignant_probability,
        "decision": prediction.decision,
        "operating_point": prediction.operating_point.name,
        "bundle_sha256": prediction.bundle.sha256,
        "heatmap": row.heatmap or "",
        "reasons": " ".join(prediction.reasons),
        "recommendation": prediction.recommendation,
        "lesion_image_score": gate.score if gate else "",
        "lesion_image_accepted": ("yes" if gate.accepted else "no") if gate else "",
        "outline_picture": row.outline or "",
        "similar_malignant_share": "" if share is None else share,
        "notes": " ".join(prediction.all_notes),
    }


def write_table(rows: Iterable[Row], manifest: Manifest) -> list[Failed]:
    """One image in full; several as one row each with a summary. The limits always stand at the end."""
    known = list(for_terminal(rows))
    failures = [row for row in known if isinstance(row, Failed)]
    if len(known) == len(failures) == 1:
        return failures
    console = Console(highlight=False)
    with console.capture() as captured:
        _print_table(console, known, manifest)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    return failures


def _print_table(console: Console, known: list[Row], manifest: Manifest) -> None:
    if len(known) == 1 and isinstance(known[0], Answered):
        console.print(_in_full(known[0]))
    else:
        console.print(_compact(known), _summary(known))
    console.print(section("Limits", manifest.limits), Text(f"Bundle: {manifest.name} {manifest.version}", "dim"))


def _in_full(row: Answered) -> Group:
    prediction = row.prediction
    parts = [Text(prediction.image, "bold"), Text(*HEADLINES[prediction.decision]), Text()]
    if prediction.is_shown_anyway and prediction.warning:
        parts += [Text(f"Shown anyway, as asked. {prediction.warning}", "bold yellow"), Text()]
    if prediction.is_shown:
        parts += [Text(f"Malignant probability {prediction.malignant_probability:.2f}"), *_two_class_line(prediction)]
    sections = [
        section("Why", prediction.reasons),
        section("Next step", (prediction.recommendation,)),
        *_population(prediction),
        *([section("About the picture", prediction.notes)] if prediction.notes else []),
        *([section("Heat map", (row.heatmap,))] if row.heatmap else []),
        *(section(title, sentences) for title, sentences in lesion_sections(prediction, row.outline)),
    ]
    classes = [_classes(prediction)] if prediction.is_shown else []
    return Group(*parts, *classes, Text(), *sections)


def _population(prediction: Prediction) -> list[Group]:
    """Prediction set and stated prevalence, where there are any."""
    sections, found, stated = [], prediction.prediction_set, prediction.prevalence
    if found is not None and prediction.is_shown:
        names = ", ".join(describe(code) for code in found.classes) or "none: unlike every class"
        sections.append(section(f"Classes it may be, at {100 * found.coverage:.0f} % coverage", (names,)))
    if stated is not None:
        sections.append(section(f"Where {100 * stated.malignant:g} % of the lesions are malignant", _values(stated)))
    return sections


def _values(stated: Prevalence) -> list[str]:
    """PPV and NPV in plain words."""
    shares = (("at or above the threshold", "malignant", stated.ppv), ("below it", "benign", stated.npv))
    return [
        f"Of 100 lesions {where}, {100 * value:.1f} are {what}." for where, what, value in shares if value is not None
    ]


def _two_class_line(prediction: Prediction) -> list[Text]:
    """What published apps print as "Skin Cancer Detected" or "No Skin Cancer", said with its limits."""
    if not is_binary(prediction.probabilities):
        return []
    shown = f"{prediction.probabilities[prediction.diagnosis]:.2f}"
    if prediction.diagnosis == BINARY[1]:
        return [Text(f"Looks malignant (probability {shown}): skin cancer is possible, not proven")]
    return [Text(f"Looks benign (probability {shown}): skin cancer is not ruled out")]


def _classes(prediction: Prediction) -> Table:
    """The most probable classes with names for readers without Latin."""
    table = Table(title="Most probable classes", box=None, show_header=False, title_justify="left", title_style="bold")
    ordered = sorted(prediction.probabilities.items(), key=lambda entry: -entry[1])
    for code, probability in ordered[:_SHOWN_CLASSES]:
        table.add_row(f"{probability:.2f}", code, both_names(code))
    return table


def both_names(code: str) -> str:
    """Clinical and lay name, such as "dermatofibroma: benign firm skin nodule"; the lay name alone if it has both."""
    if code not in DIAGNOSES:
        return ""
    name, lay_name = DIAGNOSES[code].name, DIAGNOSES[code].lay_name
    return lay_name if lay_name.startswith(name) else f"{name}: {lay_name}"


def section(title: str, sentences: Iterable[str]) -> Group:
    """A title and indented sentences."""
    lines = [Padding(Text(sentence), (0, 0, 0, 2)) for sentence in sentences]
    return Group(Text(title, "bold"), *lines, Text())


def answers_table(title: str) -> Table:
    """An empty table for `cells`, its first column called `title`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title, overflow="fold")
    table.add_column("Decision")
    table.add_column("Malignant", justify="right")
    table.add_column("Most probable class", overflow="fold")
    return table


def _compact(rows: list[Row]) -> Table:
    table = answers_table("Image")
    for row in rows:
        table.add_row(*cells(row))
    return table


def cells(row: Row) -> tuple[Text, ...]:
    """Of the table of several images: image, decision, malignant probability, most probable class or the reason."""
    if isinstance(row, Failed):
        return Text(row.image), Text("error", "bold red"), Text("-"), Text(row.error, "red")
    prediction = row.prediction
    decision = Text(prediction.decision, HEADLINES[prediction.decision][1])
    if not prediction.is_shown:
        return Text(prediction.image), decision, Text("-"), Text(" ".join((*prediction.reasons, *prediction.notes)))
    code = prediction.diagnosis
    lay_name = f", {DIAGNOSES[code].lay_name}" if code in DIAGNOSES else ""
    name = f"{code} {prediction.probabilities[code]:.2f}{lay_name}"
    if prediction.is_shown_anyway:
        name = f"no answer, shown anyway: {name}. {' '.join(prediction.reasons)}"
    elif prediction.notes:
        name = f"{name}. {' '.join(prediction.notes)}"
    return Text(prediction.image), decision, Text(f"{prediction.malignant_probability:.2f}"), Text(name)


def _summary(rows: list[Row]) -> Group:
    """How many of each decision, and the next step for each that occurs."""
    counts = Counter("error" if isinstance(row, Failed) else row.prediction.decision for row in rows)
    known: list[Verdict] = [verdict for verdict in RECOMMENDATIONS if counts[verdict]]
    shown = ", ".join(f"{counts[kind]} {kind}" for kind in (*known, "error") if counts[kind])
    steps = (f"{verdict}: {RECOMMENDATIONS[verdict]}" for verdict in known)
    return Group(Text(), Text(f"{len(rows)} images: {shown}", "bold"), Text(), section("Next steps", steps))
