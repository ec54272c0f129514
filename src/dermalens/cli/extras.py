"""What a command says when a part of DermaLens is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dermalens.core.errors import MissingExtraError


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Around the imports of a command that needs an extra; a module of ours that is missing stays a bug.

    Raises:
        MissingExtraError: a package of the extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "dermalens":
            raise
        raise MissingExtraError(what, extra) from error
