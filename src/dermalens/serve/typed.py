"""A note or comment as it is sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from dermalens.records.texts import MAX_TEXT, one_line_end

Typed = Annotated[
    str,
    Field(max_length=MAX_TEXT),
    BeforeValidator(lambda given: one_line_end(given) if isinstance(given, str) else given),
]
"""Of a request. A form sends two characters for a line end; it is counted as it is kept, as one."""
