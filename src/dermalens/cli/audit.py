"""`dermalens audit`: the log of all changes, and whether it is as it was written."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from dermalens.cli.records import DatabaseUrl, DataFolder, Json, record, say

app = typer.Typer(no_args_is_help=True, help="Read and check the append-only log of all changes to the record.")


@app.callback()
def _audit() -> None:
    """Read and check the append-only log of all changes to the record."""


@app.command("list")
def list_(
    after: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="Begin behind this entry.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many entries.")] = 100,
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
    as_json: Json = False,
) -> None:
    """What was done when, for whom and to which id, the oldest first; never what a case contains."""
    with record(database_url, data_folder) as records:
        from dermalens.records import audit

        found = audit.entries(records, after=after, limit=limit + 1)
    shown = found[:limit]
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in shown]))
    else:
        for entry in shown:
            typer.echo("  ".join(str(value) for value in asdict(entry).values()))
    if len(found) > limit:
        say(f"There are more: dermalens audit list --after {shown[-1].sequence}")


@app.command()
def verify(
    noted: Annotated[str | None, typer.Option(metavar="HEAD", help="A head that was noted before.")] = None,
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
    as_json: Json = False,
) -> None:
    """Follow the chain of hashes from the first entry to the last; exit code 2 names the first that is bad."""
    with record(database_url, data_folder) as records:
        from dermalens.records import audit

        found = audit.verify(records, noted=noted)
    if as_json:
        typer.echo(json.dumps({"entries": found.count, "head": found.head}))
    else:
        typer.echo(f"{found.count} entries, unbroken\nhead {found.head}")
    if noted is None:
        say("Note the head elsewhere: that the newest entries were cut off shows only against a head noted before.")
        say(f"Next time: dermalens audit verify --noted {found.head}")
