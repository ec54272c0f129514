"""Another site's page may not act through the reader's browser: the origin of unsafe requests is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dermalens.serve.problems import Refusal, Show

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class OriginCheck:
    """Middleware; `show` makes the answer. A request with a key in its headers is no browser's doing, and passes."""

    def __init__(self, app: ASGIApp, *, show: Show, refused: Callable[[str], None]) -> None:
        self._app = app
        self._show = show
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE and is_cross_origin(Headers(scope=scope)):
            detail = "This request came from a page of another site. Use the page of this server, or send a key."
            self._refused("cross-origin")
            response = await self._show(Request(scope), Refusal("cross-origin", detail))
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_cross_origin(headers: Headers) -> bool:
    """Whether a browser says that another origin's page made the request; a client that is none says nothing.

    Only host and port of Origin are compared: behind a proxy that ends TLS this server does not see the scheme.
    """
    if "authorization" in headers or "x-api-key" in headers:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and _place(origin) != headers.get("host", "").lower()


def _place(origin: str) -> str | None:
    """Host and port; None where it is no address, such as `http://[`."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
