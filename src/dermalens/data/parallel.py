"""Work on many image files at once; Pillow decodes outside Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dermalens.data.check import AT_ONCE, THREADS, Advance

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], advance: Advance) -> Iterator[Result]:
    """`work` of each item, in their order; what has not begun when the caller stops or fails is never begun."""
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for start in range(0, len(items), AT_ONCE):
                for result in pool.map(work, items[start : start + AT_ONCE]):
                    advance(1)
                    yield result
        finally:
            pool.shutdown(cancel_futures=True)
