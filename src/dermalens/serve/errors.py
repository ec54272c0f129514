"""What is raised while a request is answered, as a problem."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse
from starlette.routing import Match, Mount

from dermalens.core.errors import ImageError
from dermalens.serve.addresses import readable_path
from dermalens.serve.answering import ClientGone, image_refusal
from dermalens.serve.origin import SAFE
from dermalens.serve.problems import Refusal, Show, problem_response, slug_of_status
from dermalens.serve.running import running_of

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for the log; nobody receives it."""


def shown_by(page: Show | None) -> Show:
    """How a refusal is answered: by `page` to a reader of the page, as a problem to everybody else.

    A reader without a key is led to where one is asked for, which says that what was sent came too late.
    """

    async def show(request: Request, refusal: Refusal) -> Response:
        request.state.problem = refusal.slug
        if not _is_for_reader(request):
            return problem_response(refusal)
        if refusal.slug == "unauthenticated":
            ended = "" if request.method in SAFE else "&ended=1"
            return RedirectResponse(f"/sign-in?next={quote(readable_path(request))}{ended}", HTTPStatus.SEE_OTHER)
        return await page(request, refusal) if page else problem_response(refusal)

    return show


def add_handlers(app: FastAPI, show: Show) -> None:
    """Translate what is raised; `show` answers with a refusal."""

    async def refuse(request: Request, refusal: Refusal) -> Response:
        if refusal.slug != "too-large":  # which the middleware counts
            running_of(request).telemetry.refused(refusal.slug)
        if refusal.slug == "records-unavailable":
            request.state.error = str(refusal.__cause__ or refusal)  # the operator mends it; nothing of the request
        return await show(request, refusal)

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return await refuse(request, error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        cause = error.__cause__  # as FastAPI wraps what the middleware raised while the body was read
        return await refuse(request, cause if isinstance(cause, Refusal) else _of_http(request, error))

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return await refuse(request, invalid(list(error.errors())))

    async def on_image(request: Request, error: Exception) -> Response:
        assert isinstance(error, ImageError)
        return await refuse(request, image_refusal(error))

    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(ImageError, on_image)
    app.add_exception_handler(ClientGone, _on_gone)
    app.add_exception_handler(ClientDisconnect, _on_gone)  # while its body was read
    _add_records_handlers(app, refuse)


def invalid(errors: list[Any]) -> Refusal:
    """The refusal for the errors of pydantic: where and why, without the values, which may be private."""
    found = tuple(
        {"where": ".".join(str(part) for part in error["loc"]), "message": str(error["msg"])} for error in errors
    )
    first = found[0]
    more = f" {len(found) - 1} more in errors." if len(found) > 1 else ""
    return Refusal("invalid", f"{first['where']}: {first['message']}.{more}", errors=found)


def _add_records_handlers(app: FastAPI, refuse: Show) -> None:
    from dermalens.records.errors import BadValue, NotKept, RecordsError

    slugs: tuple[tuple[type[RecordsError], str], ...] = (
        (NotKept, "not-found"),
        (BadValue, "invalid"),
        (RecordsError, "records-unavailable"),
    )
    for kind, slug in slugs:

        async def on_records(request: Request, error: Exception, slug: str = slug) -> Response:
            assert isinstance(error, RecordsError)
            refusal = Refusal(slug, error.public, 5 if slug == "records-unavailable" else None)
            refusal.__cause__ = error
            return await refuse(request, refusal)

        app.add_exception_handler(kind, on_records)


def _of_http(request: Request, error: HTTPException) -> Refusal:
    slug = slug_of_status(error.status_code)
    if slug == "not-found":
        detail = f"There is nothing at {request.url.path[:200]}. The API is described at /docs."
    elif slug == "method-not-allowed":
        detail = f"{request.method} does not fit {request.url.path[:200]}."
        return Refusal(slug, detail, headers={"Allow": _methods_of(request)})
    else:
        detail = str(error.detail)
    return Refusal(slug, detail, headers=dict(error.headers or {}))


def _methods_of(request: Request) -> str:
    """All methods of the address; Starlette names only those of the first route that has it."""
    scope = request.scope
    fitting = {
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        for route in request.app.routes
        if not isinstance(route, Mount) and route.matches({**scope, "method": method})[0] is Match.FULL
    } or {"GET"}  # a mounted folder has only this one
    return ", ".join(sorted(fitting | ({"HEAD"} if "GET" in fitting else set())))


def _is_for_reader(request: Request) -> bool:
    """Whether a browser shows the answer to a person: pages are outside /v1 and ask for HTML."""
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


async def _on_gone(*_: object) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
