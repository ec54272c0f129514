"""What the workers of the batches share while a server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dermalens.serve.problems import Refusal

MOST_BODIES: Final = 2
"""Batches that are taken in at the same time; each may hold 200 MiB in memory until it is on the disk."""
RETRY_SECONDS: Final = 5


class Batches:
    """Which images are in hand, and the bell for new ones; begun anew with each start of the application."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what an earlier run of the application, in another event loop, had in hand."""
        self.added = asyncio.Event()
        """Set when a batch was taken."""
        self.turn = asyncio.Lock()
        """Held while an image is chosen."""
        self.taken: set[tuple[str, int]] = set()
        """Batch and number of the images in hand."""
        self._bodies = 0

    @contextmanager
    def room(self) -> Iterator[None]:
        """Room in memory for the body of a batch, taken before it is read.

        Raises:
            Refusal: too many are being taken in.
        """
        if self._bodies >= MOST_BODIES:
            detail = f"{MOST_BODIES} batches are being taken in already. Try again in a moment."
            raise Refusal("busy", detail, RETRY_SECONDS)
        self._bodies += 1  # on the event loop only
        try:
            yield
        finally:
            self._bodies -= 1
