"""Which page belongs to an address that is only sent to."""

from __future__ import annotations

import re

from fastapi import Request


def readable_path(request: Request) -> str:
    """The path of a request, or, of one that only sends, that of the page it was sent from, such as that of a case."""
    path = request.url.path
    if request.method in ("GET", "HEAD"):
        return path
    case = re.match(r"/cases/[0-9a-f]{32}(?=/|$)", path)
    return case.group() if case else "/"
