"""What of a kept case's answer is not kept, made anew: the heat map of its page and of its report."""

from __future__ import annotations

from anyio import to_thread
from fastapi import Request

from dermalens.core.square import Square
from dermalens.records.cases import Case, find, image_of
from dermalens.records.errors import RecordsError
from dermalens.serve.access import Caller
from dermalens.serve.answering import Answered, Order, answer
from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.layers import Layers, layers_of
from dermalens.serve.pages.report import case_pdf
from dermalens.serve.problems import Refusal
from dermalens.serve.running import running_of
from dermalens.serve.turns import in_turn


def can_explain(request: Request, case: Case) -> bool:
    """Whether there is an answer to explain, and the bundle that gave it is the one that is here."""
    bundle = running_of(request).service.classifier.bundle
    return case.decision != "abstain" and bool(case.answer["bundle"]["sha256"] == bundle.sha256)


async def layers_anew(request: Request, case: Case) -> Layers | Refusal | None:
    """Heat map and outline, or why they cannot be made, such as that the server is too busy; None without a picture."""
    try:
        png = await to_thread.run_sync(image_of, running_of(request).needed_records, case.owner, case.id)
    except RecordsError:
        return None  # the picture is missing, which its own place on the page shows
    try:
        answered = await _answered(request, case, png)
    except Refusal as refusal:
        return refusal
    return await to_thread.run_sync(layers_of, answered.prediction)


async def report_of(request: Request, caller: Caller, case_id: str, language: Language) -> bytes:
    """The case on one page of PDF, with the heat map where this bundle gave the answer and the server is not too busy.

    Raises:
        RecordsError: there is no such case, or the records cannot be used.
        ImageError: the kept image has more pixels than are decoded.
    """
    running = running_of(request)
    records, bundle = running.needed_records, running.service.classifier.bundle
    case = await to_thread.run_sync(find, records, caller.owner, case_id)
    png = await to_thread.run_sync(image_of, records, caller.owner, case_id)
    heatmap = await _heatmap(request, case, png) if can_explain(request, case) else None
    return await in_turn(request, case_pdf, case, png, bundle, language, heatmap_png=heatmap)


async def _heatmap(request: Request, case: Case, png: bytes) -> bytes | None:
    try:
        return (await _answered(request, case, png, as_png=True)).heatmap_png
    except Refusal:
        return None  # a report without it is better than none


async def _answered(request: Request, case: Case, png: bytes, *, as_png: bool = False) -> Answered:
    stated = case.answer.get("prevalence")
    classifier = running_of(request).service.classifier
    order = Order(
        png,
        heatmap=True,
        outline=classifier.outline is not None,
        square=Square(*case.square) if case.square else None,
        prevalence=stated["malignant"] if stated else classifier.manifest.prevalence,
        as_png=as_png,
        is_kept=True,
    )
    return await answer(request, order, is_decision=False)
