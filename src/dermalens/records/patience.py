"""Connections to PostgreSQL that give up a server which has fallen silent.

A server that is stopped, or behind a network that swallows all, breaks no connection: whoever has asked it would wait
for good, and with it the request that needs a key checked. psycopg's own limits end with the connecting.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg.waiting import Ready
from sqlalchemy import Connection, Engine, event

T = TypeVar("T")

AT_REST_SECONDS: Final = 3.0
"""For the word that a connection still works, before it is used again."""

IN_USE_SECONDS: Final = 15.0
"""Without a byte of the answer to a statement; a writer may wait ten seconds of it for its turn."""


class ImpatientConnection(psycopg.Connection[Any]):
    """Closes itself when nothing has come for some seconds."""

    silent_seconds = AT_REST_SECONDS
    """How long that may be."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """As psycopg waits for any answer; the further arguments differ between its versions.

        Raises:
            psycopg.OperationalError: the server was silent for too long; the connection is closed.
        """
        return super().wait(self._in_time(gen), *args, **kwargs)

    def _in_time(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """What `gen` does; several times a second it is told that nothing came (`Ready.NONE`)."""
        heard = time.monotonic()
        ready: Any = None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]  # the type of a generator's end is not kept
            ready = yield wanted
            now = time.monotonic()
            heard = heard if ready == Ready.NONE else now
            if now - heard > self.silent_seconds:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"the server has not answered for {self.silent_seconds:g} seconds")


def be_impatient(engine: Engine) -> None:
    """Let all connections of an engine, which has none yet, be impatient."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _use)
    event.listen(engine, "checkin", _rest)


def be_patient(connection: Connection) -> None:
    """Wait as long as it takes, until the connection is given back: a migration may rewrite large tables."""
    driver = connection.connection.driver_connection
    if isinstance(driver, ImpatientConnection):
        driver.silent_seconds = math.inf


def _connect(_dialect: object, _record: object, arguments: Any, options: Any) -> ImpatientConnection:
    return ImpatientConnection.connect(*arguments, **options)


def _use(driver: Any, _record: object, _proxy: object) -> None:
    driver.silent_seconds = IN_USE_SECONDS


def _rest(driver: Any, _record: object) -> None:
    if driver is not None:  # it was closed
        driver.silent_seconds = AT_REST_SECONDS
