"""What somebody says of a case later: that it agrees, another diagnosis, or what the histology was."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from dermalens.records import audit
from dermalens.records.case import FEEDBACK as FEEDBACK  # noqa: PLC0414  (callers find it beside the function)
from dermalens.records.case import Case, case_of, tidy_feedback
from dermalens.records.case import Feedback as Feedback  # noqa: PLC0414
from dermalens.records.cases import owned
from dermalens.records.store import Records
from dermalens.records.tables import FeedbackRow


def add_feedback(  # noqa: PLR0913  (three say where, three say what)
    records: Records, owner: str, case_id: str, *, kind: str, label: str = "", comment: str = ""
) -> Case:
    """Add feedback to a case; what was said before stays. The same words once more, one after the other, are kept once.

    Raises:
        BadValue: the kind is unknown, the label does not go with it, or the comment is too long.
        NotKept: there is no such case, or it is another owner's.
        RecordsError: the database is away or the disk is full.
    """
    kind, label, comment = tidy_feedback(kind, label, comment)
    with records.writing() as session:
        row = owned(session, owner, case_id)
        last = row.feedback[-1] if row.feedback else None
        if last is None or (last.kind, last.label, last.comment) != (kind, label, comment):
            now = datetime.now(UTC)
            row.feedback.append(
                FeedbackRow(id=uuid4().hex, case_id=case_id, kind=kind, label=label, comment=comment, created=now)
            )
            audit.write(session, "feedback.add", owner, case_id)
        return case_of(row)
