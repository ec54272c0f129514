"""All that an owner has kept, to take away: as JSON, or as a ZIP with the images."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from sqlalchemy import select

from dermalens.records.case import Case
from dermalens.records.cases import Found, Wanted, search
from dermalens.records.errors import RecordsError, Stopped
from dermalens.records.store import Records
from dermalens.records.tables import CaseRow

FORMAT_VERSION: Final = 1

_PAGE: Final = 100


def export_json(records: Records, owner: str) -> Iterator[bytes]:
    """A JSON document in pieces, the newest case first; no connection is held between the pieces.

    Raises:
        RecordsError: the database is away; or, while the pieces are taken, it went away in the middle.
    """
    first = search(records, owner, Wanted(limit=_PAGE))  # now, and not when the first piece has been sent
    return _document(_as_dict(records, case) for case in _from(first, records, owner))


def export_zip(
    records: Records, owner: str, target: BinaryIO, *, is_stopped: Callable[[], bool] = lambda: False
) -> None:
    """A ZIP of the images, each once, and `cases.json`, which names them.

    An image that is missing or damaged is left out: its cases have `image` null, and why in `image_error`.

    Raises:
        RecordsError: the database went away, or (Stopped) `is_stopped` says so; the ZIP is not complete then.
    """
    with zipfile.ZipFile(target, "w") as archive:
        errors: dict[str, str | None] = {}
        for case in _unless(is_stopped, _all_cases(records, owner)):
            if case.image_sha256 not in errors:
                errors[case.image_sha256] = _add_image(records, case, archive)
        document = zipfile.ZipInfo("cases.json", date_time=datetime.now(UTC).timetuple()[:6])
        document.compress_type = zipfile.ZIP_DEFLATED
        again = _unless(is_stopped, _all_cases(records, owner))
        kept = (case for case in again if case.image_sha256 in errors)  # none of meanwhile
        with archive.open(document, "w", force_zip64=True) as stream:
            for piece in _document(_as_dict(records, case, errors[case.image_sha256]) for case in kept):
                stream.write(piece)


def _document(cases: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    about = {"format": "dermalens-cases", "version": FORMAT_VERSION, "exported": datetime.now(UTC).isoformat()}
    yield json.dumps(about)[:-1].encode() + b', "cases": ['
    separator = b"\n"
    for case in cases:
        yield separator + json.dumps(case, ensure_ascii=False).encode()
        separator = b",\n"
    yield b"\n]}\n"


def _add_image(records: Records, case: Case, archive: zipfile.ZipFile) -> str | None:
    """Why the image is not added; None where it is."""
    try:
        png = records.images.read(case.image_sha256)
    except RecordsError as error:
        return str(error)
    name = zipfile.ZipInfo(_image_name(case), date_time=case.created.timetuple()[:6])
    archive.writestr(name, png)  # stored: a PNG is compressed already
    return None


def _all_cases(records: Records, owner: str) -> Iterator[Case]:
    yield from _from(search(records, owner, Wanted(limit=_PAGE)), records, owner)


def _from(found: Found, records: Records, owner: str) -> Iterator[Case]:
    yield from found.cases
    while found.cursor is not None:
        found = search(records, owner, Wanted(after=found.cursor, limit=_PAGE))
        yield from found.cases


def _unless(is_stopped: Callable[[], bool], cases: Iterator[Case]) -> Iterator[Case]:
    for case in cases:
        if is_stopped():
            raise Stopped("The ZIP is not complete: the work was stopped. Ask for it again.")
        yield case


def _as_dict(records: Records, case: Case, image_error: str | None = None) -> dict[str, Any]:
    embedding = _embedding(records, case)
    image = {"image": None, "image_error": image_error} if image_error else {"image": _image_name(case)}
    return {
        "id": case.id,
        "created": case.created.isoformat(),
        "patient": asdict(case.patient),
        "lesion": case.lesion or None,
        "note": case.note,
        "taken_on": None if case.taken_on is None else case.taken_on.isoformat(),
        "consent": case.consent,
        **image,
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
