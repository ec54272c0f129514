"""What Prometheus reads at /metrics; each application has a registry of its own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from dermalens.core.bundlefile import Bundle

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Telemetry:
    """The figures of one application; no label has a value that a client chooses."""

    def __init__(self, bundle: Bundle) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "dermalens_requests", "Requests by route and status.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "dermalens_request_seconds", "From the request to its answer.", ["route"], registry=registry,
            buckets=_SECONDS,
        )  # fmt: skip
        self.queue_depth = Gauge("dermalens_queue_depth", "Images that wait.", registry=registry)
        self.in_flight = Gauge(
            "dermalens_in_flight", "Requests with an image that are not answered.", registry=registry
        )
        self.wait_seconds = self._histogram("dermalens_queue_wait_seconds", "How long an image waited.")
        self.decode_seconds = self._histogram("dermalens_decode_seconds", "Decoding of an image.")
        self.inference_seconds = self._histogram(
            "dermalens_inference_seconds", "All that follows the decoding of an image, networks included."
        )
        self.refusals = Counter("dermalens_refusals", "Refused requests by reason.", ["reason"], registry=registry)
        self.decisions = Counter("dermalens_decisions", "Answers by decision.", ["decision"], registry=registry)
        manifest = bundle.manifest
        Info("dermalens_bundle", "The bundle that answers.", registry=registry).info(
            {"name": manifest.name, "version": manifest.version, "sha256": bundle.sha256}
        )
        ProcessCollector(registry=registry)

    def watch(self, depth: Callable[[], float], in_flight: Callable[[], float]) -> None:
        """Read the two gauges from these when they are asked for."""
        self.queue_depth.set_function(depth)
        self.in_flight.set_function(in_flight)

    def refused(self, slug: str) -> None:
        """Count a refusal."""
        self.refusals.labels(slug).inc()

    def text(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(name, text, registry=self.registry, buckets=_SECONDS)
