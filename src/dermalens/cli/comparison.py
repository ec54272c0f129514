"""The answers of several bundles for the same images, and their three forms on standard output."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dermalens.cli.answers import Answered, Failed, Request, Row, answers, for_terminal
from dermalens.cli.forms import answers_table, cells, for_programs, section
from dermalens.core.errors import DermaLensError, name_some
from dermalens.core.files import visible
from dermalens.core.taxonomy import malignant_of
from dermalens.predict.classifier import Classifier, load
from dermalens.predict.prediction import Prediction

PACKAGED: Final = "packaged"
"""What stands for the bundle of the package on the command line."""

Classifiers = Mapping[str, Classifier]
"""By the title of each bundle, in the order of the command line."""

_ANSWER: Final = ("diagnosis", "probability", "malignant_probability", "decision")
"""The columns of the CSV for each bundle, after its title."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One image with the row of each bundle, by title."""

    image: str
    rows: Mapping[str, Row]

    @property
    def predictions(self) -> dict[str, Prediction]:
        """Of the bundles that have an answer."""
        return {title: row.prediction for title, row in self.rows.items() if isinstance(row, Answered)}

    @property
    def failure(self) -> Failed | None:
        """Why a bundle has no answer; the image is to blame, so that one stands for all."""
        return next((row for row in self.rows.values() if isinstance(row, Failed)), None)

    @property
    def differ(self) -> tuple[str, ...]:
        """In what at least two bundles differ: `decision`, `diagnosis`, both or nothing."""
        pairs = list(combinations(self.predictions.values(), 2))
        decision = any(first.decision != second.decision for first, second in pairs)
        named = {"decision": decision, "diagnosis": any(_differs(first, second) for first, second in pairs)}
        return tuple(name for name, differs in named.items() if differs)


def _differs(first: Prediction, second: Prediction) -> bool:
    """Whether the most probable classes differ; of bundles with other classes, whether one of them is malignant."""
    if "abstain" in (first.decision, second.decision):
        return False
    if set(first.probabilities) == set(second.probabilities):
        return first.diagnosis != second.diagnosis
    return bool(malignant_of((first.diagnosis,))) != bool(malignant_of((second.diagnosis,)))


def load_named(bundles: Sequence[str]) -> dict[str, Classifier]:
    """Load two bundles or more; each is titled by its name, and those that share a name by their paths.

    Where a path is the name of another bundle, all are titled by their paths.

    Raises:
        DermaLensError: fewer than two, or one of them twice, under whatever path.
        BundleError: a folder is not a bundle.
    """
    if len(bundles) < 2:
        raise DermaLensError(
            f"One bundle was given ({bundles[0]}); a comparison needs two or more. For one: dermalens predict"
        )
    loaded = [open_bundle(bundle) for bundle in bundles]
    given = Counter(classifier.bundle.sha256 for classifier in loaded)
    twice = [bundle for bundle, one in zip(bundles, loaded, strict=True) if given[one.bundle.sha256] > 1]
    if twice:
        raise DermaLensError(f"Bundles were given twice: {name_some(twice)} (same SHA-256). Name each once.")
    names = [classifier.manifest.name for classifier in loaded]
    titles = [name if names.count(name) == 1 else bundle for name, bundle in zip(names, bundles, strict=True)]
    return dict(zip(bundles if len(set(titles)) < len(titles) else titles, loaded, strict=True))


def folder_of(bundle: str) -> Path | None:
    """The folder of a bundle as it is named on the command line; None for the one of the package."""
    return None if bundle == PACKAGED else Path(bundle)


def open_bundle(name: str) -> Classifier:
    """Load what the command line names: a folder, or `packaged`.

    Raises:
        BundleError: the folder is not a bundle.
    """
    return load(folder_of(name))


