"""`dermalens audit`: whether the log of all changes is as it was written."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dermalens.cli.records import DatabaseUrl, DataFolder, Json, record, say

app = typer.Typer(no_args_is_help=True, help="Check the append-only log of all changes to the record.")


@app.callback()
def _audit() -> None:
    """Check the append-only log of all changes to the record."""


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
