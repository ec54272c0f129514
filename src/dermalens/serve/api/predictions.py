"""POST, GET and DELETE of /v1/predictions."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from dermalens.core.errors import DermaLensError
from dermalens.core.taxonomy import LABELS
from dermalens.records.case import NewCase, Patient
from dermalens.records.cases import delete, find, search
from dermalens.records.errors import log_line, public_line
from dermalens.records.query import MAX_LIMIT, Wanted
from dermalens.serve.access import Caller, Predicts, Reads
from dermalens.serve.answering import Answered, answer
from dermalens.serve.api.answers import case_content, json_response, predicted
from dermalens.serve.days import Day
from dermalens.serve.openapi import IMAGE_PROBLEMS, image_body, problems
from dermalens.serve.options import PredictionOptions, PredictionQuery, with_fields
from dermalens.serve.problems import Refusal
from dermalens.serve.repeats import IdempotencyKey, id_of
from dermalens.serve.running import running_of
from dermalens.serve.schemas import CaseOut, CasesOut, Predicted
from dermalens.serve.turns import keep_in_turn
from dermalens.serve.upload import taken_in

CONSENT: Final = "Kept on request through the API (keep=true)."

router = APIRouter(prefix="/v1", tags=["predictions"])

CaseId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of a kept case.")]


class CasesQuery(BaseModel):
    """Which kept cases are wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    since: Day | None = None
    """First day (UTC), such as 2026-01-31."""
    until: Day | None = None
    """Last day (UTC), itself included."""
    decision: Literal["refer", "reassure", "abstain"] | None = None
    """The decision."""
    label: Literal[LABELS] | None = None  # type: ignore[valid-type]  # the codes are a tuple of literals
    """Code of the most probable class."""
    lesion: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    """Id of a lesion."""
    text: str | None = Field(default=None, max_length=200)
    """Words, or parts of them, that all stand in the note or the lesion's name, in any order."""
    cursor: str | None = Field(default=None, max_length=200)
    """That of the answer before, for the next cases."""
    limit: int = Field(default=50, ge=1, le=MAX_LIMIT)
    """Cases in one answer."""


@router.post(
    "/predictions",
    summary="Classify an image",
    operation_id="predict",
    responses={**problems(*IMAGE_PROBLEMS), 200: {"model": Predicted}},
    openapi_extra=image_body(PredictionOptions),
)
async def predict(
    request: Request, query: PredictionQuery, caller: Predicts, idempotency_key: IdempotencyKey = None
) -> Response:
    """Refer, reassure or abstain, with the reasons; the JSON of `dermalens predict`. Not a medical device."""
    if query.keep:
        caller.need("records")
    async with taken_in(request) as form:
        options = with_fields(query, form.fields)
        if options.keep:
            caller.need("records")
        answered = await answer(request, options.order(form.image))
        new = _new_case(options, form.image, answered) if options.keep else None
        case_id = idempotency_key and id_of(caller.owner, idempotency_key, [form.image], options.model_dump_json())
        kept = await _keep(request, caller, new, case_id) if new else {"id": None}
    return json_response(predicted(answered, kept))


@router.get(
    "/predictions",
    summary="Kept cases, the newest first",
    operation_id="list_predictions",
    responses={**problems("invalid"), 200: {"model": CasesOut}},
)
async def list_predictions(request: Request, query: Annotated[CasesQuery, Query()], caller: Reads) -> Response:
    """The caller's own cases; `cursor` leads to the next ones."""
    records = running_of(request).needed_records
    wanted = Wanted(**query.model_dump(exclude={"cursor"}), after=query.cursor)
    found = await to_thread.run_sync(lambda: search(records, caller.owner, wanted))
    return json_response({"items": [case_content(case) for case in found.cases], "cursor": found.cursor})


@router.get(
    "/predictions/{case_id}",
    summary="A kept case",
    operation_id="get_prediction",
    responses={**problems("not-found", "invalid"), 200: {"model": CaseOut}},
)
async def get_prediction(request: Request, case_id: CaseId, caller: Reads) -> Response:
    """Another owner's case is not found."""
    records = running_of(request).needed_records
    return json_response(case_content(await to_thread.run_sync(lambda: find(records, caller.owner, case_id))))


@router.delete(
    "/predictions/{case_id}",
    status_code=204,
    summary="Delete a kept case",
    operation_id="delete_prediction",
    responses=problems("not-found", "invalid"),
)
async def delete_prediction(request: Request, case_id: CaseId, caller: Reads) -> Response:
    """Row, feedback, embedding and image are gone; the audit log keeps that it was deleted."""
    records = running_of(request).needed_records
    await to_thread.run_sync(lambda: delete(records, caller.owner, case_id))
    return Response(status_code=204)


@router.get(
    "/predictions/{case_id}/report.pdf",
    summary="A page to print",
    operation_id="report",
    response_class=Response,
    responses={
        **problems("undecodable", "not-found", "invalid"),
        200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def report(
    request: Request,
    case_id: CaseId,
    caller: Reads,
    language: Annotated[str, Query(max_length=20, description="Of the text, such as en or de.")] = "en",
) -> Response:
    """A kept case on one page of PDF, with the heat map where this bundle gave the answer."""
    from dermalens.serve.pages.explanation import report_of
    from dermalens.serve.pages.i18n import language_named, languages

    spoken = language_named(language)
    if spoken is None:
        raise Refusal("invalid", f"The language {language!r} is unknown; needed is one of {', '.join(languages())}.")
    pdf = await report_of(request, caller, case_id, spoken)
    disposition = {"Content-Disposition": f'attachment; filename="dermalens-{case_id[:8]}.pdf"'}
    return Response(pdf, headers=disposition, media_type="application/pdf")


def _new_case(options: PredictionOptions, image: bytes, answered: Answered) -> NewCase:
    prediction = answered.prediction
    assert prediction.embedding is not None
    return NewCase(
        prediction.as_dict(),
        image,
        prediction.embedding.tobytes(),
        CONSENT,
        patient=Patient(options.age_years, options.sex, options.site),
        lesion=options.lesion,
        note=options.note,
        square=(options.place.left, options.place.upper, options.place.side) if options.place else None,
        taken_on=options.taken_on,
    )


async def _keep(request: Request, caller: Caller, new: NewCase, case_id: str | None) -> dict[str, str | None]:
    """The id of the kept case, or why there is none: the answer does not depend on it."""
    try:
        case = await keep_in_turn(request, caller.owner, new, case_id)
    except DermaLensError as error:
        request.state.error = f"not kept: {log_line(error)}"
        return {"id": None, "kept_error": public_line(error)}
    return {"id": case.id}
