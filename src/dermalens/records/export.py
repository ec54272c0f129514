"""All that an owner has kept, to take away: as JSON, or as a ZIP with the images."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from sqlalchemy import select

from dermalens.records.case import Case
from dermalens.records.cases import Wanted, search
from dermalens.records.errors import RecordsError
from dermalens.records.store import Records
from dermalens.records.tables import CaseRow

FORMAT_VERSION: Final = 1

_PAGE: Final = 100


def export_json(records: Records, owner: str) -> Iterator[bytes]:
    """A JSON document in pieces, the newest case first; no connection is held between the pieces.

    Raises:
        RecordsError: the database went away, perhaps in the middle.
    """
    about = {"format": "dermalens-cases", "version": FORMAT_VERSION, "exported": datetime.now(UTC).isoformat()}
    yield json.dumps(about)[:-1].encode() + b', "cases": ['
    separator = b"\n"
    for case in _all_cases(records, owner):
        yield separator + json.dumps(_as_dict(records, case), ensure_ascii=False).encode()
        separator = b",\n"
    yield b"\n]}\n"


def export_zip(records: Records, owner: str, target: BinaryIO) -> None:
    """A ZIP of `cases.json` and the images that it names, each once.

    Raises:
        RecordsError: the database went away, or an image is missing; the ZIP is not complete then.
    """
    with zipfile.ZipFile(target, "w") as archive:
        document = zipfile.ZipInfo("cases.json", date_time=datetime.now(UTC).timetuple()[:6])
        document.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(document, "w", force_zip64=True) as stream:
            for piece in export_json(records, owner):
                stream.write(piece)
        written: set[str] = set()
        for case in _all_cases(records, owner):
            if case.image_sha256 not in written:
                _add_image(records, case, archive)
                written.add(case.image_sha256)


def _add_image(records: Records, case: Case, archive: zipfile.ZipFile) -> None:
    try:
        png = records.images.read(case.image_sha256)
    except RecordsError:
        if _is_deleted(records, case):
            return
        raise
    name = zipfile.ZipInfo(_image_name(case), date_time=case.created.timetuple()[:6])
    archive.writestr(name, png)  # stored: a PNG is compressed already


def _is_deleted(records: Records, case: Case) -> bool:
    """Whether the case went while the export was written."""
    with records.reading() as session:
        return session.scalar(select(CaseRow.id).where(CaseRow.id == case.id)) is None


def _all_cases(records: Records, owner: str) -> Iterator[Case]:
    cursor = None
    while True:
        found = search(records, owner, Wanted(after=cursor, limit=_PAGE))
        yield from found.cases
        cursor = found.cursor
        if cursor is None:
            return


def _as_dict(records: Records, case: Case) -> dict[str, Any]:
    embedding = _embedding(records, case)
    return {
        "id": case.id,
        "created": case.created.isoformat(),
        "patient": asdict(case.patient),
        "lesion": case.lesion or None,
        "note": case.note,
        "consent": case.consent,
        "image": _image_name(case),
        "square": None if case.square is None else list(case.square),
        "answer": case.answer,
        "feedback": [{**asdict(one), "created": one.created.isoformat()} for one in case.feedback],
        "embedding_float32_base64": None if embedding is None else base64.b64encode(embedding).decode(),
    }


def _embedding(records: Records, case: Case) -> bytes | None:
    with records.reading() as session:
        return session.scalar(select(CaseRow.embedding).where(CaseRow.id == case.id))


def _image_name(case: Case) -> str:
    return f"images/{case.image_sha256}.png"
