"""POST /v1/quality: whether a picture can be judged at all."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dermalens.serve.access import MAY_PREDICT
from dermalens.serve.answering import Order, answer
from dermalens.serve.api.answers import json_response
from dermalens.serve.openapi import IMAGE_PROBLEMS, image_body, problems
from dermalens.serve.options import ImageOptions, ImageQuery, with_fields
from dermalens.serve.schemas import QualityOut
from dermalens.serve.upload import taken_in

router = APIRouter(prefix="/v1", tags=["quality"])


@router.post(
    "/quality",
    summary="Can this picture be judged?",
    operation_id="quality",
    dependencies=[MAY_PREDICT],
    responses={**problems(*IMAGE_PROBLEMS), 200: {"model": QualityOut}},
    openapi_extra=image_body(ImageOptions),
)
async def quality(request: Request, query: ImageQuery) -> Response:
    """Quality and gate only: sharp, lit, a lesion at all. No classification is given."""
    async with taken_in(request) as form:
        options = with_fields(query, form.fields)
        answered = await answer(request, Order(form.image, square=options.place), is_decision=False)
    found = answered.prediction
    refusal = found.lesion_image.refusal if found.lesion_image else ()
    content = found.as_dict()
    return json_response(
        {
            "accepted": not (found.quality.findings or refusal),
            "findings": [*found.quality.findings, *refusal],
            "quality": content["quality"],
            "lesion_image": content["lesion_image"],
            "notes": list(found.notes),
            "bundle": content["bundle"],
            "square": content["square"],
        }
    )
