"""The server: one process, until SIGTERM or SIGINT; then it finishes what it has accepted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import uvicorn

from dermalens.core.errors import DermaLensError
from dermalens.serve.app import create_app
from dermalens.serve.logs import JsonHandler, make_logger
from dermalens.serve.pool import Pool
from dermalens.serve.running import Running
from dermalens.serve.service import Service, close_service, open_service
from dermalens.serve.settings import Settings

LAME_DUCK_SECONDS: Final = 0.5
"""How long a stopping server still answers new requests, with 503, before it closes its address: whoever reuses a
connection, or connects in this moment, is told so instead of being cut off."""

BEFORE_AND_AFTER_SECONDS: Final = 2
"""Of the drain: the half second above before it, and closing pool and records after it."""

BACKLOG: Final = 2048


def serve(settings: Settings, *, opened: Callable[[Settings], Service] = open_service) -> None:
    """Serve until a signal says to stop; `opened` loads the bundle and the records.

    Raises:
        DermaLensError: the address is beyond this machine and there is no key, the port is taken, or the bundle, the
            gallery or the records cannot be used.
    """
    listener = _listen(settings)
    try:
        service = opened(settings)
        try:
            _refuse_open(service)
            _serve(service, listener)
        finally:
            close_service(service)
    finally:
        listener.close()


class Server(uvicorn.Server):
    """uvicorn, which says where it listens, and drains before it closes its address."""

    def __init__(self, config: uvicorn.Config, *, pool: Pool, address: str) -> None:
        super().__init__(config)
        self._pool = pool
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stderr.write(f"DermaLens answers at {self._address} (not a medical device; Ctrl+C stops it)\n")
            sys.stderr.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second Ctrl+C does not wait."""
        self._pool.is_draining = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._pool.is_draining = True
        if not self.force_exit:
            await asyncio.sleep(LAME_DUCK_SECONDS)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but a signal that was obeyed is not raised again afterwards: the process exits with 0."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _serve(service: Service, listener: socket.socket) -> None:
    logger = make_logger()
    app = create_app(service, logger=logger)
    running: Running = app.state.running
    config = uvicorn.Config(
        app,
        access_log=False,
        server_header=False,
        forwarded_allow_ips="*",  # only X-Forwarded-Proto is used, and only to mark the sender's own cookie as secure
        log_config=None,
        timeout_graceful_shutdown=max(1, service.settings.drain_seconds - BEFORE_AND_AFTER_SECONDS),
        backlog=BACKLOG,
        ws="none",
        lifespan="on",
    )
    address = address_of(service.settings.host, listener.getsockname()[1])
    handler = JsonHandler(logger)
    logging.getLogger("uvicorn").addHandler(handler)
    for library in ("PIL", "python_multipart"):
        logging.getLogger(library).addHandler(logging.NullHandler())  # or its words stand between the lines
    try:
        Server(config, pool=running.pool, address=address).run([listener])
    finally:
        logging.getLogger("uvicorn").removeHandler(handler)


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise DermaLensError(
            f"The host {host!r} is unknown: {error.strerror}. Give an address of this machine."
        ) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)  # or two servers could bind one port and the second would fail only later
    except OSError as error:
        listener.close()
        raise DermaLensError(
            f"{host}:{port} cannot be listened on: {error.strerror}. Stop what uses it, or choose another --port."
        ) from error
    return listener


def _refuse_open(service: Service) -> None:
    settings = service.settings
    if settings.is_loopback or settings.allow_open or _has_key(service):
        return
    raise DermaLensError(
        f"{settings.host} can be reached from other machines and there is no API key; make one with 'dermalens keys "
        "create', keep to 127.0.0.1, or serve everybody with DERMALENS_ALLOW_OPEN=1."
    )


def _has_key(service: Service) -> bool:
    if service.records is None:
        return False
    from dermalens.records.keys import keys

    return any(key.revoked is None for key in keys(service.records))


def address_of(host: str, port: int) -> str:
    """The URL of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
