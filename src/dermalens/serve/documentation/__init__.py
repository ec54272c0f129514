"""The page of the API at /docs: Swagger UI from the files of a package, without a CDN and without inline script."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response

FILES: Final = {
    "swagger-ui.css": ("fastapi_swagger.resources", "text/css"),
    "swagger-ui-bundle.js": ("fastapi_swagger.resources", "text/javascript"),
    "start.js": (__name__, "text/javascript"),
}
"""File to the package that carries it and its type."""


def docs_router() -> APIRouter:
    """The page and its files; each is read when it is asked for."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/docs", _serve(__name__, "docs.html", "text/html"), methods=["GET"])
    for name, (package, kind) in FILES.items():
        router.add_api_route(f"/docs/{name}", _serve(package, name, kind), methods=["GET"])
    return router


def _serve(package: str, name: str, kind: str) -> Callable[[], Response]:
    def serve() -> Response:
        return Response(files(package).joinpath(name).read_bytes(), media_type=kind)

    return serve
