"""One error tree; only the edges (CLI, API) translate it.

DermaLensError
├── ImageError      a picture that cannot be used: unreadable, too large, too small
│   └── FormatError     bytes that are no picture of a format that is read
├── DataError       an index, a split or labels that do not fit together
├── RecipeError     a recipe with an unknown key, a wrong value or a missing part
├── BundleError     a model bundle that is damaged, foreign or newer than this code
├── TrainingError   a training run that cannot go on
│   └── StoppedError    one that was stopped from outside
├── ExportError     a checkpoint whose graph may not be shipped
└── MissingExtraError   an optional package that is not installed
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Final

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Of an OSError: the disk is full, the quota used up or the file too large."""
REFUSED_PATH: Final = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES)
"""Of an OSError: a path that the system does not follow, as it was given."""
MAX_NAMED = 5
"""How many offenders a message lists by name."""


class DermaLensError(Exception):
    """Anything the user can mend: the CLI prints it as one line and exits with 2."""


class ImageError(DermaLensError):
    """A picture that cannot be used."""


class FormatError(ImageError):
    """Bytes that are no picture of a format that is read."""


class DataError(DermaLensError):
    """An index, a split or labels that do not fit together."""


class RecipeError(DermaLensError):
    """A recipe that is not complete and valid."""


class BundleError(DermaLensError):
    """A model bundle that is damaged, foreign or newer than this code."""


class TrainingError(DermaLensError):
    """A training run that cannot go on; the last good checkpoint is intact."""


class StoppedError(TrainingError):
    """A training run that was stopped from outside, by Ctrl-C or SIGTERM; the CLI exits with 130."""


class ExportError(DermaLensError):
    """A checkpoint whose graph may not be shipped."""


class MissingExtraError(DermaLensError):
    """An optional package that is not installed; the message is the line to type."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: pip install 'dermalens[{extra}]'")


def name_some(offenders: Iterable[object]) -> str:
    """Up to five offenders by name, and how many more there are.

    >>> name_some(["a", "b"])
    'a, b'
    >>> name_some(range(7))
    '0, 1, 2, 3, 4 and 2 more'
    """
    names = [str(offender) for offender in offenders]
    shown = ", ".join(names[:MAX_NAMED])
    rest = len(names) - MAX_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
