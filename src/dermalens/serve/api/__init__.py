"""The REST API, /v1."""

from __future__ import annotations

from fastapi import APIRouter

from dermalens.serve.api import feedback, jobs, model, predictions, quality

router = APIRouter()
for part in (predictions, feedback, jobs, model, quality):
    router.include_router(part.router)
