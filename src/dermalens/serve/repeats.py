"""What is sent once more just as it was keeps no second case: the id of a case follows from all that was sent."""

from __future__ import annotations

from hashlib import sha256


def case_id_of(owner: str, key: str, image: bytes, said: str) -> str:
    """The id of the case that is to be kept for an image and what was said of it.

    `key` tells what is repeated from what is meant to be kept twice: the client's own, or that of a form.
    """
    content = sha256(image)
    for text in (owner, key, said):
        part = text.encode("utf-8", "replace")
        content.update(b"%d:" % len(part) + part)
    return content.hexdigest()[:32]
