"""Every metric's name, labels and meaning. A process makes the group it needs on a registry of its own.

Units are in the names (Prometheus' base units: seconds, bytes, ratios). ``docs/metrics.md`` is generated from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DELAY_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
STATEMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric as it is scraped: ``name`` with the suffix _total of a counter, ``kind`` in Prometheus' words."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


class _Group:
    """Makes metrics on a registry and keeps what was declared."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.declared: list[Declared] = []

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        self.declared.append(Declared(name, "counter", labels, text))
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        self.declared.append(Declared(name, "gauge", labels, text))
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
        self.declared.append(Declared(name, "histogram", labels, text))
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)


class IngestMetrics(_Group):
    """Of the learning record store."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.requests = self._counter(
            "ingest_requests_total",
            "requests answered; provider is empty before it is known",
            "provider",
            "method",
            "status",
        )
        self.accepted = self._counter(
            "ingest_statements_accepted_total", "statements that Kafka has acknowledged", "provider"
        )
        self.rejected = self._counter(
            "ingest_statements_rejected_total", "statements refused, by the rule that they broke", "provider", "rule"
        )
        self.quarantined = self._counter(
            "ingest_statements_quarantined_total", "statements kept aside with their faults", "provider"
        )
        self.mended = self._counter(
            "ingest_statements_mended_total", "faulty statements that rules of repair made valid on arrival", "provider"
        )
        self.replayed = self._counter(
            "ingest_statements_replayed_total", "repaired statements that were accepted from quarantine", "provider"
        )
        self.quarantine_waiting = self._gauge(
            "ingest_quarantine_waiting_statements", "statements that wait in quarantine", "provider"
        )
        self.request_seconds = self._histogram("ingest_request_seconds", "from request to answer", buckets=SECONDS)
        self.publish_seconds = self._histogram(
            "ingest_publish_seconds", "from envelope to Kafka's acknowledgement", buckets=SECONDS
        )
        self.envelope_statements = self._histogram(
            "ingest_envelope_statements", "statements in one envelope", buckets=STATEMENTS
        )
        self.pending = self._gauge("ingest_pending_statements", "statements that wait for Kafka's acknowledgement")


class StreamsMetrics(_Group):
    """Of a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.statements = self._counter("streams_statements_total", "statements processed and flushed", "partition")
        self.attempts = self._counter("streams_attempts_total", "attempts folded into skill states")
        self.duplicates = self._counter("streams_duplicates_total", "statements that had been stored before")
        self.dead_letters = self._counter(
            "streams_dead_letters_total", "statements and envelopes put aside, by reason", "reason"
        )
        self.stopped = self._gauge(
            "streams_partition_stopped", "1 while a partition is stopped for its dead letters", "partition"
        )
        self.refolds = self._counter("streams_refolds_total", "students folded again, since an attempt came late")
        self.corrections = self._counter(
            "streams_corrections_total", "corrections found and put into the log, by reason", "reason"
        )
        self.voids_without_effect = self._counter(
            "streams_voids_without_effect_total", "voiding statements that void nothing, by reason", "reason"
        )
        self.voids_waiting = self._gauge(
            "streams_voids_waiting", "voiding statements whose target has not come; of the worker that looks for them"
        )
        self.flush_seconds = self._histogram("streams_flush_seconds", "one insert", "table", buckets=SECONDS)
        self.batch_statements = self._histogram(
            "streams_batch_statements", "statements flushed together", buckets=STATEMENTS
        )
        self.visible_seconds = self._histogram(
            "streams_visible_seconds", "from a statement's stored time to its rows in ClickHouse", buckets=DELAY_SECONDS
        )
        self.lag = self._gauge("streams_lag_records", "envelopes in the log that are not flushed yet", "partition")
        self.cached_students = self._gauge("streams_cached_students", "students whose state is in memory")
        self.unaccounted = self._gauge(
            "streams_unaccounted_statements",
            "accepted, and neither stored nor a duplicate nor dead-lettered, or the other way round; last hours",
            "provider",
        )
        self.last_progress = self._gauge(
            "streams_last_progress_timestamp_seconds", "when a batch was last flushed, Unix time"
        )


class ForwardMetrics(_Group):
    """Of the service that sends statements on to other learning record stores."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.statements = self._counter(
            "forward_statements_total",
            "statements sent on: delivered, known (the other LRS had them) or failed (among the dead letters)",
            "forward",
            "outcome",
        )
        self.requests = self._counter(
            "forward_requests_total", "requests by the other LRS's answer; none where there was none",
            "forward", "status",
        )  # fmt: skip
        self.lag = self._gauge(
            "forward_lag_records", "envelopes in the log that are not sent on yet", "forward", "partition"
        )
        self.waiting = self._gauge("forward_waiting", "1 while the other LRS takes nothing", "forward")
        self.delay = self._histogram(
            "forward_delay_seconds", "from a statement's stored time to its delivery", "forward", buckets=DELAY_SECONDS
        )


GROUPS: tuple[type[IngestMetrics | StreamsMetrics | ForwardMetrics], ...] = (
    IngestMetrics,
    StreamsMetrics,
    ForwardMetrics,
)


def process_registry() -> CollectorRegistry:
    """A new registry with the process' own figures (memory, processor time, open files; on Linux)."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Body and content type of a scrape's answer, in Prometheus' text form."""
    return generate_latest(registry), CONTENT_TYPE_LATEST
