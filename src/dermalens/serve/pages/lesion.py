"""The same lesion over time."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from dermalens.records.cases import of_lesion
from dermalens.serve.access import Reads
from dermalens.serve.pages.case_view import case_view
from dermalens.serve.pages.comparison import line_of, rows_of, warnings_of
from dermalens.serve.pages.rendering import language_for, page
from dermalens.serve.running import running_of

router = APIRouter(include_in_schema=False)


@router.get("/lesions/{lesion_id}")
async def lesion_page(request: Request, caller: Reads, lesion_id: str) -> Response:
    """Images, measures and probability of a lesion, side by side."""
    language = language_for(request)
    cases = await to_thread.run_sync(of_lesion, running_of(request).needed_records, caller.owner, lesion_id)
    images = [case_view(case, language) for case in cases]
    is_one_a_day = len({one.day for one in images}) == len(images)
    return page(
        request,
        "lesion.html",
        lesion=cases[0].lesion if cases else "",
        images=images,
        heads=_apart([one.day if is_one_a_day else one.seen for one in images]),
        rows=rows_of(cases, language),
        line=line_of(cases, language),
        warnings=warnings_of(cases, language),
    )


def _apart(heads: list[str]) -> list[str]:
    """The same heads, numbered where two are alike, as those of pictures of one stated day are."""
    return [f"{head} ({number})" if heads.count(head) > 1 else head for number, head in enumerate(heads, 1)]
