"""Keys of the API: shown once, stored as a hash, never deleted but revoked or renewed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from dermalens.core.errors import name_some
from dermalens.core.files import visible
from dermalens.records import audit
from dermalens.records.errors import BadValue, NotKept
from dermalens.records.store import LOCAL, Records
from dermalens.records.tables import KeyRow
from dermalens.records.texts import tidy_line

SCOPES: Final = ("predict", "records", "admin")

MAX_RATE: Final = 1_000_000

_NONE: Final = hashlib.sha256(b"").hexdigest()
"""Compared with where there is no such key, so that the time tells nothing."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    rate_per_minute: int
    created: datetime
    revoked: datetime | None
    fingerprint: str
    """Tells its secret from the one of before `renew_key`; nobody can get the secret from it."""


def create_key(records: Records, *, name: str, scopes: Iterable[str], rate_per_minute: int = 120) -> tuple[Key, str]:
    """A new key and its text `dl_<id>_<random>`, which is not stored and cannot be shown again.

    Its random part has 256 bits, so that a plain SHA-256 is enough: nothing can be guessed from a list of passwords.

    Raises:
        BadValue: the name is empty, has control characters or is too long, a scope is unknown, none was given, or the
            rate is out of bounds.
        RecordsError: the database is away.
    """
    wanted = _check_scopes(scopes)
    if not 1 <= rate_per_minute <= MAX_RATE:
        raise BadValue(f"The rate is {rate_per_minute} a minute; needed is 1 to {MAX_RATE:,}.")
    key_id = secrets.token_hex(6)
    text = _new_text(key_id)
    row = KeyRow(
        id=key_id,
        name=_check_name(name),
        sha256=_hash(text),
        scopes=",".join(wanted),
        rate_per_minute=rate_per_minute,
        created=datetime.now(UTC),
        revoked=None,
    )
    with records.writing() as session:
        session.add(row)
        audit.write(session, "key.create", LOCAL, key_id)
    return _key(row), text


def check_key(records: Records, text: str) -> Key | None:
    """The key of this text; None where it is malformed, unknown or revoked.

    Raises:
        RecordsError: the database is away.
    """
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != "dl" or not (parts[1].isascii() and parts[1].isalnum()):
        return None
    with records.reading() as session:
        row = session.get(KeyRow, parts[1])
        is_right = hmac.compare_digest(row.sha256 if row else _NONE, _hash(text))
        return _key(row) if row and is_right and row.revoked is None else None


def revoke_key(records: Records, key_id: str) -> None:
    """End a key; its cases stay. To revoke it again changes nothing.

    Raises:
        NotKept: there is no such key.
        RecordsError: the database is away.
    """
    with records.writing() as session:
        row = _row(session, key_id)
        if row.revoked is None:
            row.revoked = datetime.now(UTC)
            audit.write(session, "key.revoke", LOCAL, key_id)


def renew_key(records: Records, key_id: str) -> tuple[Key, str]:
    """A new text for a key, also for a revoked one: who has it reaches the cases of the key; the old one is dead.

    Raises:
        NotKept: there is no such key.
        RecordsError: the database is away.
    """
    with records.writing() as session:
        row = _row(session, key_id)
        text = _new_text(row.id)
        row.sha256, row.revoked = _hash(text), None
        audit.write(session, "key.renew", LOCAL, row.id)
        return _key(row), text


def keys(records: Records) -> tuple[Key, ...]:
    """All keys, revoked ones too, the oldest first."""
    with records.reading() as session:
        return tuple(_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created, KeyRow.id)))


def find_key(records: Records, key_id: str) -> Key | None:
    """The key of this id, revoked or not."""
    with records.reading() as session:
        row = session.get(KeyRow, key_id)
        return _key(row) if row else None


def _row(session: Session, key_id: str) -> KeyRow:
    row = session.get(KeyRow, key_id) if key_id.isascii() and key_id.isalnum() else None
    if row is None:
        raise NotKept(f"There is no key {key_id}. The keys are listed by: dermalens keys list")
    return row


def _new_text(key_id: str) -> str:
    return f"dl_{key_id}_{secrets.token_urlsafe(32)}"


def _check_name(name: str) -> str:
    if (shown := visible(name)) != name:
        raise BadValue(f"The name of a key has control characters: {shown}. Type it without them.")
    tidied = tidy_line(name, "name of a key")
    if not tidied:
        raise BadValue("--name is empty; say whose key it is.")
    return tidied


def _check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    given = set(scopes)
    unknown = sorted(given.difference(SCOPES))
    if unknown or not given:
        what = f"{name_some(unknown)} is no scope" if unknown else "No scope was given"
        raise BadValue(f"{what}; needed is one or more of {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in given)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: KeyRow) -> Key:
    scopes, fingerprint = tuple(row.scopes.split(",")), row.sha256[:16]
    return Key(row.id, row.name, scopes, row.rate_per_minute, row.created, row.revoked, fingerprint)
