"""Lesions with a name, so that cases of one lesion can be compared; the embedding of a case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table of lesions and two columns that may be empty."""
    op.create_table(
        "lesions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("owner", "name"),
    )
    with op.batch_alter_table("cases") as cases:
        cases.add_column(sa.Column("embedding", sa.LargeBinary))
        cases.add_column(sa.Column("lesion_id", sa.String(32)))
        cases.create_foreign_key(op.f("fk_cases_lesion_id"), "lesions", ["lesion_id"], ["id"])
        cases.create_index("ix_cases_lesion_id", ["lesion_id"])


def downgrade() -> None:
    """Names of lesions and embeddings are lost; cases stay."""
    with op.batch_alter_table("cases") as cases:
        cases.drop_index("ix_cases_lesion_id")
        cases.drop_constraint(op.f("fk_cases_lesion_id"), type_="foreignkey")
        cases.drop_column("lesion_id")
        cases.drop_column("embedding")
    op.drop_table("lesions")
