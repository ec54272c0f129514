"""Values as the JSON that is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Response

from dermalens.serve.answering import Answered

if TYPE_CHECKING:
    from dermalens.records.case import Case
    from dermalens.records.jobs import Job


def json_response(content: Mapping[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response that is not checked against a model again: it costs more than the rest of the request."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "replace"), status, headers, "application/json")


def predicted(answered: Answered, kept: Mapping[str, str | None]) -> dict[str, Any]:
    """The answer with its pictures, and what became of keeping it."""
    content = answered.prediction.as_dict()
    if answered.heatmap_png is not None:
        content["heatmap"] = data_uri(answered.heatmap_png)
    if answered.outline_png is not None:
        content["outline_picture"] = data_uri(answered.outline_png)
    return {**content, **kept}


def case_content(case: Case) -> dict[str, Any]:
    """A kept case, without its owner and the sentence of consent."""
    return {
        "id": case.id,
        "created": case.created.isoformat(),
        "answer": case.answer,
        "patient": {"age_years": case.patient.age_years, "sex": case.patient.sex, "site": case.patient.site},
        "lesion_id": case.lesion_id,
        "lesion": case.lesion,
        "note": case.note,
        "taken_on": case.taken_on.isoformat() if case.taken_on else None,
        "image_sha256": case.image_sha256,
        "square": list(case.square) if case.square else None,
        "feedback": [
            {
                "id": one.id,
                "kind": one.kind,
                "label": one.label,
                "comment": one.comment,
                "created": one.created.isoformat(),
            }
            for one in case.feedback
        ],
    }


def job_content(job: Job) -> dict[str, Any]:
    """A batch with what is known of its images."""
    states = [item.state for item in job.items]
    return {
        "id": job.id,
        "created": job.created.isoformat(),
        "state": job.state,
        "total": len(states),
        "done": states.count("done"),
        "failed": states.count("failed"),
        "items": [
            {
                "number": item.number,
                "name": item.name,
                "state": item.state,
                "answer": item.answer,
                "error": item.error,
            }
            for item in job.items
        ],
    }


def data_uri(png: bytes) -> str:
    """A PNG file as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
