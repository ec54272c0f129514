"""The history: the search among kept cases, and all of them to take away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO, Any, Final
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from dermalens.core.taxonomy import LABELS
from dermalens.records.cases import Wanted, lesions, search
from dermalens.records.errors import BadValue, Stopped, told
from dermalens.records.export import export_json, export_zip
from dermalens.records.store import Records
from dermalens.serve.access import Reads
from dermalens.serve.answering import ClientGone, gone
from dermalens.serve.exports import Export
from dermalens.serve.pages.case_view import case_view
from dermalens.serve.pages.days import read_day
from dermalens.serve.pages.i18n import N_, Language
from dermalens.serve.pages.problems import ProblemView
from dermalens.serve.pages.rendering import language_for, page
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.words import DECISIONS, clinical_name
from dermalens.serve.pool import Draining
from dermalens.serve.running import running_of

router = APIRouter(include_in_schema=False)

CASES_PER_PAGE: Final = 25
FILTERS: Final = ("since", "until", "decision", "label", "lesion", "text")
CHUNK_BYTES: Final = 256 * 1024
DELETED: Final = N_("The case is deleted.")


@dataclass(frozen=True, slots=True)
class AskedHistory:
    """The fields of the search as they came, to be shown again."""

    since: str = ""
    until: str = ""
    decision: str = ""
    label: str = ""
    lesion: str = ""
    text: str = ""
    after: str = ""

    def wanted(self, language: Language) -> Wanted:
        """The search that they mean.

        Raises:
            BadValue: a date is none.
        """
        return Wanted(
            since=read_day(self.since, language),
            until=read_day(self.until, language),
            decision=self.decision or None,
            label=self.label or None,
            lesion=self.lesion or None,
            text=self.text or None,
            after=self.after or None,
            limit=CASES_PER_PAGE,
            is_for_reader=True,
        )


@router.get("/history")
async def history_page(request: Request, caller: Reads) -> Response:
    """The cases that fit, the newest first."""
    records, language = running_of(request).needed_records, language_for(request)
    asked = AskedHistory(**{name: request.query_params.get(name, "")[:400] for name in (*FILTERS, "after")})
    values: dict[str, Any] = {"cases": (), "status": HTTPStatus.OK}
    try:
        found = await to_thread.run_sync(search, records, caller.owner, asked.wanted(language))
        values |= {
            "cases": [case_view(case, language) for case in found.cases],
            "more": _address(asked, found.cursor) if found.cursor else None,
        }
    except BadValue as error:
        problem = ProblemView(language.gettext("The search cannot be used"), say(str(error), language))
        values |= {"problem": problem, "status": HTTPStatus.UNPROCESSABLE_ENTITY}
    return page(
        request,
        "history.html",
        asked=asked,
        decisions=[(code, language.gettext(words)) for code, words in DECISIONS.items()],
        labels=label_choices(running_of(request).service.classifier.manifest.classes, language),
        lesions=await to_thread.run_sync(lesions, records, caller.owner),
        done=language.gettext(DELETED) if request.query_params.get("done") == "deleted" else None,
        **values,
    )


@router.get("/export.json")
async def all_as_json(request: Request, caller: Reads) -> Response:
    """Every kept case of the caller, without images."""
    running = running_of(request)
    with ExitStack() as held:
        held.enter_context(running.exports.turn(caller.owner))
        content = await to_thread.run_sync(export_json, running.needed_records, caller.owner)
        return Export(content, held.pop_all(), "application/json", _attachment("json"))


@router.get("/export.zip")
async def all_as_zip(request: Request, caller: Reads) -> Response:
    """Every kept case of the caller, with images; written to a file without a name, then sent."""
    with ExitStack() as held:
        held.enter_context(running_of(request).exports.turn(caller.owner))
        file = held.enter_context(await _zip_of(request, caller.owner))
        return Export(_chunks(file), held.pop_all(), "application/zip", _attachment("zip"))


def label_choices(codes: list[str], language: Language) -> list[tuple[str, str]]:
    """Classes to choose from, by their clinical names; those of another bundle's cases as well."""
    ordered = [*codes, *(code for code in LABELS if code not in codes)]
    return [(code, clinical_name(code, language)) for code in ordered]


def _address(asked: AskedHistory, cursor: str) -> str:
    fields = {name: getattr(asked, name) for name in FILTERS if getattr(asked, name)}
    return f"/history?{urlencode(fields | {'after': cursor})}"


async def _zip_of(request: Request, owner: str) -> IO[bytes]:
    """The ZIP in a file without a name.

    Raises:
        ClientGone: nobody waits for it any more.
        Draining: the server has ended.
    """
    running, has_gone = running_of(request), threading.Event()
    watching = asyncio.create_task(gone(request.receive))
    watching.add_done_callback(lambda _: has_gone.set())

    def is_stopped() -> bool:
        return has_gone.is_set() or running.ended.is_set()

    try:
        return await to_thread.run_sync(_zipped, running.needed_records, owner, is_stopped)
    except Stopped as error:
        raise (ClientGone(str(error)) if has_gone.is_set() else Draining()) from error
    finally:
        watching.cancel()


def _zipped(records: Records, owner: str, is_stopped: Callable[[], bool]) -> IO[bytes]:
    with told(), ExitStack() as stack:
        file = stack.enter_context(TemporaryFile(dir=records.images.temporary))  # /tmp may be small
        export_zip(records, owner, file, is_stopped=is_stopped)
        file.seek(0)
        stack.pop_all()  # it is closed when it has been sent
        return file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _attachment(ending: str) -> dict[str, str]:
    day = datetime.now(UTC).date().isoformat()
    return {"Content-Disposition": f'attachment; filename="dermalens-{day}.{ending}"'}
