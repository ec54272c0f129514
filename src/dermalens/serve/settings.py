"""What an operator may set: environment variables that begin with DERMALENS_, or options of the command."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dermalens.core.cores import usable_cores
from dermalens.core.errors import DermaLensError
from dermalens.predict.prevalence import LEAST, MOST
from dermalens.records.bounds import MOST_DAYS

MEBIBYTE = 2**20
_PREFIX = "DERMALENS_"

_OTHERS: Final = re.compile(
    r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)|TEST_\w+", re.ASCII
)
"""Names that are no settings: those that Kubernetes makes for a Service, and those of the project's own tests."""


def _default_folder() -> Path:
    """That of the commands that look after the record."""
    from dermalens.records.place import default_folder

    return default_folder()


def _url_in(folder: Path) -> str:
    """The SQLite file in a folder, whose name may have any letters."""
    from dermalens.records.place import default_url

    return default_url(folder)


class Settings(BaseSettings):
    """The settings of a server. Each is read from the variable DERMALENS_ and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="forbid", frozen=True, use_attribute_docstrings=True, env_ignore_empty=True
    )

    host: str = "127.0.0.1"
    """Address to listen on. One beyond this machine needs a key, or `allow_open`."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    bundle: Path | None = None
    """Folder of the bundle; the packaged one otherwise."""
    gallery: Path | None = None
    """File of similar cases (dermalens gallery build); none are shown otherwise."""
    data_folder: Path = Field(default_factory=_default_folder)
    """Folder of the kept images; that of the user otherwise (Linux: `~/.local/share/dermalens`)."""
    database_url: str = Field(default_factory=lambda data: _url_in(data["data_folder"]))
    """Database of the records, as SQLAlchemy writes it; an SQLite file in `data_folder` otherwise."""
    records: bool = True
    """Whether cases can be kept, batches taken and keys used at all."""
    max_upload_bytes: int = Field(default=20 * MEBIBYTE, ge=1024)
    """Largest body of a request with an image; one without, such as a note, has 128 KiB at most."""
    max_batch_bytes: int = Field(default=200 * MEBIBYTE, ge=1024)
    """Largest body of a batch."""
    max_batch_images: int = Field(default=100, ge=1)
    """Images in a batch."""
    queue_size: int = Field(default=64, ge=1)
    """Images that may wait; more are refused with 503."""
    workers: int = Field(default_factory=usable_cores, ge=1)
    """Images that are classified at the same time, each on one core; as many as there are cores otherwise."""
    deadline_seconds: float = Field(default=30.0, gt=0)
    """How long a request may take from its first byte; then it is answered with 504."""
    drain_seconds: int = Field(default=30, ge=1)
    """How long a stopping server finishes what it has accepted."""
    retention_days: int | None = Field(default=None, ge=1, le=MOST_DAYS)
    """Days after which kept cases and finished batches are deleted; they stay otherwise."""
    allow_open: bool = False
    """Serve beyond this machine without any key: whoever reaches the address may use everything."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Further names, with commas, that the page is opened under on this machine without keys, such as a proxy's."""
    default_prevalence: float | None = Field(default=None, ge=LEAST, le=MOST)
    """Malignant share among the lesions seen here, for requests that state none."""
    secret: str | None = Field(default=None, min_length=32)
    """Signs the sessions of the page; a new one at each start otherwise, which ends them."""
    session_hours: float = Field(default=12, gt=0)
    """How long a session of the page lasts."""

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        names = value.strip(" []").split(",") if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)):
            return value
        return tuple(name for name in (str(name).strip(" \"'").lower() for name in names) if name)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def read_settings(**changes: Any) -> Settings:
    """The settings of the environment, with those given in their place; a variable that is none is told on stderr.

    Raises:
        DermaLensError: a value cannot be used, or a variable is misspelt; the message names the variable.
    """
    _refuse_misspelt()
    try:
        return Settings(**changes)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"][:1])
        raise DermaLensError(
            f"The setting {name} ({_PREFIX}{name.upper()}) cannot be used: {first['msg']}. Change or remove it."
        ) from error


def _refuse_misspelt() -> None:
    """A retention that does not begin because of a missing letter would be found out too late."""
    known = tuple(name.upper() for name in Settings.model_fields)
    names = sorted(variable.removeprefix(_PREFIX) for variable in os.environ if variable.startswith(_PREFIX))
    unknown = [name for name in names if name and name not in known and not _is_of_others(name)]
    for name in unknown:
        if meant := _meant(name, known):
            variables = " or ".join(f"{_PREFIX}{one}" for one in meant)
            raise DermaLensError(f"{_PREFIX}{name} is no setting; is {variables} meant? Change or remove it.")
    for name in unknown:
        sys.stderr.write(f"{_PREFIX}{name} is no setting and is not used; the settings are in docs/how-to/serve.md\n")


def _meant(name: str, known: Sequence[str]) -> list[str]:
    """The settings whose names begin as this one does, or that it is a longer or misspelt name of."""
    longer = [one for one in known if one.startswith(name) or name.startswith(f"{one}_")]
    return longer or get_close_matches(name, known, n=1, cutoff=0.85)


def _is_of_others(name: str) -> bool:
    is_link = name.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", os.environ[f"{_PREFIX}{name}"])
    return bool(is_link or _OTHERS.fullmatch(name))
