"""The OpenAPI document: what each route may refuse, and the bodies that the routes read themselves."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from dermalens.serve.problems import MEDIA_TYPE, PROBLEMS
from dermalens.serve.schemas import ProblemDetails

_REF: Final = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}
_DESCRIPTION: Final = (
    "Classifies dermatoscopic images of skin lesions into the seven HAM10000 diagnoses and says what to do next. For "
    "research and education; not a medical device. Every refusal is a problem (RFC 9457) with a type that does not "
    "change. An image is sent as the field `image` of a form or as the body itself; nothing is stored unless asked."
)
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of `dermalens keys create`."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
}
_IMAGE_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "image/tiff", "image/bmp", "image/gif")
_BINARY: Final = {"type": "string", "format": "binary"}

IMAGE_PROBLEMS: Final = (
    "undecodable", "too-large", "not-an-image", "invalid", "busy", "draining", "deadline",
)  # fmt: skip
ACCESS_PROBLEMS: Final = ("unauthenticated", "forbidden", "cross-origin", "too-many-requests", "records-unavailable")


def problems(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """The responses of a route that needs a key and may refuse with these, for `responses` of FastAPI."""
    return open_problems(*ACCESS_PROBLEMS, *slugs)


def open_problems(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """Those of a route that is open to all."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        problem = PROBLEMS[slug]
        known = by_status.setdefault(problem.status, {"description": "", "content": {MEDIA_TYPE: {"schema": _REF}}})
        known["description"] = "; ".join(filter(None, (known["description"], f"{problem.title} (`{problem.type}`)")))
        if slug in ("too-many-requests", "busy", "draining", "records-unavailable"):
            known["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return by_status


def image_body(options: type[BaseModel]) -> dict[str, Any]:
    """The body of a route that reads one image, for `openapi_extra` of FastAPI."""
    content: dict[str, Any] = {"multipart/form-data": _form(options, _BINARY | {"description": "The image file."})}
    for kind in (*_IMAGE_TYPES, "application/octet-stream"):
        content[kind] = {"schema": _BINARY}
    return {"requestBody": {"required": True, "content": content}}


def images_body(options: type[BaseModel]) -> dict[str, Any]:
    """The body of a route that reads several images."""
    images = {"type": "array", "items": _BINARY, "minItems": 1, "description": "The image files."}
    form = _form(options, images)
    form["schema"]["properties"]["name"] = {
        "type": "array",
        "items": {"type": "string", "maxLength": 200},
        "description": "What the answers call the images, in their order; as many as images, or none.",
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": form}}}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    own = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(own.pop("$defs", {}))
    schemas[ProblemDetails.__name__] = own
    document["components"]["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1/") or path == "/metrics":
                operation["security"] = [{name: []} for name in _SCHEMES]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    app.openapi_schema = document
    return document


def _form(options: type[BaseModel], image: dict[str, Any]) -> dict[str, Any]:
    properties = options.model_json_schema()["properties"]
    schema = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": image, **{name: _written(one) for name, one in properties.items()}},
        "additionalProperties": False,
    }
    return {"schema": schema}


def _written(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a form's field. One that is left out stands for null; "Try it out" begins with what it shows."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    rest = {name: value for name, value in field.items() if name not in ("anyOf", "title")}
    if rest.get("default", "") is None:
        rest = {name: value for name, value in rest.items() if name not in ("default", "examples")} | {"example": ""}
    return {**rest, **kinds[0]} if kinds else rest