def compared(classifiers: Classifiers, images: Sequence[str]) -> Iterator[Compared]:
    """A row for every image, in order, each worked out when it is asked for."""
    request = Request(images, operating_point=None, heatmap_folder=None)
    for rows in zip(*(answers(classifier, request) for classifier in classifiers.values()), strict=True):
        yield Compared(rows[0].image, dict(zip(classifiers, rows, strict=True)))


def write_json(rows: Iterable[Compared], _: Classifiers) -> list[Failed]:
    """One object a line: the image, in what the bundles differ, and the answer of each as `predict --json` has it."""
    for_programs()
    failures = []
    for row in rows:
        if row.failure:
            failures.append(row.failure)
            content: dict[str, object] = {"image": row.image, "error": row.failure.error}
        else:
            found = {title: prediction.as_dict() for title, prediction in row.predictions.items()}
            content = {"image": row.image, "differ": list(row.differ), "answers": found}
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return failures


def write_csv(rows: Iterable[Compared], classifiers: Classifiers) -> list[Failed]:
    """A header and one row for each image, with four columns for each bundle; the limits go to standard error."""
    for_programs()
    columns = [f"{title}_{name}" for title in classifiers for name in _ANSWER]
    writer = csv.DictWriter(sys.stdout, ["image", "differ", *columns, "error"], restval="", lineterminator="\n")
    writer.writeheader()
    typer.echo(f"Limits: {' '.join(_limits(classifiers))}", err=True)
    failures = []
    for row in rows:
        if row.failure:
            failures.append(row.failure)
            writer.writerow({"image": row.image, "error": row.failure.error})
        else:
            writer.writerow({"image": row.image, "differ": " ".join(row.differ), **_flat(row)})
        sys.stdout.flush()
    return failures


def _flat(row: Compared) -> dict[str, object]:
    def values(found: Prediction) -> tuple[object, ...]:
        return found.diagnosis, found.probabilities[found.diagnosis], found.malignant_probability, found.decision

    return {
        f"{title}_{name}": value
        for title, prediction in row.predictions.items()
        for name, value in zip(_ANSWER, values(prediction), strict=True)
    }


def write_table(rows: Iterable[Compared], classifiers: Classifiers) -> list[Failed]:
    """For each image a line with its name and in what the bundles differ, then a line for each bundle."""
    known = [
        Compared(visible(row.image), dict(zip(row.rows, for_terminal(row.rows.values()), strict=True))) for row in rows
    ]
    failures = [row.failure for row in known if row.failure]
    if len(known) == len(failures) == 1:
        return failures
    console = Console(highlight=False)
    with console.capture() as captured:
        for part in (_table(known), Text(), Text(_summary(known), "bold"), Text()):
            console.print(part)
        console.print(section("Limits", _limits(classifiers)))
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    return failures


def _table(rows: Sequence[Compared]) -> Table:
    table = answers_table("Image / bundle")
    for row in rows:
        if row.failure:
            table.add_row(*cells(row.failure))
            continue
        mark = Text(f"differ: {', '.join(row.differ)}", "bold magenta") if row.differ else Text()
        table.add_row(Text(row.image), Text(), Text(), mark)
        for title, answered in row.rows.items():
            table.add_row(Text(f"  {title}"), *cells(answered)[1:])
    return table


def _summary(rows: Sequence[Compared]) -> str:
    """How many images the bundles agree on, in what they differ, and how many have no answer."""
    counts = Counter(name for row in rows for name in row.differ)
    errors = sum(row.failure is not None for row in rows)
    agreed = sum(not row.differ for row in rows) - errors
    parts = [f"the bundles agree on {agreed}"]
    parts += [f"differ in the {name} on {counts[name]}" for name in ("decision", "diagnosis") if counts[name]]
    parts += [f"{errors} without an answer"] if errors else []
    return f"{len(rows)} image{'s' if len(rows) > 1 else ''}: {', '.join(parts)}"


def _limits(classifiers: Classifiers) -> list[str]:
    """The limits of all bundles, each sentence once."""
    return list(dict.fromkeys(limit for classifier in classifiers.values() for limit in classifier.manifest.limits))
