"""Training of an ensemble: each member on each fold for out-of-fold predictions, then on the whole train part.

RUN/ensemble.json        the recipe, the split's hash and its folds
RUN/MEMBER/fold_0/       the run without fold 0; its checkpoints are deleted once its predictions are written
RUN/MEMBER/fold_0.csv    what that network says of fold 0
RUN/MEMBER/              the run on the whole train part, as any other: this network goes into the bundle
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback
from pydantic import ValidationError

import dermalens
from dermalens.core.errors import (
    DataError,
    DermaLensError,
    MissingExtraError,
    RecipeError,
    TrainingError,
    name_some,
)
from dermalens.core.files import write_whole
from dermalens.data.split import Split, read_split
from dermalens.models.weights import is_of_run, weights_file
from dermalens.train.checkpoint import BEST, LAST
from dermalens.train.datamodule import LesionData
from dermalens.train.ensemble_recipe import EnsembleRecipe
from dermalens.train.failures import check_machine, plain_failures
from dermalens.train.forerunners import check_forerunners
from dermalens.train.freezing import freeze
from dermalens.train.left_out import predict_rows, write_out_of_fold
from dermalens.train.network import build_network, check_sides, trained_network
from dermalens.train.notes import check_same_recipe, now, read_notes
from dermalens.train.recipe import Recipe
from dermalens.train.run import TrainingSummary, train

ENSEMBLE = "ensemble.json"

_OWN_KEY = re.compile(r"(?<![\w/.])(?=(?:augment|model|optimizer|teacher|trainer)\.[a-z_]+\b|data\.workers\b)")
"""Before a key of a recipe in a message."""

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
        RecipeError: a network that cannot be built, or start weights that may know what a stack leaves out.
    """
    folds = _begin(recipe, folder, resume=resume)
    done = {}
    for name, member in recipe.members.items():
        for fold in folds:
            title = f"{name}, fold {fold} of {folds[0]} to {folds[-1]}"
            callbacks = watch(title)
            with _of_member(name):
                _predict_fold(member, fold, folder / name, callbacks)
        callbacks = watch(f"{name}, the whole train part")
        with _of_member(name):
            done[name] = _go_on(member, folder / name, callbacks)
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
    source = next(iter(recipe.members.values())).data.split
    split = read_split(Path(source))
    folds = _folds(recipe, split, source)
    _check_data(recipe, folds)
    started = _check_same(recipe, split.sha256, folder) if there else now()
    for name in recipe.members:
        if not _is_complete(folder, name, folds):
            with _of_member(name):
                _check_network(recipe, name)
    with plain_failures(None, folder):
        _write_notes(recipe, split.sha256, folds, started, folder)
    return folds


def _check_data(recipe: EnsembleRecipe, folds: Sequence[int]) -> None:
    """The images of every run; members share all of them but those of `data.extra`."""
    for member in {tuple(member.data.extra): member for member in recipe.members.values()}.values():
        LesionData(member)
        for fold in folds:
            LesionData(_without(member, fold))


def _check_network(recipe: EnsembleRecipe, name: str) -> None:
    """Build the network of a member and drop it; refuse weights and teachers that may have learned a fold left out."""
    member = recipe.members[name]
    check_machine(member)
    if recipe.stack.combiner == "logistic" and member.teacher.runs:
        raise RecipeError(
            f"teacher.runs {name_some(member.teacher.runs)} may have learned the lesions that a stack leaves out. "
            'Set teacher.runs=[], or --set stack.combiner="mean".'
        )
    file = weights_file(member.model.weights)
    if recipe.stack.combiner == "logistic" and file and is_of_run(file):
        raise RecipeError(
            f"model.weights {file} comes from a run of DermaLens, which may have learned the lesions that a stack "
            'leaves out. Use "timm", "package", "none" or weights from other images, or --set stack.combiner="mean".'
        )
    if file or member.teacher.runs:
        check_forerunners(member, LesionData(member))
    network = build_network(member)
    freeze(network, frozen=member.model.frozen, head_only=False)
    check_sides(network, member)


@contextmanager
def _of_member(name: str) -> Iterator[None]:
    """Name the member in what is raised, and the keys in it as those of the member."""
    try:
        yield
    except MissingExtraError:
        raise
    except DermaLensError as error:
        raise type(error)(f"Member {name}: {_OWN_KEY.sub(f'members.{name}.', str(error))}") from error


def _folds(recipe: EnsembleRecipe, split: Split, source: str) -> tuple[int, ...]:
    """Folds of the train part of the split; those that an index of `data.extra` numbers are not meant."""
    if recipe.stack.combiner == "mean":
        return ()
    folds = tuple(sorted({row.fold for row in split.part("train") if row.fold is not None}))
    if len(folds) < 2:
        raise DataError(
            f"{source} has no folds, which a stack needs for its out-of-fold predictions: "
            'dermalens data split INDEX --folds 5 (the parts stay the same), or --set stack.combiner="mean".'
        )
    return folds


def _without(member: Recipe, fold: int) -> Recipe:
    return member.model_copy(update={"data": member.data.model_copy(update={"left_out": fold})})


def _check_same(recipe: EnsembleRecipe, split_sha256: str, folder: Path) -> str:
    """Refuse another split than that of `folder`, or another recipe of a member that has begun. Gives its start.

    How members are joined may change.
    """
    former, started = read_ensemble(folder), str(_content(folder).get("started", ""))
    begun = [
        name
        for name in former.recipe.members
        if any(_has_begun(run) for run in (folder / name, *(folder / name).glob("fold_*/")))
    ]
    check_same_recipe(_only(former.recipe, begun), _only(recipe, begun), folder)
    if former.split_sha256 != split_sha256:
        raise TrainingError(f"{folder} holds an ensemble on another split. Choose another --out.")
    return started


def _only(recipe: EnsembleRecipe, names: Sequence[str]) -> EnsembleRecipe:
    members = {name: member for name, member in recipe.members.items() if name in names}
    return EnsembleRecipe.model_construct(members=members)


def _has_begun(run: Path) -> bool:
    """Whether a run has learned something: it has a checkpoint to go on from, or is finished."""
    return (run / LAST).is_file() or "training" in read_notes(run)


def _is_complete(folder: Path, member: str, folds: Sequence[int]) -> bool:
    tables = [fold_file(folder, member, fold) for fold in folds]
    return "training" in read_notes(folder / member) and all(table.is_file() for table in tables)


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
    return train(recipe, folder, resume=_has_begun(folder), callbacks=callbacks)


def _predict_fold(member: Recipe, fold: int, folder: Path, callbacks: Sequence[Callback]) -> None:
    """Train without a fold, and write what the network says of it. The val part selects the epoch, not the fold.

    A run whose predictions and best checkpoint are both gone starts over.
    """
    recipe, run = _without(member, fold), folder / f"fold_{fold}"
    target = fold_file(folder.parent, folder.name, fold)
    if _has_begun(run) and not target.is_file() and not (run / BEST).is_file():
        shutil.rmtree(run)
    _go_on(recipe, run, callbacks)
    if not target.is_file():
        with plain_failures(recipe, run):
            rows = LesionData(recipe).left_out_rows
            logits = predict_rows(trained_network(recipe, run / BEST), rows, recipe)
            write_out_of_fold(rows, logits, recipe.classes, target)
    for checkpoint in (BEST, LAST):
        (run / checkpoint).unlink(missing_ok=True)
