"""All that an owner has kept, sent: one at a time for each owner, since a ZIP is a copy of all images on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from anyio import CancelScope, to_thread
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from dermalens.serve.problems import Refusal

RETRY_SECONDS: Final = 10


class Exports:
    """Whose exports are under way."""

    def __init__(self) -> None:
        self._owners: set[str] = set()

    @contextmanager
    def turn(self, owner: str) -> Iterator[None]:
        """The owner's only turn.

        Raises:
            Refusal: it is taken.
        """
        if owner in self._owners:
            detail = "Another download of all your cases is under way. Try again when it has ended."
            raise Refusal("busy", detail, RETRY_SECONDS)
        self._owners.add(owner)  # on the event loop, or of one owner only
        try:
            yield
        finally:
            self._owners.discard(owner)


class Export(StreamingResponse):
    """A response that closes what it holds when it ends, also where the client hangs up or the server stops."""

    def __init__(
        self,
        content: Iterator[bytes],
        held: AbstractContextManager[object],
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):  # to give the room of a large file free takes a while
                await to_thread.run_sync(self._held.__exit__, None, None, None)
