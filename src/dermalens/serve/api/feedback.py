"""POST /v1/predictions/{id}/feedback."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from dermalens.records.feedback import add_feedback
from dermalens.serve.access import Reads
from dermalens.serve.api.answers import case_content, json_response
from dermalens.serve.api.predictions import CaseId
from dermalens.serve.openapi import problems
from dermalens.serve.running import running_of
from dermalens.serve.schemas import CaseOut, FeedbackIn

router = APIRouter(prefix="/v1", tags=["predictions"])


@router.post(
    "/predictions/{case_id}/feedback",
    status_code=201,
    summary="Say what was right or wrong",
    operation_id="add_feedback",
    responses={
        **problems("not-found", "invalid", "undecodable", "too-large", "not-an-image", "deadline"),
        201: {"model": CaseOut},
    },
)
async def feedback(request: Request, case_id: CaseId, said: FeedbackIn, caller: Reads) -> Response:
    """Agreement, another diagnosis, or what histology found; answered with the whole case."""
    records = running_of(request).needed_records
    case = await to_thread.run_sync(
        lambda: add_feedback(
            records, caller.owner, case_id, kind=said.kind, label=said.label, comment=said.comment
        )
    )  # fmt: skip
    return json_response(case_content(case), 201)
