"""The application: routes, middleware and what runs beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from anyio import to_thread
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from structlog.typing import FilteringBoundLogger

from dermalens import __version__
from dermalens.serve import api, health
from dermalens.serve.background import in_background
from dermalens.serve.body_limit import BodyLimit, Limit
from dermalens.serve.documentation import docs_router
from dermalens.serve.errors import add_handlers, shown_by
from dermalens.serve.head import Head
from dermalens.serve.keyring import Keyring
from dermalens.serve.logs import make_logger
from dermalens.serve.observed import Observed
from dermalens.serve.openapi import openapi_of
from dermalens.serve.origin import OriginCheck
from dermalens.serve.pool import Pool
from dermalens.serve.problems import Show
from dermalens.serve.readiness import Readiness
from dermalens.serve.running import Running
from dermalens.serve.security_headers import SecurityHeaders
from dermalens.serve.service import Service
from dermalens.serve.settings import MEBIBYTE, Settings
from dermalens.serve.telemetry import Telemetry

STATIC: Final = Path(__file__).parent / "static"

LAST_WORK_SECONDS: Final = 1.0
"""By now every request is answered or given up; only work that nobody waits for may still be at it."""

BATCH_PATH: Final = "/v1/predictions:batch"
IMAGE_PATHS: Final = ("/v1/predictions", "/v1/quality", "/answer")
SLOWEST_BYTES_A_SECOND: Final = MEBIBYTE
"""Of a batch, for which nobody waits. The time of an image is a part of that of its answer."""
FORM: Final = Limit(128 * 1024, 10.0)
"""Of every other path. A comment of 10,000 characters fits, however it is escaped; a stalled body ends before the drain
does, and few hold much memory: FastAPI reads them before it looks at the key."""


def create_app(service: Service, *, logger: FilteringBoundLogger | None = None) -> FastAPI:
    """An application for what `open_service` has opened; the logger writes to standard error otherwise."""
    logger = logger or make_logger()
    running = _running(service)
    app = FastAPI(
        title="DermaLens",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lambda _: _lifespan(running, logger),
    )
    app.state.service = service
    app.state.running = running
    app.include_router(health.router)
    app.include_router(api.router)
    app.include_router(docs_router())
    show = shown_by(_include_pages(app))
    add_handlers(app, show)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    app.add_middleware(OriginCheck, show=show, refused=running.telemetry.refused)
    app.add_middleware(
        BodyLimit,
        limit_of=_limit_of(service.settings),
        show=show,
        is_closing=lambda: running.pool.is_draining,
        refused=running.telemetry.refused,
    )
    app.add_middleware(Observed, telemetry=running.telemetry, logger=logger)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Head)  # the outermost
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]  # FastAPI's own way to change the document
    return app


def _running(service: Service) -> Running:
    telemetry = Telemetry(service.classifier.bundle)
    pool = Pool(
        service.classifiers, queue_size=service.settings.queue_size, on_wait=telemetry.wait_seconds.observe
    )  # fmt: skip
    telemetry.watch(lambda: pool.depth, lambda: pool.in_flight)
    return Running(service, pool, telemetry, Keyring(service), Readiness(service.records))


def _include_pages(app: FastAPI) -> Show | None:
    """The pages, and how they show a refusal; None of both where they are not installed."""
    if find_spec("dermalens.serve.pages") is None:
        return None
    from dermalens.serve import pages

    app.include_router(pages.router)
    shown: Show | None = getattr(pages, "problem_page", None)
    return shown


def _limit_of(settings: Settings) -> Callable[[str], Limit]:
    seconds = settings.deadline_seconds
    image = Limit(settings.max_upload_bytes, seconds)
    batch = Limit(settings.max_batch_bytes, seconds + settings.max_batch_bytes / SLOWEST_BYTES_A_SECOND)
    limits = {BATCH_PATH: batch, **dict.fromkeys(IMAGE_PATHS, image)}
    form = Limit(min(FORM.most_bytes, image.most_bytes), min(FORM.seconds, seconds))
    return lambda path: limits.get(path.rstrip("/"), form)  # a slash too many leads to the right address


@asynccontextmanager
async def _lifespan(running: Running, logger: FilteringBoundLogger) -> AsyncIterator[None]:
    running.pool.open()
    running.ended.clear()
    await running.keyring.look_ahead()
    async with in_background(running, logger):
        try:
            yield
        finally:  # also where a second Ctrl+C has cancelled all that waits
            running.pool.is_draining = True
            running.ended.set()
    await to_thread.run_sync(lambda: running.pool.close(seconds=LAST_WORK_SECONDS))
