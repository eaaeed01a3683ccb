"""Rows into the store: what the sink writes a second, table by table, into the front on the same machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import perf_counter

from infra.runtime.clickhouse import open_clickhouse
from streams.rows import tables
from streams.rows.tables import Columns, Row
from streams.sink import Sink
from tests.bench.figures import Figure
from tests.bench.pure import make_processor, median_seconds, prefilled
from tests.bench.servers import servers
from tests.bench.workload import Mix

STATEMENTS = 20_000


def sink() -> Iterator[Figure]:
    """One insert of all rows of a batch into each table, three times; the same rows replace themselves."""
    batch = make_processor().process(prefilled(STATEMENTS, Mix()))
    rows: dict[Columns, list[Row]] = {columns: rows for columns, rows in batch.rows.items() if rows}
    with servers() as running:
        store = Sink(lambda: open_clickhouse(running.settings.clickhouse), threading.Event())
        seconds = {}
        for columns, of_table in rows.items():
            store.insert(columns, of_table[:1])
            seconds[columns] = median_seconds(lambda c=columns, r=of_table: store.insert(c, r), 3, perf_counter)  # type: ignore[misc]
        store.close()
    for columns, of_table in rows.items():
        note = f"{len(of_table):,} rows at once"
        yield Figure("sink", columns.table, len(of_table) / seconds[columns], "rows/s", note=note)
    whole = sum(seconds.values())
    note = f"all rows of {STATEMENTS:,} statements, {sum(map(len, rows.values())):,} in {len(rows)} tables"
    yield Figure("sink", "a batch", STATEMENTS / whole, "statements/s", note=note)
    share = seconds[tables.STATEMENTS] / whole
    yield Figure("sink", "share of the table statements", 100 * share, "%")
