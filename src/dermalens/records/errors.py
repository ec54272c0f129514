"""What can go wrong with the record; all of it is a DermaLensError, told in one line.

RecordsError        the database is away, its disk is full, its schema is another: the operator mends it (503)
├── NotKept         no such case, job or key, or it belongs to somebody else (404)
├── BadValue        a value that the record does not take, such as an unknown kind of feedback (422)
│   └── BadCursor   a place in a list that this record never gave out
├── Stopped         what was to be made is not complete, since whoever wanted it says to stop
└── AuditBroken     an entry of the audit log was changed or removed
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from dermalens.core.errors import NO_ROOM, DermaLensError


class RecordsError(DermaLensError):
    """The record cannot be used now; predictions need none and go on.

    `public` is the line for a client: without what the driver said, which names host, port and database.
    """

    def __init__(self, line: str, *, public: str | None = None) -> None:
        super().__init__(line)
        self.public = line if public is None else public


class NotKept(RecordsError):  # noqa: N818  (read as a sentence: the case is not kept)
    """There is no such case, job or key, or it belongs to another owner: the two look the same."""


class BadValue(RecordsError):  # noqa: N818  (as above)
    """A value that the record does not take."""


class BadCursor(BadValue):
    """The place in a list is none that this record gave out."""


class Stopped(RecordsError):  # noqa: N818  (as above)
    """Whoever wanted it says to stop; what was made until then is not complete."""


class AuditBroken(RecordsError):  # noqa: N818  (as above)
    """An entry of the audit log was changed or removed; `sequence` is the number of the first bad one."""

    def __init__(self, sequence: int, message: str) -> None:
        super().__init__(message)
        self.sequence = sequence


@contextmanager
def told() -> Iterator[None]:
    """Turn what database and disk raise into a RecordsError; its line holds no value of any row.

    Raises:
        RecordsError: the database is away, busy or damaged, or the disk is full or may not be written.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise RecordsError("All connections to the database are in use; needed is a free one. Try again.") from error
    except exc.DBAPIError as error:
        raise _database_error(error) from error
    except OSError as error:
        raise RecordsError(_disk_line(error)) from error


def public_line(error: DermaLensError) -> str:
    """What a client is told of an error; the whole line is for the log."""
    return error.public if isinstance(error, RecordsError) else str(error)


def log_line(error: DermaLensError) -> str:
    """What the log says of a case that was not kept: of a value that somebody sent, not which it was."""
    return "a value that is not taken" if isinstance(error, BadValue) else str(error)


def _database_error(error: exc.DBAPIError) -> RecordsError:
    """Only the first line: PostgreSQL names the values of a row in the second."""
    lines = str(error.orig).strip().splitlines()
    reason = lines[0].rstrip(".") if lines else type(error.orig).__name__
    if "full" in reason:
        what, cure = "The database cannot write", "Make room on its disk."
    elif "read-only" in reason or "readonly" in reason:
        what, cure = "The database can only be read", "Give one that may be written in DERMALENS_DATABASE_URL."
    elif "locked" in reason or "lock timeout" in reason:
        what, cure = "The database is busy", "Try again."
    else:
        what, cure = "The database cannot be used", "Check that it runs, and DERMALENS_DATABASE_URL."
    return RecordsError(f"{what}: {reason}. {cure}", public=f"{what}. {cure}")


def _disk_line(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    if error.errno in NO_ROOM:
        return f"The data folder cannot be written: {reason}. Make room on its disk."
    return f"The data folder cannot be used: {reason}. Check that it may be written, and DERMALENS_DATA_FOLDER."
