"""What an application works with while it runs; `create_app` puts it in `app.state.running`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from anyio import CapacityLimiter
from starlette.requests import HTTPConnection

from dermalens.serve.batches import Batches
from dermalens.serve.exports import Exports
from dermalens.serve.keyring import Keyring
from dermalens.serve.pool import Pool
from dermalens.serve.problems import Refusal
from dermalens.serve.readiness import Readiness
from dermalens.serve.service import Service
from dermalens.serve.telemetry import Telemetry

if TYPE_CHECKING:
    from dermalens.records.store import Records


PICTURES_AT_A_TIME: Final = 2
"""That are made into a PNG, or read for a page; one of 80 megapixels takes 765 MiB meanwhile (measured)."""


@dataclass(frozen=True, slots=True)
class Running:
    """The service and what `create_app` made of it."""

    service: Service
    pool: Pool
    telemetry: Telemetry
    keyring: Keyring
    readiness: Readiness
    batches: Batches = field(default_factory=Batches)
    pictures: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(PICTURES_AT_A_TIME))
    """The turns for work on whole pictures."""
    exports: Exports = field(default_factory=Exports)
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when every request is answered or given up: what a thread still makes for one is for nobody."""

    @property
    def needed_records(self) -> Records:
        """The records.

        Raises:
            Refusal: this server keeps none.
        """
        if self.service.records is None:
            raise Refusal("records-unavailable", "This server keeps no records. Ask the operator.")
        return self.service.records


def running_of(request: HTTPConnection) -> Running:
    """That of the application which answers this request."""
    running = request.app.state.running
    assert isinstance(running, Running)
    return running
