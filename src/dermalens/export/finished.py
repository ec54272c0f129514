"""A finished training run as export reads it."""

from __future__ import annotations

from pathlib import Path

from dermalens.core.errors import ExportError, TrainingError
from dermalens.train.finished import Run as Run  # noqa: PLC0414
from dermalens.train.finished import read_finished


def read_run(folder: Path) -> Run:
    """The recipe and the best checkpoint of a run folder.

    Raises:
        ExportError: the folder holds no finished epoch, or what it holds is damaged.
    """
    try:
        return read_finished(folder)
    except TrainingError as error:
        raise ExportError(str(error)) from error
