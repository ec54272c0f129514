"""Who makes a request, as a dependency of a route: `caller: Predicts`, `Reads` or `Admin`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from dermalens.records.store import LOCAL as LOCAL_OWNER
from dermalens.serve.origin import SAFE
from dermalens.serve.problems import Refusal
from dermalens.serve.running import Running, running_of

SESSION_COOKIE: Final = "dermalens_session"
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    owner: str
    """Owner of what the caller keeps: the id of the key."""
    scopes: frozenset[str]

    def need(self, scope: str) -> None:
        """Refuse a caller without this scope.

        Raises:
            Refusal: the scope is missing.
        """
        if scope not in self.scopes:
            raise Refusal("forbidden", f"The key lacks the scope {scope!r}. Ask the operator for one with it.")


LOCAL: Final = Caller(LOCAL_OWNER, frozenset({"predict", "records", "admin"}))
"""Whoever uses a server without keys."""


async def caller_of(request: Request) -> Caller:
    """The caller, by key, by session of the page, or because no key is needed.

    Raises:
        Refusal: no valid key, too many requests of it, or a name that an open server does not answer to.
    """
    running = running_of(request)
    keyring = running.keyring
    text, cookie = _key_text(request), request.cookies.get(SESSION_COOKIE)
    key = await keyring.check(text) if text else await keyring.of_session(cookie) if cookie else None
    if key is not None:
        request.state.key_id = key.id
        if is_counted(request):
            keyring.count(key)
        return Caller(key.id, frozenset(key.scopes))
    if text is None and await keyring.is_open():
        _check_host(request, running)
        return LOCAL
    wrong = "This key is unknown or was revoked." if text else "No key was sent."
    raise Refusal("unauthenticated", f"{wrong} Send one as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.")


def is_counted(request: Request) -> bool:
    """Whether the rate limit counts a request; not the pages and pictures.

    Those to the API, what a page sends, what asks the model anew for a kept case, and the export of all cases.
    """
    path = request.url.path
    asks_anew = path.endswith("/report.pdf") or "heatmap" in request.query_params
    return request.method not in SAFE or path.startswith(("/v1/", "/export.")) or asks_anew


async def sign_in(request: Request, response: Response, key_text: str) -> Caller | None:
    """Begin a session of the page with a key and set its cookie; None, and no cookie, where the key is not valid.

    Raises:
        Refusal: the database is away.
    """
    keyring = running_of(request).keyring
    key = await keyring.check(key_text)
    if key is None:
        return None
    response.set_cookie(
        SESSION_COOKIE,
        keyring.session(key),
        max_age=keyring.session_seconds,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Caller(key.id, frozenset(key.scopes))


def sign_out(response: Response) -> None:
    """End the session of the page."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")


def _key_text(request: Request) -> str | None:
    """The key of the headers; None where there is none."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text.strip():
        return text.strip()
    return request.headers.get("x-api-key") or (scheme or None)


def _check_host(request: Request, running: Running) -> None:
    """Refuse other names on a loopback address: a foreign page can point its own name here (DNS rebinding)."""
    settings = running.service.settings
    if not settings.is_loopback:
        return
    host = request.headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in LOOPBACK_NAMES and name not in settings.allowed_hosts and name != settings.host.lower():
        raise Refusal(
            "cross-origin",
            f"This server answers as 127.0.0.1 or localhost, not under the name {name[:100]!r}, as long as it needs "
            "no key. Use that name, make a key, or set DERMALENS_ALLOWED_HOSTS.",
        )


async def _predicts(request: Request) -> Caller:
    return await _with_scope(request, "predict")


async def _reads(request: Request) -> Caller:
    return await _with_scope(request, "records")


async def _admin(request: Request) -> Caller:
    return await _with_scope(request, "admin")


async def _with_scope(request: Request, scope: str) -> Caller:
    caller = await caller_of(request)
    request.state.scopes = caller.scopes
    caller.need(scope)
    return caller


async def _looks(request: Request) -> None:
    """Remember what a caller may do on a page that is open to all."""
    with suppress(Refusal):
        request.state.scopes = (await caller_of(request)).scopes


Predicts = Annotated[Caller, Depends(_predicts)]
Reads = Annotated[Caller, Depends(_reads)]
Admin = Annotated[Caller, Depends(_admin)]

MAY_PREDICT: Final = Depends(_predicts)
"""For a route that needs the caller's scope and not the caller."""
MAY_OPERATE: Final = Depends(_admin)
MAY_LOOK: Final = Depends(_looks)
