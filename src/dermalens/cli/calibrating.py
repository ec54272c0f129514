"""How `dermalens export` and `dermalens equip` are told to calibrate."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from dermalens.evaluate.calibrate import Fitting


class CalibrationMethod(StrEnum):
    """How the logits become probabilities."""

    TEMPERATURE = "temperature"
    VECTOR = "vector"
    NONE = "none"


PRIOR_CORRECTION: Final = "0: the classes as frequent as in the data; 1: all equally frequent."

PENALTY: Final = "Of vector scaling: the larger, the nearer are the classes' scales and shifts to each other."

PriorCorrection = Annotated[float, typer.Option(min=0, max=1, help=PRIOR_CORRECTION)]
Penalty = Annotated[float | None, typer.Option(min=0, help=f"{PENALTY} 0.01 if not given.")]


def checked_version(version: str | None) -> str | None:
    """The version of a bundle as a command was given it.

    Raises:
        BadParameter: it has other signs than letters, digits and . _ + -
    """
    from dermalens.core.bundle import VERSION

    if version is not None and not re.fullmatch(VERSION, version):
        raise typer.BadParameter(f"{version!r} given; needed are letters, digits and . _ + -")
    return version


def chosen_fitting(method: CalibrationMethod, correction: float, penalty: float | None) -> Fitting:
    """What the options ask for.

    Raises:
        BadParameter: a penalty for a method that has none.
    """
    from dermalens.evaluate.calibrate import VECTOR_PENALTY, Fitting

    if penalty is not None and method is not CalibrationMethod.VECTOR:
        raise typer.BadParameter(
            "only vector scaling has one: --calibration vector", param_hint="--calibration-penalty"
        )
    return Fitting(method.value, correction, VECTOR_PENALTY if penalty is None else penalty)
