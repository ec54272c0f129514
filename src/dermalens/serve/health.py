"""Probes and figures for the operator; none of them waits in the queue."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from dermalens.serve.access import MAY_OPERATE
from dermalens.serve.openapi import open_problems, problems
from dermalens.serve.pool import Draining
from dermalens.serve.running import running_of

router = APIRouter(tags=["operation"])


@router.get("/livez", summary="Whether the process answers", operation_id="livez")
async def livez() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Whether requests should be sent here",
    operation_id="readyz",
    responses=open_problems("draining", "records-unavailable"),
)
async def readyz(request: Request) -> dict[str, str]:
    """Ready: the server is not stopping, and the records can be used."""
    running = running_of(request)
    if running.pool.is_draining:
        raise Draining
    await running.readiness.check()
    return {"status": "ready"}


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    operation_id="metrics",
    dependencies=[MAY_OPERATE],
    response_class=Response,
    responses=problems(),
)
async def metrics(request: Request) -> Response:
    """Requests, queue, seconds, refusals and decisions in the text format; with keys it needs the scope admin."""
    return Response(running_of(request).telemetry.text(), media_type=CONTENT_TYPE_LATEST)
