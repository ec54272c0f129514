"""How the tables came to be: Alembic runs `env.py` and the revisions, see `records/schema.py`."""
