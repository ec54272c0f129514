"""What the API answers instead of a result: problem details (RFC 9457) with types that stay the same.

`type` is `/problems/SLUG`, a reference to the page of this server that explains it. A status may have several types:
503 is `busy`, `draining` and `records-unavailable`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request, Response

from dermalens.core.errors import DermaLensError

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of refusal."""

    slug: str
    status: int
    title: str
    about: str
    """What it means and what to do, for the page that explains it."""

    @property
    def type(self) -> str:
        """The reference that a client compares."""
        return f"/problems/{self.slug}"


PROBLEMS: Final = MappingProxyType(
    {
        problem.slug: problem
        for problem in (
            Problem(
                "undecodable",
                400,
                "The image or the body cannot be decoded",
                "The file is of a known format but damaged, cut off, empty or out of bounds, or the form around "
                "it is malformed. Copy or export the image again, or send it as the body itself.",
            ),
            Problem(
                "unauthenticated",
                401,
                "A key is needed",
                "No valid API key was sent. Send one as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'; the "
                "operator makes keys with 'dermalens keys create'.",
            ),
            Problem(
                "forbidden",
                403,
                "The key does not allow this",
                "The key is valid, but lacks the scope that this needs. Ask the operator for a key with that scope.",
            ),
            Problem(
                "cross-origin",
                403,
                "The request came from another site",
                "A page of another site, or one under a name that this server does not answer to, tried to use "
                "it. Open the page of this server itself, or send a key.",
            ),
            Problem(
                "not-found",
                404,
                "There is nothing here",
                "The address is wrong, the case or job was deleted, or it belongs to another key.",
            ),
            Problem(
                "method-not-allowed",
                405,
                "The method does not fit the address",
                "The address exists, but not for this HTTP method. The header Allow names those that it has.",
            ),
            Problem(
                "too-large",
                413,
                "The request is too large",
                "The body is larger than the operator allows. Save the image as JPEG or crop it to the lesion.",
            ),
            Problem(
                "not-an-image",
                415,
                "This is no image that is read",
                "JPEG, PNG, WebP, TIFF, BMP and GIF are read, as the form field 'image' or as the body itself "
                "with an image's content type.",
            ),
            Problem(
                "invalid",
                422,
                "A value cannot be used",
                "An option is unknown or out of range, or something needed is missing; the detail names it.",
            ),
            Problem(
                "too-many-requests",
                429,
                "The key has used up its requests for now",
                "Each key has a number of requests a minute. Try again after the seconds of Retry-After.",
            ),
            Problem(
                "internal",
                500,
                "The server has failed",
                "This is a mistake of the server, not of the request. The operator finds it in the log under "
                "the request id of the header X-Request-ID.",
            ),
            Problem(
                "busy",
                503,
                "The server is busy",
                "More images are waiting than the queue holds, or another download of all your cases is under way. "
                "Try again after the seconds of Retry-After.",
            ),
            Problem(
                "draining",
                503,
                "The server is shutting down",
                "It finishes what it has accepted and takes nothing new. Try again after the seconds of Retry-After.",
            ),
            Problem(
                "records-unavailable",
                503,
                "The records cannot be used",
                "The database or the folder of the images is away or full, or this server keeps no records. "
                "Images are classified all the same.",
            ),
            Problem(
                "deadline",
                504,
                "The answer was not ready in time",
                "The request waited longer than the operator allows and was given up. Try again later.",
            ),
        )
    }
)
"""By slug. The slugs and statuses are part of the interface and do not change."""


@dataclass(eq=False)
class Refusal(DermaLensError):  # noqa: N818  (what is sent, not what is wrong with us)
    """A request that is answered with a problem."""

    slug: str
    detail: str
    retry_after_seconds: int | None = None
    errors: tuple[dict[str, Any], ...] = ()
    """The single values that cannot be used: `where` and `message`."""
    headers: dict[str, str] = field(default_factory=dict)
    is_translated: bool = False
    """The detail is in the language of the reader already."""

    def __str__(self) -> str:
        return self.detail

    @property
    def problem(self) -> Problem:
        """Its kind."""
        return PROBLEMS[self.slug]


Show = Callable[[Request, Refusal], Awaitable[Response]]
"""How a refusal is answered."""


def problem_response(refusal: Refusal) -> Response:
    """The answer for a refusal."""
    problem = refusal.problem
    content: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": refusal.detail,
    }
    if refusal.errors:
        content["errors"] = list(refusal.errors)
    headers = dict(refusal.headers)
    if refusal.retry_after_seconds is not None:
        headers["Retry-After"] = str(refusal.retry_after_seconds)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="DermaLens"'
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, problem.status, headers, MEDIA_TYPE)


def slug_of_status(status: int) -> str:
    """The kind of refusal for a status that a library chose.

    >>> slug_of_status(405), slug_of_status(400), slug_of_status(418)
    ('method-not-allowed', 'undecodable', 'invalid')
    """
    for problem in PROBLEMS.values():
        if problem.status == status:
            return problem.slug
    return "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid"
