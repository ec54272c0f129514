"""What the workers of the batches share while a server runs."""

from __future__ import annotations

import asyncio


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
