"""`dermalens serve`: the web page and the API."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from dermalens.cli.extras import needing

WAITS: Final = 120
"""How often it is asked, half a second apart, whether the server answers."""

BundleFolder = Annotated[Path | None, typer.Option(metavar="PATH", help="A bundle other than the packaged one.")]
Gallery = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Show similar cases of a gallery (dermalens gallery build).")
]
DataFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where kept images and, by default, the database are.")
]


def serve(  # noqa: PLR0913  (each is an option of the command)
    host: Annotated[
        str | None, typer.Option(help="Address to listen on: 127.0.0.1 unless set; any other needs a key.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on: 8000 unless set.")] = None,
    bundle: BundleFolder = None,
    gallery: Gallery = None,
    database_url: Annotated[
        str | None, typer.Option(metavar="URL", help="PostgreSQL instead of SQLite: postgresql+psycopg://...")
    ] = None,
    data_folder: DataFolder = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser of this machine.")] = False,
) -> None:
    """Serve the web page and the API on this machine, http://127.0.0.1:8000. Not a medical device.

    Every option, and more (limits, workers, retention), can be set as DERMALENS_HOST, DERMALENS_PORT and so on;
    what is typed here wins. Nothing is stored unless somebody asks to keep a case.
    """
    with needing("serve", "The server"):
        from dermalens.serve.run import serve as run
        from dermalens.serve.settings import read_settings
    given = {
        "host": host,
        "port": port,
        "bundle": bundle,
        "gallery": gallery,
        "database_url": database_url,
        "data_folder": data_folder,
    }
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    if open_browser and settings.port and _has_screen():
        threading.Thread(
            target=_open_when_ready, args=(page_address(settings.host, settings.port),), daemon=True
        ).start()
    run(settings)


def page_address(host: str, port: int) -> str:
    """Where the page is seen from this machine."""
    from dermalens.serve.run import address_of

    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"{address_of(host, port)}/"


def _has_screen() -> bool:
    """Whether a window can be opened; without one, Python would start a browser for terminals in this one."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_when_ready(address: str) -> None:
    """Open the page as soon as the server answers; not at all when it does not within a minute."""
    import urllib.request
    import webbrowser

    for _ in range(WAITS):
        try:
            urllib.request.urlopen(f"{address}livez", timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            webbrowser.open(address)
            return
