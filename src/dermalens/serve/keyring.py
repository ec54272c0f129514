"""Who may use this server: API keys from the records, sessions of the page, and the rate of each key."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from itsdangerous import BadData, URLSafeTimedSerializer
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from dermalens.serve.problems import Refusal
from dermalens.serve.service import Service

if TYPE_CHECKING:
    from dermalens.records.keys import Key

TRUSTED_SECONDS: Final = 3600.0
"""While the database is away a key that was valid within this time is taken, so that images are still answered."""
KEYS_SEEN_SECONDS: Final = 2.0
"""How long it is remembered that there is no key at all; a first key counts from then on."""
MOST_REMEMBERED: Final = 1000


@dataclass(slots=True)
class _Remembered:
    keys: dict[str, tuple[float, Key]] = field(default_factory=dict)
    has_keys: bool | None = None
    looked: float = -1e9


class Keyring:
    """Looks keys up anew for each request; it remembers only what is needed while the database is away."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        self._records = service.records
        self._may_be_open = settings.is_loopback or settings.allow_open
        self._sessions = URLSafeTimedSerializer(settings.secret or secrets.token_urlsafe(32), salt="dermalens-session")
        self._session_seconds = settings.session_hours * 3600
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._remembered = _Remembered()

    async def look_ahead(self) -> None:
        """Find out whether there are keys before anybody asks: the database may be away when somebody does."""
        if self._records is not None and self._may_be_open:
            with suppress(Refusal):
                self._remembered.has_keys = await self._has_keys()

    async def check(self, text: str) -> Key | None:
        """The key of this text, if it is valid.

        Raises:
            Refusal: the database is away and the key was not seen lately.
        """
        if self._records is None:
            return None
        from dermalens.records.keys import check_key

        records = self._records
        return await self._looked_up(hashlib.sha256(text.encode()).hexdigest(), lambda: check_key(records, text))

    async def of_session(self, cookie: str) -> Key | None:
        """The key that the session was begun with, if both are still valid and the key was not renewed since.

        Raises:
            Refusal: as `check`.
        """
        key_id, _, fingerprint = self._read_session(cookie).partition(" ")
        if self._records is None or not key_id:
            return None
        from dermalens.records.keys import find_key

        records = self._records
        key = await self._looked_up(f"id {key_id}", lambda: find_key(records, key_id))
        return key if key is not None and key.revoked is None and key.fingerprint == fingerprint else None

    def session(self, key: Key) -> str:
        """The content of the cookie: the key's id and fingerprint, signed; the key itself is not in it."""
        return self._sessions.dumps(f"{key.id} {key.fingerprint}")

    @property
    def session_seconds(self) -> int:
        """How long a session lasts."""
        return int(self._session_seconds)

    async def is_open(self) -> bool:
        """Whether no key is needed: there has never been one, and the operator's settings allow it.

        Raises:
            Refusal: the database is away and it is not known whether there are keys.
        """
        if not self._may_be_open:
            return False
        if self._records is None:
            return True
        now, remembered = time.monotonic(), self._remembered
        if remembered.has_keys or now - remembered.looked < KEYS_SEEN_SECONDS:
            return not remembered.has_keys
        remembered.has_keys = await self._has_keys()
        remembered.looked = now
        return not remembered.has_keys

    def count(self, key: Key) -> None:
        """Count a request of a key.

        Raises:
            Refusal: it has used up its requests of this minute.
        """
        item = RateLimitItemPerMinute(key.rate_per_minute)
        if self._limiter.hit(item, key.id):
            return
        reset = self._limiter.get_window_stats(item, key.id).reset_time
        detail = f"The key has a limit of {key.rate_per_minute} requests a minute."
        raise Refusal("too-many-requests", detail, max(1, min(60, round(reset - time.time()))))

    async def _has_keys(self) -> bool:
        from dermalens.records.errors import RecordsError
        from dermalens.records.keys import keys

        assert self._records is not None
        try:
            return bool(await to_thread.run_sync(keys, self._records))
        except RecordsError as error:
            if self._remembered.has_keys is None:
                raise _away() from error
            return self._remembered.has_keys

    async def _looked_up(self, name: str, look: Callable[[], Key | None]) -> Key | None:
        from dermalens.records.errors import RecordsError

        known = self._remembered.keys
        try:
            key = await to_thread.run_sync(look)
        except RecordsError as error:
            seen, key = known.get(name, (-1e9, None))
            if time.monotonic() - seen > TRUSTED_SECONDS:
                raise _away() from error
            return key
        known.pop(name, None)
        if key is not None:
            known[name] = (time.monotonic(), key)
            if len(known) > MOST_REMEMBERED:
                del known[next(iter(known))]
        return key

    def _read_session(self, cookie: str) -> str:
        """Empty where the cookie is none, or too old."""
        try:
            return str(self._sessions.loads(cookie, max_age=self.session_seconds))
        except BadData:
            return ""


def _away() -> Refusal:
    detail = "The database is away, so that keys cannot be checked. Try again later."
    return Refusal("records-unavailable", detail, 5)
