"""Metrics on registries of their own."""

from __future__ import annotations

from infra.runtime.metrics import IngestMetrics, StreamsMetrics, exposition, process_registry


def test_what_is_declared_is_what_is_scraped() -> None:
    registry = process_registry()
    ingest, streams = IngestMetrics(registry), StreamsMetrics(registry)

    body, content_type = exposition(registry)

    described = {line.split()[2]: line.split()[3] for line in body.decode().splitlines() if line.startswith("# TYPE")}
    for metric in [*ingest.declared, *streams.declared]:
        assert described[metric.name] == metric.kind
    assert content_type.startswith("text/plain")


def test_two_registries_in_one_process_count_apart() -> None:
    first, second = process_registry(), process_registry()

    IngestMetrics(first).accepted.labels("reader").inc(3)
    IngestMetrics(second)

    assert first.get_sample_value("ingest_statements_accepted_total", {"provider": "reader"}) == 3
    assert second.get_sample_value("ingest_statements_accepted_total", {"provider": "reader"}) is None
