"""Work on whole pictures, a few at a time: whoever waits for a turn takes no thread from the other requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import to_thread
from fastapi import Request

from dermalens.records.case import Case, NewCase
from dermalens.records.cases import keep
from dermalens.records.images import only_pixels
from dermalens.serve.running import running_of

P = ParamSpec("P")
T = TypeVar("T")


async def in_turn(request: Request, make: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """What `make` gives, in a thread, once fewer than `PICTURES_AT_A_TIME` others are at such work.

    Raises:
        Whatever `make` raises.
    """
    return await to_thread.run_sync(partial(make, *args, **options), limiter=running_of(request).pictures)


async def keep_in_turn(request: Request, owner: str, new: NewCase, case_id: str | None) -> Case:
    """The kept case, as `keep` gives it; only the PNG is made in turn, so that a wait for the database holds no turn.

    Raises:
        DermaLensError: nothing is kept here, or as `keep`.
    """
    records = running_of(request).needed_records
    png = await in_turn(request, only_pixels, new.image)
    return await to_thread.run_sync(partial(keep, records, owner, new, case_id=case_id, png=png))
