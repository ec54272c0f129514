"""Alembic's entry: it runs revisions on the connection that `records/schema.py` hands over, all in one transaction."""

from __future__ import annotations

from alembic import context

from dermalens.records.tables import Base


def run() -> None:
    """Run the revisions that the command asked for."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        version_table=context.config.attributes["version_table"],
        transactional_ddl=True,  # SQLite can, once the driver begins nothing by itself (`records/database.py`)
    )
    context.run_migrations()


if hasattr(context, "config"):  # there while Alembic is at work; an import does nothing
    run()
