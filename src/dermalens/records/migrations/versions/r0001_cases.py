"""Cases with consent and feedback, batch jobs, keys, and the audit log that cannot be altered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.String(32)
_SHA256 = sa.String(64)
_TIME = sa.DateTime(timezone=True)

_SQLITE_GUARDS = (
    "CREATE TRIGGER audit_entries_keep_{what} BEFORE {what} ON audit_entries "
    "BEGIN SELECT RAISE(ABORT, 'entries of the audit log are not altered'); END"
)

_POSTGRESQL_GUARDS = (
    """CREATE FUNCTION audit_entries_keep() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'entries of the audit log are not altered'; END $$""",
    """CREATE TRIGGER audit_entries_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_keep()""",
)


def upgrade() -> None:
    """Make all tables."""
    _make_cases()
    _make_jobs()
    op.create_table(
        "keys",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", _SHA256, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("rate_per_minute", sa.Integer, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("revoked", _TIME),
    )
    op.create_table(
        "audit_entries",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("at", "owner", "action", "subject")),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("previous", _SHA256, nullable=False),
        sa.Column("hash", _SHA256, nullable=False),
    )
    _guard_audit()


def downgrade() -> None:
    """Remove all tables with all that is in them."""
    op.drop_table("audit_entries")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entries_keep()")
    for table in ("keys", "job_items", "jobs", "feedback", "consents", "cases"):
        op.drop_table(table)


def _make_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("diagnosis", sa.Text, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("age_years", sa.Double),
        sa.Column("sex", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("image_sha256", _SHA256, nullable=False),
        sa.Column("square", sa.JSON),
    )
    op.create_index("ix_cases_owner_created_id", "cases", ["owner", "created", "id"])
    op.create_index("ix_cases_image_sha256", "cases", ["image_sha256"])
    op.create_table(
        "consents",
        sa.Column("case_id", _ID, sa.ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("given", _TIME, nullable=False),
    )
    op.create_table(
        "feedback",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("case_id", _ID, sa.ForeignKey("cases.id", ondelete="CASCADE"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "label", "comment")),
        sa.Column("created", _TIME, nullable=False),
    )
    op.create_index("ix_feedback_case_id", "feedback", ["case_id"])


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("finished", _TIME),
        sa.Column("options", sa.JSON, nullable=False),
    )
    op.create_table(
        "job_items",
        sa.Column("job_id", _ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("answer", sa.JSON),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_job_items_state", "job_items", ["state"])


def _guard_audit() -> None:
    """Triggers that refuse to change, remove or empty; they stop a slip, the chain of hashes shows the rest."""
    if op.get_context().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_GUARDS.format(what=what))
        return
    for statement in _POSTGRESQL_GUARDS:
        op.execute(statement)
