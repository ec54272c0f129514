"""The machine-readable form of a report: every value as plain JSON, undefined as null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from dermalens.core.errors import DataError

FORMAT: Final = "dermalens evaluation 1"
"""The first entry of `report.json`; raised when its keys change their meaning."""

Plain = dict[str, Any]  # JSON: objects, lists, texts, numbers, true, false, null


def plain(value: object) -> Any:
    """A value out of dataclasses, pydantic models, arrays and numbers as JSON knows it; NaN becomes None.

    Raises:
        TypeError: a value of another kind.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, BaseModel):
        value = value.model_dump()
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a report")


def as_text(content: Mapping[str, object]) -> str:
    """The JSON of a report, indented, with a newline at its end."""
    return json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_report(path: Path) -> Plain:
    """Read a `report.json`.

    Raises:
        DataError: the file cannot be read or is not a report of this form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}. Write it: dermalens evaluate BUNDLE INDEX") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}. Write it: dermalens evaluate BUNDLE INDEX") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{path} is not a report of this version: its format is {found!r}, needed is {FORMAT!r}. "
            "Write it again: dermalens evaluate BUNDLE INDEX"
        )
    return dict(content)
