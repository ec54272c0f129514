"""The keys of the images in order, however many: sorted on disk, kept as one list file a shard.

A key is the path or URL of an image. In a file it is one JSON string a line, as a file name may hold line breaks and
bytes that are no UTF-8.
"""

from __future__ import annotations

import heapq
import itertools
import json
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from dermalens.batch.errors import BatchError
from dermalens.batch.storage import reason_of

Item = TypeVar("Item")

SORTED_IN_MEMORY: Final = 200_000
"""Keys; of 100 characters each about 30 MB. Ten million make 50 files that are merged."""
RUN_BUFFER: Final = 2048
"""Bytes read ahead of each of these files: with all open at once, it is what grows with their number."""


def to_lines(keys: Iterable[str]) -> bytes:
    r"""A list file.

    >>> to_lines(["a.jpg", "b\n.jpg"])
    b'"a.jpg"\n"b\\n.jpg"\n'
    """
    return "".join(json.dumps(key) + "\n" for key in keys).encode()


def from_lines(content: bytes) -> list[str]:
    """The keys of a list file."""
    return [json.loads(line) for line in content.splitlines()]


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items, such as keys, in lists of `size`, the last one shorter.

    >>> list(chunked("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while chunk := list(itertools.islice(rest, size)):
        yield chunk


def tapered(items: Iterable[Item], size: int, workers: int) -> Iterator[list[Item]]:
    """The same for so many workers: the last lists are ever shorter, so that all workers end at about the same time.

    >>> [len(chunk) for chunk in tapered(range(30), 8, 2)]
    [8, 6, 4, 3, 3, 2, 1, 1, 1, 1]
    """
    rest = iter(items)
    ahead = 2 * workers * size
    waiting = deque(itertools.islice(rest, ahead))
    while waiting:
        share = -(-len(waiting) // (2 * workers))
        yield [waiting.popleft() for _ in range(share)]
        waiting.extend(itertools.islice(rest, ahead - len(waiting)))


def in_order(keys: Iterable[str], *, at_once: int = SORTED_IN_MEMORY) -> Iterator[str]:
    """The keys sorted, each once; what does not fit into memory goes through sorted files in the temporary folder.

    Raises:
        BatchError: that folder is full or cannot be written to.
    """
    chunks = chunked(keys, at_once)
    first = next(chunks, [])
    if len(first) < at_once:
        yield from sorted(set(first))
        return
    try:
        yield from _merged(itertools.chain([first], chunks))
    except OSError as error:
        raise BatchError(
            f"The names of the images cannot be sorted in the temporary folder {tempfile.tempdir or ''}: "
            f"{reason_of(error)}. Name one with more room: TMPDIR=/large/folder"
        ) from error


def _merged(chunks: Iterable[list[str]]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="dermalens-keys-") as folder:
        runs = [_write_run(Path(folder, f"{number:05}.jsonl"), chunk) for number, chunk in enumerate(chunks)]
        for key, _ in itertools.groupby(heapq.merge(*map(_read_run, runs))):
            yield key


def _write_run(file: Path, keys: list[str]) -> Path:
    file.write_bytes(to_lines(sorted(keys)))
    return file


def _read_run(file: Path) -> Iterator[str]:
    with file.open("rb", buffering=RUN_BUFFER) as stream:
        for line in stream:
            yield json.loads(line)
