"""No body above the limit is taken in, and none is waited for without end.

A declared length is refused at once, a chunked body when it has grown too large. Pure ASGI, so that the refusal comes
while the body streams and nothing of it is gathered or spooled. A response that comes before the whole body has been
read closes the connection, but not before the client had time to read it: closing a socket with unread bytes resets it,
and the client would see a broken connection instead of the problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dermalens.serve.pool import RETRY_BUSY_SECONDS
from dermalens.serve.problems import Refusal, Show, problem_response

LINGER_SECONDS: Final = 2.0
"""How long the rest of a refused body is read and thrown away."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What is taken in for one request."""

    most_bytes: int
    seconds: float
    """How long its body may take."""


class UploadLate(Refusal):
    """The body did not arrive in time."""

    def __init__(self, seconds: float) -> None:
        detail = f"The upload took longer than {seconds:g} s. Send less at once, or over a faster connection."
        super().__init__("deadline", detail, RETRY_BUSY_SECONDS)


async def _as_problem(_: Request, refusal: Refusal) -> Response:
    return problem_response(refusal)


class BodyLimit:
    """Middleware; `limit_of` gives the limit of a path, `show` makes the answer of a refusal.

    Once `is_closing` says so every response closes its connection, so that a server that stops cuts off nobody.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_of: Callable[[str], Limit],
        show: Show = _as_problem,
        is_closing: Callable[[], bool] = lambda: False,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._app = app
        self._limit_of = limit_of
        self._show = show
        self._is_closing = is_closing
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._limit_of(scope["path"]))
        exchange.closes, exchange.show = self._is_closing, self._show
        if charset := foreign_charset(scope):
            self._refused("undecodable")
            detail = f"The form is said to be in {charset[:40]!r}; needed is UTF-8."
            await exchange.answer(Refusal("undecodable", detail))
        elif exchange.is_declared_too_large:
            await exchange.refuse()
        else:
            await self._app(scope, exchange.receive, exchange.send)
        if exchange.was_too_large:
            self._refused("too-large")


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: Limit) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limit = limit.most_bytes
        self._seconds = limit.seconds
        self._until = asyncio.get_running_loop().time() + limit.seconds
        self._read = 0
        self._declared, self._is_whole = _body_of(scope)
        self._is_too_large = self._is_refused = False
        self.closes: Callable[[], bool] = lambda: False
        self.show: Show = _as_problem

    @property
    def is_declared_too_large(self) -> bool:
        return self._declared is not None and self._declared > self._limit

    @property
    def was_too_large(self) -> bool:
        return self._is_refused

    async def receive(self) -> Message:
        message = await (self._receive() if self._is_whole else self._receive_in_time())
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            self._is_too_large = self._is_too_large or self._read > self._limit
        if self._is_too_large:
            raise self._refusal()
        return message

    async def send(self, message: Message) -> None:
        if self._is_refused:
            return  # what the application says of the error that `receive` raised
        if message["type"] == "http.response.start":
            if self._is_too_large:
                await self.refuse()
                return
            if not self._is_whole or self.closes():
                MutableHeaders(scope=message)["connection"] = "close"
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and not self._is_whole:
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def refuse(self) -> None:
        """Answer 413."""
        self._is_too_large = False
        await self.answer(self._refusal())
        self._is_refused = True

    async def answer(self, refusal: Refusal) -> None:
        """Answer with a refusal."""
        response = await self.show(Request(self._scope), refusal)
        await response(self._scope, self._receive, self.send)

    async def _receive_in_time(self) -> Message:
        try:
            async with asyncio.timeout_at(self._until):
                return await self._receive()
        except TimeoutError:
            raise UploadLate(self._seconds) from None

    def _refusal(self) -> Refusal:
        given = "has more" if self._declared is None else f"has {self._declared:,} bytes"
        return Refusal("too-large", f"The request {given}; at most {self._limit:,} bytes are taken.")

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._is_whole:
                    message = await self._receive()
                    self._is_whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
        except TimeoutError:
            return


def foreign_charset(scope: Scope) -> str:
    """The charset of a form that is not in UTF-8, else nothing.

    Starlette decodes the texts of a form with whatever codec of Python the client names, on the event loop and before
    any key is looked at; some take seconds for a hundred kilobytes.
    """
    kind, options = parse_options_header(Headers(scope=scope).get("content-type"))
    charset = options.get(b"charset", b"utf-8").decode("latin-1").strip().lower()
    return "" if kind != b"multipart/form-data" or charset in _TAKEN else charset or "nothing"


_TAKEN: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def _body_of(scope: Scope) -> tuple[int | None, bool]:
    """The declared length of the body, if it is, and whether there is none."""
    declared, is_chunked = None, False
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            declared = int(value)
        is_chunked = is_chunked or name == b"transfer-encoding"
    return declared, not is_chunked and not declared
