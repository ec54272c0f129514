"""`dermalens keys`: who may use the API of a server that others can reach."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dermalens.cli.records import DatabaseUrl, DataFolder, Json, record, say
from dermalens.core.files import visible

app = typer.Typer(no_args_is_help=True, help="Make, list, renew and revoke the keys of the API.")


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whose it is, for the list.")],
    scopes: Annotated[str, typer.Option(help="predict, records, admin: one or more, with commas.")] = "predict",
    rate_per_minute: Annotated[int, typer.Option(min=1, help="Requests a minute.")] = 120,
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
) -> None:
    """Make a key; it is printed once and stored only as a hash."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    with record(database_url, data_folder, "new or existing") as records:
        from dermalens.records.keys import create_key

        key, text = create_key(records, name=name, scopes=wanted, rate_per_minute=rate_per_minute)
    typer.echo(text)
    say(f"Key {key.id} of {key.name}: {', '.join(key.scopes)}; {key.rate_per_minute} requests a minute.")
    say(f"It is not shown again. To end it: dermalens keys revoke {key.id}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id, as in the list.")],
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
) -> None:
    """End a key; what was kept with it stays."""
    with record(database_url, data_folder) as records:
        from dermalens.records.keys import revoke_key

        revoke_key(records, key_id)
    typer.echo(f"{key_id} revoked")


@app.command()
def renew(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id, as in the list.")],
    database_url: DatabaseUrl = None,
    data_folder: DataFolder = None,
) -> None:
    """Give a lost or revoked key a new text, printed once; it reaches the same cases, and the old text nothing."""
    with record(database_url, data_folder) as records:
        from dermalens.records.keys import renew_key

        key, text = renew_key(records, key_id)
    typer.echo(text)
    say(f"Key {key.id} of {key.name} is renewed: the text of before and its sessions of the page are no longer valid.")
    say(f"It is not shown again. To end it: dermalens keys revoke {key.id}")


@app.command("list")
def list_keys(database_url: DatabaseUrl = None, data_folder: DataFolder = None, as_json: Json = False) -> None:
    """List all keys, revoked ones too, without their secrets."""
    with record(database_url, data_folder) as records:
        from dermalens.records.keys import keys

        found = keys(records)
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": list(key.scopes),
            "rate_per_minute": key.rate_per_minute,
            "created": key.created.isoformat(timespec="seconds"),
            "revoked": key.revoked.isoformat(timespec="seconds") if key.revoked else None,
        }
        for key in found
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for key in found:
        state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "valid"
        rate = f"{key.rate_per_minute}/min"
        scopes, name = ",".join(key.scopes), visible(key.name)
        typer.echo(f"{key.id}  {state:<18}  {scopes:<22}  {rate:<10}  {key.created:%Y-%m-%d}  {name}")
    if not found:
        say("There are no keys. To make one: dermalens keys create --name NAME --scopes predict,records")
