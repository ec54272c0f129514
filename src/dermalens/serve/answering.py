"""From an order to an answer: what is asked is checked at once, the image is decoded and judged in the pool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fastapi import Request
from starlette.types import Receive

from dermalens.core.errors import BundleError, DermaLensError, FormatError, ImageError
from dermalens.core.image import Decoded
from dermalens.core.square import Square
from dermalens.predict.classifier import Asked, Classifier
from dermalens.predict.prediction import Prediction
from dermalens.records.images import picture_of
from dermalens.serve.pool import DeadlinePassed, Work
from dermalens.serve.problems import Refusal
from dermalens.serve.running import Running, running_of
from dermalens.serve.service import Service
from dermalens.serve.upload import deadline_of

T = TypeVar("T")

UNNAMED = "<bytes>"
"""What the answer calls an image without a name, as `classifier.predict` does; file names are private."""


class ClientGone(DermaLensError):  # noqa: N818  (read as a sentence: the client is gone)
    """The client has closed the connection; nobody reads an answer."""


@dataclass(frozen=True, slots=True)
class Order:
    """An image and what is asked of it."""

    image: bytes
    name: str = ""
    heatmap: bool = False
    outline: bool = False
    operating_point: str | None = None
    prevalence: float | None = None
    square: Square | None = None
    anyway: bool = False
    millimetres_per_pixel: float | None = None
    as_png: bool = False
    """Heat map and outline as PNG files too; a page lays its own layers over each other."""
    is_kept: bool = False
    """The image is one that the record wrote."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer and what it took."""

    prediction: Prediction
    decode_seconds: float
    inference_seconds: float
    heatmap_png: bytes | None = None
    """The heat map over the square, where it was asked for as a file and is shown."""
    outline_png: bytes | None = None
    """The outline over the square, where it was asked for as a file, found and shown."""


async def answer(request: Request, order: Order, *, is_decision: bool = True) -> Answered:
    """The answer to a request, unless its deadline passes or its client goes away; one that is no decision of its own,
    such as the heat map of a kept case, does not count as one.

    Raises:
        Refusal: an option or the image cannot be used, the queue is full, the server drains, the deadline passed.
        ClientGone: nobody waits any more.
    """
    running = running_of(request)
    work = work_of(running.service, order, deadline=deadline_of(request))
    answered = await unless_gone(request.receive, lambda: running.pool.run(work))
    note(running, answered, is_decision=is_decision)
    return answered


def work_of(service: Service, order: Order, *, deadline: float, is_background: bool = False) -> Work[Answered]:
    """What the pool is to do for an order.

    Raises:
        Refusal: an option cannot be used with this bundle.
    """
    asked = _asked(service, order)
    return Work(lambda classifier: _answered(classifier, order, asked, deadline), deadline, is_background)


def note(running: Running, answered: Answered, *, is_decision: bool = True) -> None:
    """Count an answer."""
    telemetry = running.telemetry
    telemetry.decode_seconds.observe(answered.decode_seconds)
    telemetry.inference_seconds.observe(answered.inference_seconds)
    if is_decision:
        telemetry.decisions.labels(answered.prediction.decision).inc()


async def unless_gone(receive: Receive, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `start` gives, given up as soon as the client closes the connection; the body has been read before.

    Raises:
        ClientGone: it did. Whatever `start` raises.
    """
    doing, watching = asyncio.create_task(start()), asyncio.create_task(gone(receive))
    try:
        await asyncio.wait((doing, watching), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientGone("The client has closed the connection.")
    finally:
        watching.cancel()
        doing.cancel()


async def gone(receive: Receive) -> None:
    """Wait until the client closes the connection; the body has been read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _asked(service: Service, order: Order) -> Asked:
    classifier = service.classifier
    prevalence = service.settings.default_prevalence if order.prevalence is None else order.prevalence
    try:
        asked = Asked(
            classifier.operating_point(order.operating_point),
            prevalence,
            heatmap=order.heatmap,
            outline=order.outline,
            millimetres_per_pixel=order.millimetres_per_pixel,
            anyway=order.anyway,
            square=order.square,
        )
        classifier.check(asked)
    except DermaLensError as error:
        raise Refusal("invalid", str(error)) from error
    return replace(asked, gallery=service.gallery)  # checked once, by open_service


def _answered(classifier: Classifier, order: Order, asked: Asked, deadline: float) -> Answered:
    began = time.monotonic()
    try:
        decoded = classifier.read(picture_of(order.image) if order.is_kept else order.image, asked)
    except ImageError as error:
        raise image_refusal(error) from error
    decoded_at = time.monotonic()
    if decoded_at >= deadline:
        raise DeadlinePassed
    prediction = _judged(classifier, decoded, order.name or UNNAMED, asked)
    heatmap = prediction.explanation.png() if order.as_png and prediction.explanation else None
    outline = prediction.drawing.png() if order.as_png and prediction.drawing else None
    return Answered(prediction, decoded_at - began, time.monotonic() - decoded_at, heatmap, outline)


def _judged(classifier: Classifier, decoded: Decoded, name: str, asked: Asked) -> Prediction:
    try:
        return classifier.answer(decoded, name, asked)
    except BundleError:
        raise  # a graph that fails is no mistake of the request
    except DermaLensError as error:
        raise Refusal("invalid", str(error)) from error


def image_refusal(error: ImageError) -> Refusal:
    """A format that is not read is another problem than a damaged file."""
    return Refusal("not-an-image" if isinstance(error, FormatError) else "undecodable", str(error))
