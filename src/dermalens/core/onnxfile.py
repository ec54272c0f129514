"""Looks into an ONNX file without the `onnx` package: does it want data from other files?

An ONNX graph may name files that hold its weights. ONNX Runtime would open them wherever the path points, so a
bundle, whose graphs are covered by a SHA-256, may not have any. The file is protobuf; only the fields that lead to
tensors are followed. Field numbers: onnx/onnx.proto of ONNX 1.16 (unchanged since IR version 3, functions since 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dermalens.core.errors import BundleError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types; the deprecated groups (3 and 4) occur in no ONNX file."""

_CHILDREN: Final = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse_tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse_tensor", 23: "sparse_tensor"},
    "sparse_tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external_data"},
}
"""For each message the fields that lead to a tensor, and what message they hold."""

_DATA_LOCATION: Final = 14
"""Field of a tensor; 0 is "in this file", 1 "in another"."""


def external_data(model: bytes) -> list[str]:
    """Paths of the files that the graph would load its tensors from, "" for an unnamed one; [] when none.

    Raises:
        BundleError: the bytes are not a protobuf message.
    """
    found: list[str] = []
    pending = [("model", memoryview(model))]
    while pending:
        message, content = pending.pop()
        for field, value in _fields(content):
            child = _CHILDREN[message].get(field)
            if isinstance(value, int):
                if message == "tensor" and field == _DATA_LOCATION and value:
                    found.append("")
            elif child == "external_data":
                found.append(_location(value))
            elif child is not None:
                pending.append((child, value))
    return sorted(set(found))


def _location(entry: memoryview) -> str:
    """The path in a StringStringEntryProto (key 1, value 2) whose key is "location", else ""."""
    pair = {
        field: bytes(value).decode("utf-8", "replace") for field, value in _fields(entry) if not isinstance(value, int)
    }
    return pair.get(2, "") if pair.get(1) == "location" else ""


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Fields of one protobuf message: number, and the integer or the bytes."""
    position = 0
    while position < len(content):
        key, position = _varint(content, position)
        if key >= 1 << 32:  # other readers of protobuf drop what is above and would see another field
            raise BundleError("not an ONNX file: a field number is too large")
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(content, position)
            yield field, value
            continue
        if wire == _BYTES:
            size, position = _varint(content, position)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise BundleError(f"not an ONNX file: field {field} has the wire type {wire}")
        if position + size > len(content):
            raise BundleError("not a complete ONNX file: it ends inside a field")
        yield field, content[position : position + size]
        position += size


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """An integer of seven bits a byte, lowest first, and the position after it."""
    value = 0
    for step, byte in enumerate(content[position : position + 10]):
        value |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return value, position + step + 1
    raise BundleError("not a complete ONNX file: it ends inside a number")
