"""The classify page and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from dermalens.core.errors import DermaLensError
from dermalens.predict.prediction import Prediction
from dermalens.records.cases import Case, Lesion, NewCase, lesions
from dermalens.records.errors import RecordsError, log_line, public_line
from dermalens.serve.access import Caller, Predicts
from dermalens.serve.answering import answer
from dermalens.serve.pages.answer_view import view_of
from dermalens.serve.pages.asked import (
    PREVALENCE_COOKIE,
    TYPED,
    AskedFor,
    consent_words,
    form_number,
    own_points,
    percent_text,
    read_asked,
    remembered_share,
)
from dermalens.serve.pages.days import today
from dermalens.serve.pages.layers import layers_of
from dermalens.serve.pages.problems import ProblemView, give_back
from dermalens.serve.pages.rendering import is_fragment, language_for, page
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.words import SEXES, site_choices
from dermalens.serve.repeats import id_of
from dermalens.serve.running import running_of
from dermalens.serve.turns import keep_in_turn
from dermalens.serve.upload import taken_in

router = APIRouter(include_in_schema=False)

YEAR_SECONDS: Final = 365 * 24 * 3600


@router.get("/")
async def classify_page(request: Request, caller: Predicts) -> Response:
    """The form."""
    remembered = percent_text(remembered_share(request), language_for(request))
    return await _form(request, caller, {"prevalence": remembered})


async def _form(
    request: Request,
    caller: Caller,
    typed: Mapping[str, str],
    problem: ProblemView | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    """The page of the form with what was typed, by the names of the fields."""
    service, language = running_of(request).service, language_for(request)
    manifest = service.classifier.manifest
    return page(
        request,
        "classify.html",
        status=status,
        problem=problem,
        typed=dict.fromkeys(TYPED, "") | dict(typed),
        points=own_points(service.classifier, language),
        sexes=[(code, language.gettext(words)) for code, words in SEXES],
        sites=site_choices(language),
        has_outline=service.classifier.outline is not None,
        has_prevalence=manifest.prevalence is not None,
        base_prevalence=manifest.prevalence,
        assumed_prevalence=service.settings.default_prevalence,
        consent=consent_words(service.settings.retention_days, language),
        lesions=await known_lesions(request, caller),
        form_number=form_number(typed) or uuid4().hex,
        today=today(),
        most_bytes=service.settings.max_upload_bytes,
        largest=language.mebibytes(service.settings.max_upload_bytes),
    )


@router.get("/answer")
async def answer_again(_: Predicts) -> Response:
    """What a form sent is not in its address: back to the form."""
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


@router.post("/answer")
async def answer_page(request: Request, caller: Predicts) -> Response:
    """The answer for an image: a part of the page for its module, a whole page without one."""
    running, language = running_of(request), language_for(request)
    async with taken_in(request, most_images=2) as form:
        give_back(request, partial(_form, request, caller, form.fields))
        asked = read_asked(form, running.service.classifier, language)
        if asked.is_kept:
            caller.need("records")
        prediction = (await answer(request, asked.order)).prediction
        layers = await to_thread.run_sync(layers_of, prediction)
        kept = await _kept(request, caller, asked, prediction) if asked.is_kept else {}
    template = "_answer.html" if is_fragment(request) else "answer.html"
    view = view_of(prediction.as_dict(), language, running.service.classifier.bundle)
    values: dict[str, Any] = {"answer": view, "layers": layers, "answered": language.moment(datetime.now(UTC))} | kept
    response = page(request, template, **values)
    _remember(response, asked)
    return response


async def known_lesions(request: Request, caller: Caller) -> tuple[Any, ...]:
    """The lesions that were named before; none where the records are away."""
    records = running_of(request).service.records
    if records is None or "records" not in caller.scopes:
        return ()
    try:
        return await to_thread.run_sync(lesions, records, caller.owner)
    except RecordsError:
        return ()


async def _kept(request: Request, caller: Caller, asked: AskedFor, prediction: Prediction) -> dict[str, Any]:
    """The id of the kept case, and its lesion where that had images before; or why it was not kept.

    The answer is given in either case.
    """
    language = language_for(request)
    try:
        consent = consent_words(running_of(request).service.settings.retention_days, language)
        new = _new_case(asked, prediction, consent)
        number = asked.form_number
        case_id = number and id_of(caller.owner, number, [asked.order.image], asked.said)
        case = await keep_in_turn(request, caller.owner, new, case_id)
    except DermaLensError as error:
        request.state.error = f"not kept: {log_line(error)}"
        reason = say(public_line(error), language)
        return {"kept_error": language.gettext("The case was not kept. {reason}", reason=reason)}
    return {"kept_id": case.id, "kept_lesion": await _seen_before(request, caller, case)}


async def _seen_before(request: Request, caller: Caller, case: Case) -> Lesion | None:
    """The lesion of a case, where it has other images too: they may be of another patient by mistake."""
    known = await known_lesions(request, caller) if case.lesion_id else ()
    return next((one for one in known if one.id == case.lesion_id and one.count > 1), None)


def _new_case(asked: AskedFor, prediction: Prediction, consent: str) -> NewCase:
    square = asked.order.square
    embedding = b"" if prediction.embedding is None else prediction.embedding.astype(np.float32).tobytes()
    return NewCase(
        prediction.as_dict(),
        asked.order.image,
        embedding,
        consent,
        asked.patient,
        asked.lesion,
        asked.note,
        None if square is None else (square.left, square.upper, square.side),
        asked.taken_on,
    )


def _remember(response: Response, asked: AskedFor) -> None:
    """The prevalence of the clinic, in the reader's browser only."""
    share = asked.order.prevalence
    if share is None:
        response.delete_cookie(PREVALENCE_COOKIE, httponly=True, samesite="strict")
    else:
        response.set_cookie(PREVALENCE_COOKIE, f"{share:.6g}", YEAR_SECONDS, httponly=True, samesite="strict")
