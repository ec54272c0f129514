"""A kept case: its page, its image, what is changed of it, and its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from dermalens.records.cases import As, Case, delete, describe, find, image_of, lesions
from dermalens.records.errors import BadValue, RecordsError
from dermalens.records.feedback import add_feedback
from dermalens.records.texts import MAX_LINE, MAX_TEXT
from dermalens.serve.access import Caller, Reads
from dermalens.serve.api.answers import case_content
from dermalens.serve.pages.answer_view import view_of
from dermalens.serve.pages.case_view import age_words, case_view, facts_of, feedback_of, frame_of, square_of
from dermalens.serve.pages.days import read_day, today
from dermalens.serve.pages.explanation import can_explain, layers_anew, report_of
from dermalens.serve.pages.history import label_choices
from dermalens.serve.pages.i18n import N_, Language
from dermalens.serve.pages.layers import Layers
from dermalens.serve.pages.numbers import read_number
from dermalens.serve.pages.problems import ProblemView, problem_view
from dermalens.serve.pages.rendering import language_for, page
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.words import FEEDBACK_KINDS, SEXES, site_choices
from dermalens.serve.problems import Refusal
from dermalens.serve.running import running_of
from dermalens.serve.turns import in_turn

router = APIRouter(include_in_schema=False)

DONE: Final = {
    "about": N_("What you changed is kept."),
    "feedback": N_("Thank you. The feedback is kept with the case."),
}
"""What the page says after a form, by the form's name."""

ABOUT: Final = ("note", "lesion", "taken_on", "age_years", "sex", "site")
"""The fields of the form that changes what is said of a case."""

