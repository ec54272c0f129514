"""Training of an ensemble: each member on each fold for out-of-fold predictions, then on the whole train part.

RUN/ensemble.json        the recipe, the split's hash and its folds
RUN/MEMBER/fold_0/       the run without fold 0; its checkpoints are deleted once its predictions are written
RUN/MEMBER/fold_0.csv    what that network says of fold 0
RUN/MEMBER/              the run on the whole train part, as any other: this network goes into the bundle
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback
from pydantic import ValidationError

import dermalens
from dermalens.core.errors import DataError, TrainingError
from dermalens.core.files import write_whole
from dermalens.train.checkpoint import BEST, LAST
from dermalens.train.datamodule import LesionData
from dermalens.train.ensemble_recipe import EnsembleRecipe
from dermalens.train.failures import plain_failures
from dermalens.train.left_out import predict_rows, write_out_of_fold
from dermalens.train.network import trained_network
from dermalens.train.notes import check_same_recipe, now, read_notes
from dermalens.train.recipe import Recipe
from dermalens.train.run import TrainingSummary, train

ENSEMBLE = "ensemble.json"

Watch = Callable[[str], Sequence[Callback]]
"""Gives the callbacks of a run whose title, such as "densenet121, fold 2 of 0 to 4", it is told."""


@dataclass(frozen=True, slots=True)
class EnsembleNotes:
    """`ensemble.json`, read back."""

    recipe: EnsembleRecipe
    split_sha256: str
    folds: tuple[int, ...]
    """Numbers of the folds that were left out in turn; none for a mean."""


def _unwatched(_: str) -> Sequence[Callback]:
    return ()


def train_ensemble(
    recipe: EnsembleRecipe, folder: Path, *, resume: bool = False, watch: Watch = _unwatched
) -> dict[str, TrainingSummary]:
    """Train all members in `folder`, one after the other; with `resume` what is finished is kept.

    Raises:
        TrainingError: the folder holds another run, or the machine gave out.
        DataError: images or labels that cannot be trained on; the split has no folds.
    """
    folds = _begin(recipe, folder, resume=resume)
    done = {}
    for name, member in recipe.members.items():
        for fold in folds:
            title = f"{name}, fold {fold} of {folds[0]} to {folds[-1]}"
            _predict_fold(member, fold, folder / name, watch(title))
        done[name] = _go_on(member, folder / name, watch(f"{name}, the whole train part"))
    return done


def fold_file(folder: Path, member: str, fold: int) -> Path:
    """Where the out-of-fold predictions of a member stand."""
    return folder / member / f"fold_{fold}.csv"


def _begin(recipe: EnsembleRecipe, folder: Path, *, resume: bool) -> tuple[int, ...]:
    """Check everything that can be checked before the first epoch, and write `ensemble.json`; gives the folds."""
    there = (folder / ENSEMBLE).is_file()
    if there and not resume:
        raise TrainingError(f"{folder} already holds an ensemble. Continue it with --resume or choose another --out.")
    if resume and not there:
        raise TrainingError(f"There is no ensemble in {folder} to resume. Start it without --resume.")
    data = [LesionData(member) for member in recipe.members.values()]
    folds = _folds(recipe, data[0])
    for fold in folds:
        LesionData(_without(data[0].recipe, fold))
    started = now()
    if there:
        started = _check_same(recipe, data[0].split_sha256, folder)
    _write_notes(recipe, data[0].split_sha256, folds, started, folder)
    return folds


def _folds(recipe: EnsembleRecipe, data: LesionData) -> tuple[int, ...]:
    if recipe.stack.combiner == "mean":
        return ()
    folds = tuple(sorted({row.fold for row in data.train_rows if row.fold is not None}))
    if len(folds) < 2:
        raise DataError(
            f"{data.recipe.data.split} has no folds, which a stack needs for its out-of-fold predictions: "
            'dermalens data split INDEX --folds 5 (the parts stay the same), or --set stack.combiner="mean".'
        )
    return folds


def _without(member: Recipe, fold: int) -> Recipe:
    return member.model_copy(update={"data": member.data.model_copy(update={"left_out": fold})})


def _check_same(recipe: EnsembleRecipe, split_sha256: str, folder: Path) -> str:
    """Refuse another recipe or split than that of `folder`; how members are joined may change. Gives its start."""
    former, started = read_ensemble(folder), str(_content(folder).get("started", ""))
    check_same_recipe(former.recipe.model_copy(update={"stack": recipe.stack}), recipe, folder)
    if former.split_sha256 != split_sha256:
        raise TrainingError(f"{folder} holds an ensemble on another split. Choose another --out.")
    return started


def _write_notes(recipe: EnsembleRecipe, split_sha256: str, folds: Sequence[int], started: str, folder: Path) -> None:
    content = {
        "recipe": recipe.model_dump(mode="json"),
        "code_version": dermalens.__version__,
        "split_sha256": split_sha256,
        "folds": list(folds),
        "started": started,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / ENSEMBLE, (json.dumps(content, indent=2) + "\n").encode())


def read_ensemble(folder: Path) -> EnsembleNotes:
    """What `ensemble.json` says.

    Raises:
        TrainingError: it is missing or damaged.
    """
    content = _content(folder)
    try:
        recipe = EnsembleRecipe.model_validate_json(json.dumps(content["recipe"]))
        return EnsembleNotes(recipe, str(content["split_sha256"]), tuple(content["folds"]))
    except (KeyError, TypeError, ValidationError) as error:
        raise TrainingError(f"{folder / ENSEMBLE} is not of this version. Choose another --out.") from error


def _content(folder: Path) -> Mapping[str, Any]:
    try:
        content = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{folder / ENSEMBLE} cannot be read: {error}. Choose another --out.") from error
    return content if isinstance(content, dict) else {}


def _go_on(recipe: Recipe, folder: Path, callbacks: Sequence[Callback]) -> TrainingSummary:
    """Train, or go on with what was begun."""
    return train(recipe, folder, resume=bool(read_notes(folder)), callbacks=callbacks)


def _predict_fold(member: Recipe, fold: int, folder: Path, callbacks: Sequence[Callback]) -> None:
    """Train without a fold, and write what the network says of it. The val part selects the epoch, not the fold."""
    recipe, run = _without(member, fold), folder / f"fold_{fold}"
    _go_on(recipe, run, callbacks)
    target = fold_file(folder.parent, folder.name, fold)
    if not target.is_file():
        with plain_failures(recipe, run):
            rows = LesionData(recipe).left_out_rows
            logits = predict_rows(trained_network(recipe, run / BEST), rows, recipe)
            write_out_of_fold(rows, logits, recipe.classes, target)
    for checkpoint in (BEST, LAST):
        (run / checkpoint).unlink(missing_ok=True)
