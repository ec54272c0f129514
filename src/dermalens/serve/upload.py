"""The body of a request with images: a form or the bytes themselves, kept in memory and never on a disk."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from dermalens.serve.problems import Refusal
from dermalens.serve.running import running_of

FIELD: Final = "image"
MOST_FIELDS: Final = 200
LONGEST_FIELD_BYTES: Final = 64 * 1024
"""A note of 10,000 characters in any alphabet."""


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent."""

    images: tuple[bytes, ...]
    fields: dict[str, str] = field(default_factory=dict)
    """The last value of each field that is not empty."""
    names: tuple[str, ...] = ()
    """The fields `name`, in their order, empty ones too."""

    @property
    def image(self) -> bytes:
        """The one image.

        Raises:
            Refusal: there is none, or there are several.
        """
        if len(self.images) != 1:
            given = f"{len(self.images)} images were sent" if self.images else "No image was sent"
            raise Refusal("invalid", f"{given}; needed is one, as the file field '{FIELD}' or as the body.")
        return self.images[0]


class _InMemory(MultiPartParser):
    """The parser of Starlette, which would write what is above 1 MiB to a temporary file."""

    spool_max_size = sys.maxsize
    is_whole = False
    """Whether the last boundary has come; a body that ends before it was cut off, perhaps before an option."""

    def on_end(self) -> None:
        super().on_end()
        self.is_whole = True


@asynccontextmanager
async def taken_in(request: Request, *, most_images: int = 1) -> AsyncIterator[Form]:
    """The form of a request that has a place in the queue until the block ends.

    Raises:
        QueueFull, Draining: no place is free; the body is not read.
        UploadLate: the body did not come in time.
        Refusal: it is too large, of an unknown content type or malformed.
    """
    with running_of(request).pool.place():
        yield await _read_form(request, most_images)


async def _read_form(request: Request, most_images: int) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind and request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return Form(())
    if kind == "multipart/form-data":
        return await _multipart(request, most_images)
    if kind == "application/octet-stream" or kind.startswith("image/"):
        return Form((await request.body(),))
    raise Refusal(
        "not-an-image",
        f"The content type {kind[:100]!r} is not read; needed is multipart/form-data with a file field '{FIELD}', or "
        "the image itself with its own content type or application/octet-stream.",
    )


def deadline_of(request: Request) -> float:
    """When the request must be answered, on the clock of `time.monotonic`."""
    started: float = request.state.started
    return started + running_of(request).service.settings.deadline_seconds


async def _multipart(request: Request, most_images: int) -> Form:
    parser = _InMemory(
        request.headers,
        request.stream(),
        max_files=most_images,
        max_fields=MOST_FIELDS,
        max_part_size=LONGEST_FIELD_BYTES,
    )
    try:
        items = (await parser.parse()).multi_items()
    except MultiPartException as error:
        raise Refusal(
            "undecodable", f"The form cannot be used: {error.message} Images at most: {most_images}."
        ) from error
    except UnicodeError as error:  # of a charset that the client names, such as `undefined`
        raise Refusal("undecodable", "The form's text cannot be read in its charset; needed is UTF-8.") from error
    if not parser.is_whole:
        raise Refusal("undecodable", "The form ends before its last boundary: it was cut off. Send it again.")
    images = [value for name, value in items if isinstance(value, UploadFile) and name == FIELD]
    texts = [(name, value) for name, value in items if isinstance(value, str)]
    fields = {name: value for name, value in texts if value}
    foreign = [name for name, value in items if isinstance(value, UploadFile) and name != FIELD]
    if foreign:
        raise Refusal("invalid", f"The file field {foreign[0][:100]!r} is unknown; needed is '{FIELD}'.")
    contents = tuple([image.file.read() for image in images])
    return Form(contents, fields, tuple(value for name, value in texts if name == "name"))