NOTHING_SAID: Final = {"kind": "agree", "label": "", "comment": ""}
"""The form of the feedback at first."""

Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was not kept: why, and what was typed, which is shown again."""

    problem: ProblemView
    typed: dict[str, str]


@router.get("/cases/{case_id}")
async def case_page(
    request: Request, caller: Reads, case_id: str, done: str = "", *, heatmap: bool = False
) -> Response:
    """A case with its answer as it was kept; its heat map, which is not kept, is made anew where it is asked for."""
    records = running_of(request).needed_records
    case = await to_thread.run_sync(find, records, caller.owner, case_id)
    layers = await layers_anew(request, case) if heatmap and can_explain(request, case) else None
    return await _shown(request, case, done=done, layers=layers)


@router.get("/cases/{case_id}/image")
async def case_image(request: Request, caller: Reads, case_id: str) -> Response:
    """The kept image; always a PNG, and an attachment where it is opened by itself."""
    png = await to_thread.run_sync(image_of, running_of(request).needed_records, caller.owner, case_id)
    headers = {"Content-Disposition": f'attachment; filename="dermalens-{case_id[:8]}.png"'}
    return Response(png, media_type="image/png", headers=headers)


@router.get("/cases/{case_id}/square")
async def case_square(request: Request, caller: Reads, case_id: str) -> Response:
    """The square that the model saw, small, for lists and for the comparison over time."""
    records = running_of(request).needed_records
    case = await to_thread.run_sync(find, records, caller.owner, case_id)

    def make() -> bytes:
        return square_of(case, records.images.read(case.image_sha256))

    headers = {"Content-Disposition": f'attachment; filename="dermalens-{case_id[:8]}-square.jpg"'}
    return Response(await in_turn(request, make), media_type="image/jpeg", headers=headers)


@router.get("/cases/{case_id}/report.pdf")
async def case_report(request: Request, caller: Reads, case_id: str) -> Response:
    """The case on one page of PDF, with the heat map where this bundle gave the answer."""
    pdf = await report_of(request, caller, case_id, language_for(request))
    headers = {"Content-Disposition": f'inline; filename="dermalens-{case_id[:8]}.pdf"'}
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.get("/cases/{case_id}/answer.json")
async def case_json(request: Request, caller: Reads, case_id: str) -> Response:
    """The case as the API gives it."""
    case = await to_thread.run_sync(find, running_of(request).needed_records, caller.owner, case_id)
    headers = {"Content-Disposition": f'attachment; filename="dermalens-{case_id[:8]}.json"'}
    content = json.dumps(case_content(case), ensure_ascii=False, indent=2)
    return Response(content.encode("utf-8", "replace"), media_type="application/json", headers=headers)


@router.get("/cases/{case_id}/about")
@router.get("/cases/{case_id}/feedback")
async def case_again(_: Reads, case_id: str) -> Response:
    """What a form sent is not in its address: back to the case."""
    return RedirectResponse(f"/cases/{quote(case_id)}", HTTPStatus.SEE_OTHER)


@router.post("/cases/{case_id}/about")
async def change_about(request: Request, caller: Reads, case_id: str) -> Response:
    """Put what was sent of a case in the place of what stood there; an empty field takes it off."""
    records, language = running_of(request).needed_records, language_for(request)
    typed = await _about(request)

    def change() -> Case:
        texts = {name: typed.get(name) for name in ("note", "lesion", "sex", "site")}
        day = read_day(typed["taken_on"], language) if "taken_on" in typed else As.IT_IS
        age = read_number(typed["age_years"], language) if "age_years" in typed else As.IT_IS
        return describe(records, caller.owner, case_id, **texts, taken_on=day, age_years=age)

    return await _changed(request, caller, change, "about", typed)


@router.post("/cases/{case_id}/feedback")
async def give_feedback(  # noqa: PLR0913  (three are fields of the form)
    request: Request, caller: Reads, case_id: str, *, kind: Text = "", label: Text = "", comment: Text = ""
) -> Response:
    """Add what somebody says of the case; a diagnosis goes with all but agreement."""
    typed, language = {"kind": kind, "label": label, "comment": comment}, language_for(request)
    if kind != "agree" and not label:
        return await _refused(request, caller, language.gettext("Choose which class you mean."), typed)
    if kind == "agree" and label:
        words = language.gettext(
            "A class goes with another opinion only. Choose what you say anew, or take the class back."
        )
        return await _refused(request, caller, words, typed)
    said = partial(
        add_feedback,
        running_of(request).needed_records,
        caller.owner,
        case_id,
        kind=kind,
        label=label,
        comment=comment,
    )
    return await _changed(request, caller, said, "feedback", typed)


@router.get("/cases/{case_id}/delete")
async def delete_page(request: Request, caller: Reads, case_id: str) -> Response:
    """Ask once more."""
    case = await to_thread.run_sync(find, running_of(request).needed_records, caller.owner, case_id)
    return page(request, "delete.html", case=case_view(case, language_for(request)))


@router.post("/cases/{case_id}/delete")
async def delete_case(request: Request, caller: Reads, case_id: str) -> Response:
    """Erase the case."""
    await to_thread.run_sync(delete, running_of(request).needed_records, caller.owner, case_id)
    return RedirectResponse("/history?done=deleted", HTTPStatus.SEE_OTHER)


async def _about(request: Request) -> dict[str, str]:
    """The fields that were sent: a parameter of the route would not tell an empty one from one that is not there."""
    async with request.form() as form:
        given = {name: form[name] for name in ABOUT if name in form}
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
    if not texts or len(texts) < len(given):
        raise Refusal("invalid", f"Needed is a form with at least one of the texts {', '.join(ABOUT)}, and no file.")
    return texts


async def _changed(
    request: Request, caller: Caller, change: Callable[[], Case], form: str, typed: dict[str, str]
) -> Response:
    """Back to the case, or its page with why the change was not made and what was typed."""
    try:
        await to_thread.run_sync(change)
    except BadValue as error:
        return await _refused(request, caller, say(str(error), language_for(request)), typed)
    return RedirectResponse(f"/cases/{request.path_params['case_id']}?done={form}", HTTPStatus.SEE_OTHER)


async def _refused(request: Request, caller: Caller, detail: str, typed: dict[str, str]) -> Response:
    problem = ProblemView(language_for(request).gettext("This was not kept"), detail)
    records, case_id = running_of(request).needed_records, request.path_params["case_id"]
    case = await to_thread.run_sync(find, records, caller.owner, case_id)
    return await _shown(request, case, refused=Refused(problem, typed))


async def _shown(
    request: Request,
    case: Case,
    *,
    done: str = "",
    refused: Refused | None = None,
    layers: Layers | Refusal | None = None,
) -> Response:
    language, running = language_for(request), running_of(request)
    values: dict[str, Any] = {
        "answer": view_of(case.answer, language, running.service.classifier.bundle),
        "case": case_view(case, language),
        "facts": facts_of(case, language),
        "feedback": feedback_of(case, language),
        "feedback_kinds": [(kind, language.gettext(words)) for kind, words in FEEDBACK_KINDS],
        "labels": label_choices(running.service.classifier.manifest.classes, language),
        "lesions": await to_thread.run_sync(lesions, running.needed_records, case.owner),
        "done": language.gettext(DONE[done]) if done in DONE else None,
        "problem": refused.problem if refused else None,
        "typed": {**_typed(case, language), **(refused.typed if refused else {})},
        "sexes": [(code, language.gettext(words)) for code, words in SEXES],
        "sites": site_choices(language, case.patient.site),
        "today": today(),
        "most_text": MAX_TEXT,
        "most_line": MAX_LINE,
        **_layers_of(request, case, layers),
    }
    try:
        png = await to_thread.run_sync(image_of, running.needed_records, case.owner, case.id)
        values["frame"] = frame_of(case, png)
    except RecordsError:
        values["frame"] = None  # the picture is missing; what was answered is shown all the same
    return page(request, "case.html", status=HTTPStatus.UNPROCESSABLE_ENTITY if refused else HTTPStatus.OK, **values)


def _typed(case: Case, language: Language) -> dict[str, str]:
    """What the forms hold at first."""
    return {
        "note": case.note,
        "lesion": case.lesion,
        "taken_on": case.taken_on.isoformat() if case.taken_on else "",
        "age_years": age_words(case.patient.age_years, language),
        "sex": case.patient.sex,
        "site": case.patient.site,
        **NOTHING_SAID,
    }


def _layers_of(request: Request, case: Case, layers: Layers | Refusal | None) -> dict[str, Any]:
    """The layers, or where they can be asked for and why they were not made."""
    if isinstance(layers, Layers):
        return {"layers": layers}
    return {
        "heatmap_at": f"/cases/{case.id}?heatmap=1#layers-title" if can_explain(request, case) else None,
        "heatmap_error": problem_view(layers, language_for(request)).detail if layers else None,
    }
