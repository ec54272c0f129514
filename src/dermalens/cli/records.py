"""`dermalens records`: the schema of the record of cases, what goes by age, and the janitor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dermalens.cli.extras import needing
from dermalens.core.files import printable
from dermalens.records.bounds import MOST_DAYS

if TYPE_CHECKING:
    from dermalens.records.store import Records

app = typer.Typer(no_args_is_help=True, help="Look after the record of kept cases (SQLite or PostgreSQL).")

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="DERMALENS_DATABASE_URL",
        help="The database: sqlite:////folder/file or postgresql+psycopg://user@host/database; "
        "an SQLite file in the data folder by default.",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", envvar="DERMALENS_DATA_FOLDER", help="Folder of the kept images; the user's own by default."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


Kind = Literal["existing", "existing, of any schema", "new or existing", "new or existing, of any schema"]
"""Which record a command works on; what only reads or deletes makes none at a place that was misspelt."""


@contextmanager
def record(url: str | None, folder: Path | None, kind: Kind = "existing") -> Iterator[Records]:
    """The record at the place that was given, or at the usual one; it has the newest schema unless `kind` says not."""
    with needing("serve", "The record of cases"):
        from dermalens.records import store
        from dermalens.records.place import default_folder, default_url

    openers = {
        "existing": store.open_existing,
        "existing, of any schema": store.connect_existing,
        "new or existing": store.open_records,
        "new or existing, of any schema": store.connect,
    }
    place = folder or default_folder()
    records = openers[kind](url or default_url(place), place)
    try:
        yield records
    finally:
        store.close(records)


def say(line: str) -> None:
    """Talk goes to stderr."""
    typer.echo(line, err=True)


@app.command()
def upgrade(database_url: DatabaseUrl = None, data_folder: DataFolder = None) -> None:
    """Bring the database to the schema of this DermaLens; make a copy of it before (dermalens records backup)."""
    with record(database_url, data_folder, "new or existing, of any schema") as records:
        from dermalens.records.schema import read_schema, require_newest
        from dermalens.records.store import make_folders

        before = read_schema(records.engine).current
        require_newest(records.engine, migrate=True)
        make_folders(records)
        after = read_schema(records.engine).current
    typer.echo(f"schema {after}")
    say("Nothing was to be done." if before == after else f"It was {before or 'empty'}.")


@app.command()
def downgrade(
    to: Annotated[str, typer.Option("--to", metavar="REVISION", help="An older revision, such as 0001.")],
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
) -> None:
    """Go back to an older schema; what later revisions added is lost. Make a copy of the database before."""
    with record(database_url, data_folder, "existing, of any schema") as records:
        from dermalens.records import schema
        from dermalens.records.errors import BadValue

        if to == "base":
            raise BadValue("Before the first revision nothing is left. If that is wanted, remove the database itself.")
        schema.downgrade(records.engine, to)
        typer.echo(f"schema {schema.read_schema(records.engine).current}")
    say("What the later revisions held is gone. This DermaLens works again after: dermalens records upgrade")


@app.command()
def status(database_url: DatabaseUrl = None, data_folder: DataFolder = None, as_json: Json = False) -> None:
    """Say which schema the database has and how much is kept; nothing is changed."""
    with record(database_url, data_folder, "existing, of any schema") as records:
        from dermalens.records.schema import read_schema
        from dermalens.records.tally import tally

        schema = read_schema(records.engine)
        kept = tally(records) if schema.current == schema.needed else None
        hint = (
            _why_nothing_is_swept(records) if kept else "Not at the schema of this DermaLens: dermalens records upgrade"
        )
    found = {"schema": schema.current, "needed": schema.needed, **(kept or {})}
    if as_json:
        typer.echo(json.dumps(found))
    else:
        shown = found | {"schema": schema.current or "none"}
        typer.echo("\n".join(f"{name.replace('_', ' '):<16}{value}" for name, value in shown.items()))
    if hint:
        say(hint)


def _why_nothing_is_swept(records: Records) -> str:
    """Empty where the database is not older than the data folder."""
    from dermalens.records.errors import RecordsError
    from dermalens.records.newest import refuse_newer_folder

    try:
        refuse_newer_folder(records)
    except RecordsError as error:
        return str(error)
    return ""


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, a new file.")],
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
) -> None:
    """Copy an SQLite database whole while servers use it; copy the data folder, with the images, after it."""
    with record(database_url, data_folder, "existing, of any schema") as records:
        from dermalens.records import backup as copying

        copying.backup(records, file)
    typer.echo(printable(str(file)))
    say("The images are not in it: copy the data folder now, without its records.sqlite.")


@app.command()
def purge(
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Keep what is younger than so many days.")],
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
) -> None:
    """Delete cases and finished jobs by age, with their images. There is no way back."""
    with record(database_url, data_folder) as records:
        from dermalens.records import retention
        from dermalens.records.store import require_folder

        require_folder(records)
        typer.echo(f"{retention.purge(records, days=days)} deleted")


@app.command()
def sweep(
    age_seconds: Annotated[float, typer.Option(min=0, help="Leave files that are younger.")] = 60,
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
) -> None:
    """Remove files that a kill or a failure left behind; the server does so by itself."""
    with record(database_url, data_folder) as records:
        from dermalens.records import retention
        from dermalens.records.store import require_folder

        require_folder(records)
        swept = retention.sweep(records, age_seconds=age_seconds)
    typer.echo(f"{swept.temporary} temporary, {swept.orphans} images of no case, {swept.spooled} of no job removed")
