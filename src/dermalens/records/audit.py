"""The audit log: what was done when, for whom, to which id; never what a case contains.

Each entry carries the hash of the one before, so that a change in the middle shows. That the newest entries were cut
off cannot be seen from the log itself: note the head that `dermalens audit verify` prints, elsewhere, and give it to
the next `verify`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from dermalens.records.errors import AuditBroken
from dermalens.records.store import Records
from dermalens.records.tables import AuditRow

START: Final = "0" * 64
"""What stands as the hash before the first entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change."""

    sequence: int
    at: str
    """UTC, ISO 8601."""
    owner: str
    action: str
    """Such as `case.keep`."""
    subject: str
    """The id of what was changed."""
    count: int
    """How many things, such as the images of a job."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A log whose chain is whole."""

    count: int
    head: str
    """The hash of the last entry: note it where the operator of the database cannot reach it."""


def write(session: Session, action: str, owner: str, subject: str, *, count: int = 1) -> None:
    """Add an entry to the caller's transaction, which has the writers' turn."""
    session.flush()
    last = session.scalars(select(AuditRow).order_by(AuditRow.sequence.desc()).limit(1)).first()
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    entry = Entry((last.sequence if last else 0) + 1, at, owner, action, subject, count)
    previous = last.hash if last else START
    session.add(AuditRow(**_fields(entry), previous=previous, hash=_hash(previous, entry)))
    session.flush()


def entries(records: Records, *, after: int = 0, limit: int = 100) -> tuple[Entry, ...]:
    """The entries that follow number `after`, the oldest first.

    Raises:
        RecordsError: the database is away.
    """
    wanted = select(AuditRow).where(AuditRow.sequence > after).order_by(AuditRow.sequence).limit(limit)
    with records.reading() as session:
        return tuple(_entry(row) for row in session.scalars(wanted))


def verify(records: Records, *, noted: str | None = None) -> Verified:
    """Compute the chain anew; `noted` is a head from before, which must still be in it.

    Raises:
        AuditBroken: an entry was changed or removed; it names the first one.
        RecordsError: the database is away.
    """
    wanted = select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=1000)
    with records.reading() as session, closing(session.scalars(wanted)) as rows:
        return _follow(rows, noted)


def _follow(rows: Iterable[AuditRow], noted: str | None) -> Verified:
    count, head, has_noted = 0, START, noted in (None, START)
    for row in rows:
        count += 1
        if row.sequence != count:
            raise AuditBroken(count, f"Entry {count} of the audit log is missing: it was removed.")
        if row.previous != head or row.hash != _hash(head, _entry(row)):
            raise AuditBroken(count, f"Entry {count} of the audit log does not fit its hash: it was changed.")
        head = row.hash
        has_noted = has_noted or head == noted
    if not has_noted:
        raise AuditBroken(
            count + 1,
            f"The noted head is not among the {count} entries of the audit log: its end was cut off.",
        )
    return Verified(count, head)


def _entry(row: AuditRow) -> Entry:
    return Entry(row.sequence, row.at, row.owner, row.action, row.subject, row.count)


def _fields(entry: Entry) -> dict[str, str | int]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def _hash(previous: str, entry: Entry) -> str:
    """SHA-256 of the hash before and the entry as JSON with sorted keys, no blanks and only ASCII."""
    canonical = json.dumps(_fields(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256((previous + canonical).encode()).hexdigest()
