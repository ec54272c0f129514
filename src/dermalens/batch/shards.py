"""A shard as a file, and what is counted of it: a fixed Arrow schema, written as Parquet or CSV.

Nothing in it depends on the hour or the machine: the same images give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dermalens.batch.manifest import Manifest
from dermalens.batch.scorer import AFTER, BEFORE, NUMBERS, Rows, column_names
from dermalens.core.errors import MAX_NAMED

COUNTED = ("path", "decision", "error")


@dataclass(slots=True)
class Tally:
    """What the shards hold, counted as they are finished."""

    decisions: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    failed: list[str] = field(default_factory=list)
    """The first of those with an error; as many as a message lists."""

    @property
    def images(self) -> int:
        """How many rows there are."""
        return self.decisions.total() + self.errors

    @property
    def named(self) -> str:
        """Those with an error as words for a message."""
        rest = self.errors - len(self.failed)
        return ", ".join(self.failed) + (f" and {rest:,} more" if rest else "")

    def count(self, paths: Iterable[str], decisions: Iterable[str | None], errors: Iterable[str | None]) -> None:
        """Add rows."""
        for path, decision, error in zip(paths, decisions, errors, strict=True):
            if not error:
                self.decisions[str(decision)] += 1
                continue
            self.errors += 1
            if len(self.failed) < MAX_NAMED:
                self.failed.append(path)


def arrow_schema(manifest: Manifest, classes: Sequence[str]) -> Any:
    """Text and float64, all of which may be null but path and bundle_sha256; the limits are its metadata."""
    import pyarrow as pa

    numbers = {*classes, *NUMBERS}
    known = {"path", "bundle_sha256"}
    fields = [
        pa.field(name, pa.float64() if name in numbers else pa.string(), nullable=name not in known)
        for name in column_names(classes)
    ]
    return pa.schema(fields, metadata={"limits": json.dumps(manifest.limits)})


def shard_bytes(rows: Rows, manifest: Manifest, classes: Sequence[str]) -> bytes:
    """The file of a shard."""
    table = _table(rows, arrow_schema(manifest, classes))
    return _csv(table) if manifest.format == "csv" else _parquet(table)


def count_shard(content: bytes, manifest: Manifest, number: int, tally: Tally) -> None:
    """Add the rows of a finished shard to `tally`.

    Raises:
        ValueError: it is damaged.
    """
    columns = _from_csv(content) if manifest.format == "csv" else _from_parquet(content)
    if len(columns[0]) != manifest.images_in(number):
        raise ValueError(f"{len(columns[0])} rows, {manifest.images_in(number)} needed")
    tally.count(*columns)


def _from_parquet(content: bytes) -> list[list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content), columns=list(COUNTED))
        return [table[name].to_pylist() for name in COUNTED]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ValueError("no Parquet file of a batch run") from error


def _from_csv(content: bytes) -> list[list[str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))
        if not content.endswith(b"\n"):
            raise ValueError("its last row is cut off")
        return [[row[name] for row in rows] for name in COUNTED]
    except (csv.Error, KeyError) as error:
        raise ValueError("no CSV file of a batch run") from error


def _table(rows: Rows, schema: Any) -> Any:
    """Null is what is not known: the answer of an image with an error, the error of one with an answer."""
    import pyarrow as pa

    has_answer = rows["decision"] != ""
    columns = []
    for field_ in schema:
        values = rows[field_.name]
        if field_.name == "quality":
            missing = ~has_answer
        elif field_.name in (*BEFORE, *AFTER):
            missing = values == ""
        else:
            missing = np.isnan(values.astype(np.float64))
        columns.append(pa.array(values, type=field_.type, mask=np.asarray(missing, dtype=bool)))
    return pa.table(columns, schema=schema)


def _parquet(table: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


class _Lines(list[str]):
    """The rows of a CSV file, one a line feed; the writer quotes what has a character of its own line end in it."""

    def write(self, row: str) -> None:
        self.append(row.removesuffix("\r\n") + "\n")


def _csv(table: Any) -> bytes:
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return "".join(lines).encode()
