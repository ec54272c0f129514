"""Cases to keep: drawn lesions with an answer in the keys that a record reads."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from dermalens.records.cases import NewCase, Patient
from dermalens.records.store import Records
from tests.tiny_bundle import lesion

OWNER = "local"


def answer(diagnosis: str = "mel", decision: str = "refer", probability: float = 0.9) -> dict[str, Any]:
    return {"diagnosis": diagnosis, "decision": decision, "malignant_probability": probability, "notes": ["Größe"]}


def file_of(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def drawn(code: str = "mel") -> bytes:
    return file_of(lesion(code, (64, 48)))


def new_case(**changes: Any) -> NewCase:
    fields: dict[str, Any] = {
        "answer": answer(),
        "image": drawn(),
        "embedding": b"\0\0\x80\x3f" * 3,
        "patient": Patient(54.0, "female", "left forearm"),
        "consent": "Keep this case.",
    }
    return NewCase(**{**fields, **changes})


def files(records: Records) -> set[str]:
    """Names of all files that the record has beside its database."""
    folders = (records.images.folder, records.images.temporary, records.spool)
    return {path.name for folder in folders for path in folder.rglob("*") if path.is_file()}
