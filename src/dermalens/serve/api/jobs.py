"""POST /v1/predictions:batch and /v1/jobs: several images, worked off after those that somebody waits for."""

from __future__ import annotations

import json
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response

from dermalens.records.jobs import Job, add_job, delete_job, find_job
from dermalens.serve.access import Caller, Predicts
from dermalens.serve.answering import work_of
from dermalens.serve.api.answers import job_content, json_response
from dermalens.serve.openapi import IMAGE_PROBLEMS, images_body, problems
from dermalens.serve.options import JudgingOptions, JudgingQuery, order_of_job, with_fields
from dermalens.serve.problems import Refusal
from dermalens.serve.repeats import IdempotencyKey, id_of
from dermalens.serve.running import running_of
from dermalens.serve.schemas import JobOut
from dermalens.serve.upload import taken_in

router = APIRouter(prefix="/v1", tags=["batches"])

JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of a batch.")]


@router.post(
    "/predictions:batch",
    status_code=202,
    summary="Classify several images",
    operation_id="predict_batch",
    responses={
        **problems(*IMAGE_PROBLEMS),
        202: {"model": JobOut, "headers": {"Location": {"schema": {"type": "string"}}}},
    },
    openapi_extra=images_body(JudgingOptions),
)
async def predict_batch(
    request: Request, query: JudgingQuery, caller: Predicts, idempotency_key: IdempotencyKey = None
) -> Response:
    """The images wait on the disk until they are answered, over a restart too, and are deleted then."""
    batches = running_of(request).batches
    with batches.room():
        job = await _taken(request, query, caller, idempotency_key)
    batches.added.set()
    return json_response(job_content(job), 202, {"Location": f"/v1/jobs/{job.id}"})


async def _taken(request: Request, query: JudgingOptions, caller: Caller, key: str | None) -> Job:
    running = running_of(request)
    records = running.needed_records
    async with taken_in(request, most_images=running.service.settings.max_batch_images) as form:
        options = with_fields(query, {name: value for name, value in form.fields.items() if name != "name"})
        stored = options.model_dump(exclude_defaults=True)
        images = _named(form.names, form.images)
        work_of(running.service, order_of_job(b"", stored), deadline=0)  # refuses what no image could be answered with
        said = json.dumps([stored, *(name for name, _ in images)])
        job_id = key and id_of(caller.owner, key, (image for _, image in images), said)
        return await to_thread.run_sync(lambda: add_job(records, caller.owner, images, stored, job_id=job_id))


@router.get(
    "/jobs/{job_id}",
    summary="How far a batch is",
    operation_id="get_job",
    responses={**problems("not-found", "invalid"), 200: {"model": JobOut}},
)
async def get_job(request: Request, job_id: JobId, caller: Predicts) -> Response:
    """The state of each image, with its answer or its error."""
    records = running_of(request).needed_records
    return json_response(job_content(await to_thread.run_sync(lambda: find_job(records, caller.owner, job_id))))


@router.delete(
    "/jobs/{job_id}",
    status_code=204,
    summary="Delete a batch",
    operation_id="delete_job",
    responses=problems("not-found", "invalid"),
)
async def remove_job(request: Request, job_id: JobId, caller: Predicts) -> Response:
    """Answers and waiting images are gone."""
    records = running_of(request).needed_records
    await to_thread.run_sync(lambda: delete_job(records, caller.owner, job_id))
    return Response(status_code=204)


def _named(names: tuple[str, ...], images: tuple[bytes, ...]) -> list[tuple[str, bytes]]:
    if not images:
        raise Refusal("invalid", "No image was sent; needed is at least one, as the file field 'image'.")
    names = names if any(names) else ("",) * len(images)
    if len(names) != len(images):
        raise Refusal("invalid", f"{len(images)} images have {len(names)} names; give as many, or none.")
    return list(zip(names, images, strict=True))
