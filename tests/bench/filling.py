"""A store that is filled quickly: the template's rows are written as a worker writes them, then copied in the store.

Copies are made under other students, ids, offsets and moments, and of an earlier generation of the log than the one
that is read: as many tables and columns as a worker fills, a hundred thousand statements an insert.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Final

from schemas.events import Item
from streams.rows import tables
from streams.rows.tables import Columns, Row
from streams.sink import Sink
from tests.bench.pure import make_processor, prefilled
from tests.bench.workload import FIRST_US, Mix

TEMPLATE: Final = 100_800
BATCH: Final = 72
"""Envelopes of a hundred: 8 MiB."""
STUDENTS: Final = 200_000
MET: Final = 200
ROUND_US: Final = 8_640_000_000
"""Between two rounds: a million statements are ten of them, and a day."""
DAY_US: Final = 86_400_000_000

_LATER: Final = ("timestamp", "stored", "first_at", "last_at")
_IDS: Final = ("statement_id", "last_statement_id", "registration")
_SETTINGS: Final = (
    "SETTINGS max_threads = 1, max_insert_threads = 1, optimize_on_insert = 0, max_block_size = 65536,"
    " min_insert_block_size_rows = 1000000, min_insert_block_size_bytes = 268435456"
)


@dataclass
class Filler:
    """Writes rounds of the template; every round is another group of students, who come back when all groups were on.

    Attributes:
        seconds: spent in inserts.
        sample: items of the last round, for look-ups of what is there.
    """

    sink: Sink
    batches: list[dict[Columns, list[Row]]]
    rounds: int = 0
    seconds: float = 0.0
    sample: list[Item] = field(default_factory=list)

    def write(self) -> int:
        """One round; how many statements it was."""
        if not self.rounds:
            self._keep_template()
        began = time.perf_counter()
        for columns in self._tables():
            self.sink.read(self._copied(columns))
        self.seconds += time.perf_counter() - began
        self.sample = self._sample()
        self.rounds += 1
        return sum(len(batch.get(tables.STATEMENTS, ())) for batch in self.batches)

    def _tables(self) -> list[Columns]:
        return [columns for columns in tables.OF_STATEMENTS if any(columns in batch for batch in self.batches)]

    def _keep_template(self) -> None:
        """Rows as the sink writes them, put aside: the tables begin empty."""
        for columns in self._tables():
            for batch in self.batches:
                refused = self.sink.insert(columns, batch.get(columns, []))
                assert not refused, refused[0].message
            self.sink.read(
                f"CREATE TABLE template_{columns.table} ENGINE = MergeTree ORDER BY tuple()"
                f" AS SELECT {', '.join(columns.names)} FROM {columns.table}"
            )
            self.sink.read(f"TRUNCATE TABLE {columns.table}")

    def _copied(self, columns: Columns) -> str:
        names = ", ".join(columns.names)
        values = ", ".join(self._value(columns, name) for name in columns.names)
        return f"INSERT INTO {columns.table} ({names}) SELECT {values} FROM template_{columns.table} {_SETTINGS}"

    def _value(self, columns: Columns, name: str) -> str:
        """What stands in a column of this round's copy."""
        shift = self.rounds * ROUND_US
        if name == "student_id":
            return self._student()
        if name in _IDS:
            return _other(name, -1 - self.rounds)
        if name in _LATER:
            return f"{name} + toIntervalMicrosecond({shift})"
        if name == "minute":
            return f"{name} + {shift // 1_000_000}"
        if name == "day":
            return f"{name} + {shift // DAY_US}"
        if name == "generation":
            return "toUInt32(0)"
        if name in ("offset", "watermark"):
            return f"{name} + {self.rounds * TEMPLATE}"
        if name == "actor":
            return self._actor()
        if name == "statement" and columns.table == "statements":
            # The JSON tells actor and registration as the columns do, so that it compresses as other JSON does.
            renamed = (
                f"replaceAll(statement, toString(registration), toString({_other('registration', -1 - self.rounds)}))"
            )
            return f"replaceAll({renamed}, actor, {self._actor()})"
        return name

    def _student(self) -> str:
        return _other("student_id", self.rounds % max(STUDENTS // 4_700, 1))

    def _actor(self) -> str:
        return f"concat(substring(replaceAll(toString({self._student()}), '-', ''), 1, 22), '.1')"

    def _sample(self) -> list[Item]:
        """The first statements of this round."""
        begun = FIRST_US + self.rounds * ROUND_US
        moments = [f"fromUnixTimestamp64Micro({at})" for at in (begun, begun + ROUND_US)]
        columns = self.sink.read(
            "SELECT statement_id, student_id, provider_id, verb, toUnixTimestamp64Micro(timestamp) AS at,"
            " toUnixTimestamp64Micro(stored) AS told, digest, json FROM statements"
            f" WHERE stored >= {moments[0]} AND stored < {moments[1]} ORDER BY stored LIMIT {MET}"
        )
        return [
            Item(statement, student, provider, verb, [], at, stored, digest, 0, json.encode())
            for statement, student, provider, verb, at, stored, digest, json in zip(*columns, strict=True)
        ]


def template() -> list[dict[Columns, list[Row]]]:
    """Rows of TEMPLATE statements, batch by batch."""
    processor = make_processor()
    records = prefilled(TEMPLATE, Mix())
    batches = [processor.process(records[start : start + BATCH]) for start in range(0, len(records), BATCH)]
    return [{columns: rows for columns, rows in batch.rows.items() if rows} for batch in batches]


def _other(name: str, seed: int) -> str:
    """A UUID of a column, and another one for each seed; version and variant stay."""
    half = ~(0xF << 12 | 0x3 << 62) & (2**64 - 1)
    key = random.Random(seed).getrandbits(128) & (half << 64 | half)
    return f"reinterpretAsUUID(bitXor(reinterpretAsUInt128({name}), toUInt128('{key}')))"
