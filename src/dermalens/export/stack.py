"""Several runs to one bundle: an ensemble with its stacked regression, or the mean of runs that were trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dermalens.core.bundle import Combiner
from dermalens.core.bundlefile import Bundle
from dermalens.core.errors import ExportError, TrainingError, name_some
from dermalens.evaluate.stacking import fit_logistic
from dermalens.export.finished import Run, read_run
from dermalens.export.run import ExportOptions, Joined, export_members
from dermalens.train.ensemble import ENSEMBLE, EnsembleNotes, fold_file, read_ensemble
from dermalens.train.left_out import OutOfFold, read_out_of_fold


def is_ensemble(folder: Path) -> bool:
    """Whether the folder is that of a trained ensemble, not of a single run."""
    return (folder / ENSEMBLE).is_file()


def export_ensemble(folder: Path, target: Path, options: ExportOptions) -> tuple[Bundle, dict[str, float]]:
    """Write the bundle of an ensemble; returns it and the parity difference of each member.

    The regression is fitted on the out-of-fold predictions of the train part, the calibration on the val part.

    Raises:
        ExportError: a member is not trained, members do not fit together, or another side than that of the
            regression; then nothing is written.
        TrainingError: the out-of-fold predictions are not complete.
        DataError: the split cannot be read or is not the one of the members.
    """
    notes = read_ensemble(folder)
    _check_side(notes, options.side_pixels, folder)
    runs = {name: read_run(folder / name) for name in notes.recipe.members}
    check_alike(runs, sides_may_differ=options.side_pixels is not None)
    joined = Joined(_combiner(folder, notes), notes.recipe.name, notes.recipe.name)
    return export_members(runs, joined, target, options)


def _check_side(notes: EnsembleNotes, side_pixels: int | None, folder: Path) -> None:
    """Refuse a side at which the regression was not fitted."""
    fitted_at = next(iter(notes.recipe.members.values())).preprocess.side_pixels
    if notes.recipe.stack.combiner == "logistic" and side_pixels not in (None, fitted_at):
        raise ExportError(
            f"--side {side_pixels} given; the regression of {folder} is fitted on logits at {fitted_at} pixels and "
            f"holds for these only. Leave --side out, or name the members' folders: their mean takes any side."
        )


def export_mean(folders: Sequence[Path], target: Path, options: ExportOptions) -> tuple[Bundle, dict[str, float]]:
    """Write one bundle with the mean of the logits of several runs; returns it and each parity difference.

    Raises:
        ExportError: a folder without a run, or runs that do not fit together; then nothing is written.
        DataError: the split cannot be read or is not the one of the runs.
    """
    runs = _named([read_run(folder) for folder in folders])
    check_alike(runs, sides_may_differ=options.side_pixels is not None)
    recipe = " + ".join(dict.fromkeys(run.recipe.name for run in runs.values()))
    return export_members(runs, Joined("mean", "_and_".join(runs), recipe), target, options)


def _named(runs: Sequence[Run]) -> dict[str, Run]:
    """Runs by the name of their recipe; a second one of the same name is NAME_2, or the next that is free."""
    named: dict[str, Run] = {}
    for run in runs:
        names = (run.recipe.name, *(f"{run.recipe.name}_{number}" for number in range(2, len(runs) + 2)))
        named[next(name for name in names if name not in named)] = run
    return named


def check_alike(runs: Mapping[str, Run], *, sides_may_differ: bool = False) -> None:
    """Refuse runs whose classes, order of classes, split or preprocessing differ from those of the first.

    Raises:
        ExportError: names the runs and what each has.
    """
    first_name, first = next(iter(runs.items()))
    needed = _traits(first, sides_may_differ)
    wrong = [
        f"{name} has {what} {given}, {first_name} {needed[what]}"
        for name, run in runs.items()
        for what, given in _traits(run, sides_may_differ).items()
        if given != needed[what]
    ]
    if wrong:
        raise ExportError(
            f"These runs cannot be one bundle: {name_some(wrong)}. Needed are the same classes in the same order, the "
            "same split and the same preprocessing (--side sets one side for all)."
        )


def _traits(run: Run, sides_may_differ: bool) -> dict[str, str]:
    recipe = run.recipe
    spec = recipe.preprocess.model_dump(exclude={"side_pixels"} if sides_may_differ else set())
    return {
        "the classes": " ".join(recipe.classes),
        "the split": str(run.notes.get("split_sha256"))[:12],
        "the held-out part": _held_out(run),
        "the preprocessing": " ".join(f"{key}={value}" for key, value in spec.items()),
    }


def _held_out(run: Run) -> str:
    """Where images were held out of the training; the folds of a split can be drawn anew while its parts stay."""
    fold = run.recipe.data.fold
    return "val" if fold is None else f"fold {fold} of the folds {str(run.notes.get('folds_sha256'))[:12]}"


def _combiner(folder: Path, notes: EnsembleNotes) -> Combiner:
    stack, members = notes.recipe.stack, notes.recipe.members
    if stack.combiner == "mean":
        return "mean"
    classes = next(iter(members.values())).classes
    tables = {
        name: read_out_of_fold([fold_file(folder, name, fold) for fold in notes.folds], classes) for name in members
    }
    first = next(iter(tables.values()))
    _check_same_images(tables)
    labels = np.array([classes.index(label) for label in first.labels])
    return fit_logistic(np.stack([table.logits for table in tables.values()]), labels, penalty=stack.penalty)


def _check_same_images(tables: Mapping[str, OutOfFold]) -> None:
    first_name, first = next(iter(tables.items()))
    others = [
        name for name, table in tables.items() if (table.image_ids, table.labels) != (first.image_ids, first.labels)
    ]
    if others:
        raise TrainingError(
            f"The out-of-fold predictions of {name_some(others)} are of other images than those of {first_name}. "
            "Train the ensemble anew."
        )
