"""The page of `results/systems.json`: every published system as it was trained here, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dermalens.core.bundle import Measured
from dermalens.evaluate.card import show

PUBLISHED: Final = (
    "70.79 % accuracy, malignant against benign",
    "75.8 % accuracy, AUC 0.957, macro F1 0.67, weighted F1 0.78",
    "87.4 % accuracy, F1 86.6 %, AUC 76.1 %",
)
"""What the projects state of themselves, in their words."""

_COLUMNS: Final = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "precision": "precision",
    "recall": "recall",
    "macro_auc": "macro AUC",
    "malignant_auc": "malignant AUC",
    "binary_accuracy": "accuracy, malignant against benign",
}

_NOTES: Final = """Each figure is that of the exported bundle on the test part, which nothing was trained or chosen on,
with its 95 % interval from a bootstrap over lesions. Precision and recall are means over the classes, so that recall is
the balanced accuracy under its other name; a precision is not defined where a class is never given. Macro AUC is one
class against the rest. Compare columns of systems with seven classes and with two only where both answer the same
question: malignant AUC, and accuracy of malignant against benign. Epochs, side and start weights are those of the run;
"3 of 20" is less than the recipe asks for: stopped early, or on a machine without a GPU (all settings in
`results/systems.json`). `default` is the packaged bundle: its epochs, seconds and start weights are those of the last
stage of each of its networks, which began with the weights of the stages before."""

_COMPARED: Final = """They cannot be compared with figures on this split: HAM10000 has 10,015 images of 7,470 lesions
(7,452 when those are merged that are known to be one), so that a split which divides images at random puts photographs
of one lesion into both training and test, and its figures count in part how well the lesions of the training were
remembered."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a recipe asks for; a run on a small machine may have had less."""

    side_pixels: int
    epochs: int


def systems_page(systems: Mapping[str, Mapping[str, Any]], budgets: Mapping[str, Budget]) -> str:
    """Markdown of the entries by name, with the budget of each recipe by its name."""
    return "\n".join(
        [
            "# The published systems, trained on one split",
            "",
            "Written by `make docs` from the runs that `python -m benchmarks.systems` measured.",
            "",
            *(_measured(systems, budgets) if systems else ["No system has been measured yet."]),
            "",
            "## What the projects state of themselves",
            "",
            *(f"- {statement}" for statement in PUBLISHED),
            "",
            _COMPARED,
            "",
            "## Make one of them",
            "",
            "    dermalens train recipes/NAME.toml && dermalens export runs/NAME",
            "",
            "`default` has [commands of its own](../how-to/default-model.md). The stack of `lesionlens` needs a split",
            "with folds: the same parts, and the same hash, as without them.",
            "",
            "    dermalens data split work/ham10000.csv --folds 5 --out work/folds.csv",
            "",
        ]
    )


def _measured(systems: Mapping[str, Mapping[str, Any]], budgets: Mapping[str, Budget]) -> list[str]:
    first = next(iter(systems.values()))
    where = f"{first['images']:,} images of {first['lesions']:,} lesions, split `{first['split_sha256'][:12]}`"
    return [
        "## How each was trained",
        "",
        "| system | classes | parameters | start weights | side | epochs | device | seconds |",
        "|---|---|---|---|---|---|---|---|",
        *(_making(name, system, budgets.get(system["recipe"])) for name, system in systems.items()),
        "",
        f"## On the test part: {where}",
        "",
        f"| system | {' | '.join(_COLUMNS.values())} |",
        f"|---|{'---|' * len(_COLUMNS)}",
        *(_figures(name, system) for name, system in systems.items()),
        "",
        _NOTES,
    ]


def _making(name: str, system: Mapping[str, Any], budget: Budget | None) -> str:
    parameters = f"{system['parameters']:,}" + (" (graph)" if system["parameters_from"] == "graph" else "")
    epochs = " + ".join(_of(network["epochs"], budget.epochs if budget else None) for network in system["networks"])
    seconds = "not known" if system["seconds"] is None else f"{system['seconds']:,.0f}"
    side = _of(system["side_pixels"], budget.side_pixels if budget else None)
    classes, device = len(system["classes"]), system["device"]
    return f"| {name} | {classes} | {parameters} | {system['weights']} | {side} | {epochs} | {device} | {seconds} |"


def _of(given: int | None, asked: int | None) -> str:
    """What a run had, set against what its recipe asks for where they differ: "3 of 20"."""
    return str(given) if asked in (None, given) else f"{given} of {asked}"


def _figures(name: str, system: Mapping[str, Any]) -> str:
    figures = {key: Measured.model_validate(value) for key, value in system["figures"].items()}
    return f"| {name} | {' | '.join(show(figures[key]) for key in _COLUMNS)} |"
