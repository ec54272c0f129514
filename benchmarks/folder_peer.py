"""A peer over the pictures of a folder: one after the other, or with a DataLoader of PyTorch.

    python -m benchmarks.folder_peer NAME loop|loader FOLDER COUNT          (prints images a second)

PyTorch has its own number of threads, one a core. The start is not counted: the rate is from the first image, or batch,
that is answered to the last. What the workers of the DataLoader have read by then is a gift to the peer.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import PEERS, Opened

WORKERS: Final = 2
BATCH: Final = 8


class Pictures:
    """What a DataLoader takes: the pictures as the peer reads them."""

    def __init__(self, paths: list[Path], read: Callable[[bytes], Any]) -> None:
        self.paths = paths
        self.read = read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Any:
        return self.read(self.paths[number].read_bytes())


def rate(how: str, peer: Opened, paths: list[Path]) -> float:
    """Images a second."""
    steps = _loop(peer, paths) if how == "loop" else _loader(peer, paths)
    next(steps)
    began = time.perf_counter()
    images = sum(steps)
    return round(images / (time.perf_counter() - began), 3)


def _loop(peer: Opened, paths: list[Path]) -> Iterator[int]:
    for path in paths:
        peer.answer(path.read_bytes())
        yield 1


def _loader(peer: Opened, paths: list[Path]) -> Iterator[int]:
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(Pictures(paths, peer.read), batch_size=BATCH, num_workers=WORKERS)  # type: ignore[arg-type]
    for batch in loader:
        peer.run(batch)
        yield len(batch)


def main() -> None:
    """Measure what the command line names."""
    name, how, folder, count = sys.argv[1:]
    paths = list(islice(sorted(Path(folder).rglob("*.jpg")), int(count)))
    print(rate(how, PEERS[name].open(), paths))


if __name__ == "__main__":
    main()
