"""Where the record lies when nobody says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import platformdirs
from sqlalchemy import URL

DATABASE_FILE: Final = "records.sqlite"


def default_folder() -> Path:
    """The folder of the user's own data, such as `~/.local/share/dermalens`; it need not exist."""
    return platformdirs.user_data_path("dermalens")


def default_url(folder: Path) -> str:
    """An SQLite file in `folder`.

    >>> default_url(Path("/srv/dermalens"))
    'sqlite:////srv/dermalens/records.sqlite'
    """
    return URL.create("sqlite", database=str(folder / DATABASE_FILE)).render_as_string(hide_password=False)
