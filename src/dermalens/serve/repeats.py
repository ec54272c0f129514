"""What is sent once more just as it was is done once: the id of a case or a batch follows from all that was sent."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Any text, new for every case or batch. A request that is sent again just as it was, because its "
        "answer was lost, keeps no second case and begins no second batch; with other images or options it does.",
    ),
]


def id_of(owner: str, key: str, images: Iterable[bytes], said: str) -> str:
    """The id, 32 hexadecimal digits, of the case or batch that is made of images and what was said of them.

    `key` tells what is repeated from what is meant to be done twice: the client's own, or that of a form.
    """
    content = sha256()
    for image in images:
        content.update(sha256(image).digest())
    for text in (owner, key, said):
        part = text.encode("utf-8", "replace")
        content.update(b"%d:" % len(part) + part)
    return content.hexdigest()[:32]
