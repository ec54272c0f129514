"""Every request is counted, timed and logged, and what fails unexpectedly is answered as a problem without a trace."""

from __future__ import annotations

import time
import uuid
from types import TracebackType

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from dermalens.serve.problems import Refusal, problem_response
from dermalens.serve.telemetry import Telemetry

UNMATCHED = "unmatched"
"""The route of a request that no route takes; its path would be a label that anybody can choose."""

_BESIDE = frozenset({"/openapi.json"})
"""Paths of routes that are none of FastAPI's."""


class Observed:
    """Middleware around all that may fail; sets `started` (of `time.monotonic`) and `request_id` of `request.state`."""

    def __init__(self, app: ASGIApp, *, telemetry: Telemetry, logger: FilteringBoundLogger) -> None:
        self._app = app
        self._telemetry = telemetry
        self._logger = logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, send)
        with _Unexpected(self._logger, request) as unexpected:
            await self._app(scope, receive, request.send)
        if unexpected.happened and request.status is None:
            detail = f"The server has failed. Its log tells more under the request id {request.id}."
            await problem_response(Refusal("internal", detail))(scope, receive, request.send)
        self._note(request)

    def _note(self, request: _Request) -> None:
        seconds = time.monotonic() - request.started
        route, method, status = request.route, request.method, request.status or 0
        self._telemetry.requests.labels(method, route, str(status)).inc()
        self._telemetry.request_seconds.labels(route).observe(seconds)
        self._logger.info(
            "request",
            method=method,
            route=route,
            status=status,
            seconds=round(seconds, 6),
            request_id=request.id,
            key_id=request.key_id,
            **request.trouble,
        )


class _Request:
    """One request, as far as it is noted."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.started = time.monotonic()
        self.id = uuid.uuid4().hex
        self.status: int | None = None
        scope["state"] = {**scope.get("state", {}), "started": self.started, "request_id": self.id}

    @property
    def method(self) -> str:
        method: str = self._scope["method"]
        return method if method in {"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"} else "other"

    @property
    def route(self) -> str:
        """The template of the route, such as /v1/predictions/{case_id}."""
        path = self._scope["path"]
        if path in _BESIDE:
            return str(path)
        if path.startswith("/static/"):
            return "/static"
        return str(getattr(self._scope.get("route"), "path", UNMATCHED)) or UNMATCHED

    @property
    def key_id(self) -> str | None:
        key_id: str | None = self._scope["state"].get("key_id")
        return key_id

    @property
    def trouble(self) -> dict[str, str]:
        """The kind of refusal, and what is wrong with the records, where there is such."""
        state = self._scope["state"]
        return {name: state[name] for name in ("problem", "error") if name in state}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.id.encode())]
        await self._send(message)


class _Unexpected:
    """Logs what nobody has caught, with its trace, and goes on; cancellation passes."""

    def __init__(self, logger: FilteringBoundLogger, request: _Request) -> None:
        self._logger = logger
        self._request = request
        self.happened = False

    def __enter__(self) -> _Unexpected:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.happened = True
        self._logger.error(
            "unexpected", request_id=self._request.id, route=self._request.route, exc_info=(kind, error, _)
        )
        return True
