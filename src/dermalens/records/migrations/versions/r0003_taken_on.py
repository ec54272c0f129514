"""The day on which a picture was taken, which may be long before it was kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a column that may be empty."""
    with op.batch_alter_table("cases") as cases:
        cases.add_column(sa.Column("taken_on", sa.Date))


def downgrade() -> None:
    """The days are lost; cases stay."""
    with op.batch_alter_table("cases") as cases:
        cases.drop_column("taken_on")
