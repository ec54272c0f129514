"""GET /v1/model and /v1/model-card: the bundle that answers."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from dermalens.serve.access import MAY_PREDICT
from dermalens.serve.api.answers import json_response
from dermalens.serve.openapi import problems
from dermalens.serve.running import running_of
from dermalens.serve.schemas import ModelOut

router = APIRouter(prefix="/v1", tags=["model"])


@router.get(
    "/model",
    summary="The bundle that answers",
    operation_id="model",
    dependencies=[MAY_PREDICT],
    responses={**problems(), 200: {"model": ModelOut}},
)
async def model(request: Request) -> Response:
    """Its classes, operating points, measured figures and limits."""
    service = running_of(request).service
    manifest = service.classifier.manifest
    content = manifest.model_dump(
        mode="json",
        include={
            "name", "version", "classes", "malignant", "operating_points", "default_operating_point", "prevalence",
            "metrics", "intended_use", "limits",
        },
    )  # fmt: skip
    return json_response(
        content
        | {
            "sha256": service.classifier.bundle.sha256,
            "has_outline": manifest.outline is not None,
            "has_gate": manifest.gate is not None,
            "has_gallery": service.gallery is not None,
            "created": manifest.provenance.created,
        }
    )


@router.get(
    "/model-card",
    summary="The model card",
    operation_id="model_card",
    response_class=Response,
    dependencies=[MAY_PREDICT],
    responses={**problems(), 200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
)
async def card(request: Request) -> Response:
    """Intended use, limits, figures with intervals, data and licence, as Markdown."""
    from dermalens.evaluate.card import model_card

    bundle = running_of(request).service.classifier.bundle
    text = await to_thread.run_sync(lambda: model_card(bundle.manifest, bundle.sha256))
    return Response(text, media_type="text/markdown; charset=utf-8")
