"""Whether the records can be used; asked at most once a second, since each answer writes to the disk."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from anyio import to_thread

if TYPE_CHECKING:
    from dermalens.records.errors import RecordsError
    from dermalens.records.store import Records

REMEMBERED_SECONDS: Final = 1.0
"""A probe may come from anybody, and a full check costs a flush of the disk."""


class Readiness:
    """The last check of the records."""

    def __init__(self, records: Records | None) -> None:
        self._records = records
        self._checked = -1e9
        self._error: RecordsError | None = None
        self._turn = asyncio.Lock()

    async def check(self) -> None:
        """Pass if the records can be used, or if there are none.

        Raises:
            RecordsError: they cannot.
        """
        if self._records is None:
            return
        async with self._turn:
            if time.monotonic() - self._checked > REMEMBERED_SECONDS:
                self._error = await self._look(self._records)
                self._checked = time.monotonic()
        if self._error is not None:
            raise self._error

    @staticmethod
    async def _look(records: Records) -> RecordsError | None:
        from dermalens.records.errors import RecordsError
        from dermalens.records.store import check

        try:
            await to_thread.run_sync(check, records)
        except RecordsError as error:
            return error
        return None
