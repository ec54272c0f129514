"""How much a record holds."""

from __future__ import annotations

from sqlalchemy import func, select

from dermalens.records.store import Records
from dermalens.records.tables import AuditRow, CaseRow, FeedbackRow, JobRow, KeyRow, LesionRow

_COUNTED = {
    "cases": CaseRow,
    "lesions": LesionRow,
    "feedback": FeedbackRow,
    "jobs": JobRow,
    "keys": KeyRow,
    "audit_entries": AuditRow,
}


def tally(records: Records) -> dict[str, int]:
    """Rows of each kind, and images on the disk.

    Raises:
        RecordsError: the database is away or the folder cannot be read.
    """
    with records.reading() as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(table)) or 0 for name, table in _COUNTED.items()
        }
    return {**counts, "images": sum(len(paths) for _, paths in records.images.shards())}
