"""A finished training run, read back: recipe, notes and the network of its best epoch."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dermalens.core.errors import TrainingError
from dermalens.models.heads import LesionClassifier
from dermalens.train.checkpoint import BEST
from dermalens.train.network import trained_network
from dermalens.train.notes import NOTES, read_notes
from dermalens.train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, read back."""

    folder: Path
    recipe: Recipe
    notes: Mapping[str, Any]
    classifier: LesionClassifier


def read_finished(folder: Path) -> Run:
    """The recipe and the best checkpoint of a run folder.

    Raises:
        TrainingError: the folder holds no finished epoch, or what it holds is damaged.
    """
    notes, checkpoint = read_notes(folder), folder / BEST
    if not notes or not checkpoint.is_file():
        raise TrainingError(f"{folder} holds no trained run ({NOTES} and {BEST}). Train one: dermalens train RECIPE")
    try:
        recipe = Recipe.model_validate_json(json.dumps(notes["recipe"]))
        classifier = trained_network(recipe, checkpoint)
    except (KeyError, ValidationError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrainingError(
            f"{folder} is damaged or from another version of DermaLens: {reason}. Train again."
        ) from error
    return Run(folder, recipe, notes, classifier)
