"""Records of the statements topic, and what becomes of some of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.events import DeadLetter
from streams.ledger import Entry
from streams.rows import tables
from streams.rows.tables import Columns, Row


class Record(NamedTuple):
    """One record of the statements topic; ``timestamp_us`` is Kafka's time of the record, 0 when it is not known."""

    partition: int
    offset: int
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp_us: int = 0


@dataclass
class PartitionPart:
    """What of a batch concerns one partition.

    Attributes:
        last_offset: of its last envelope.
        statements: primary items.
        stored: times at which they were stored, µs.
    """

    last_offset: int = -1
    statements: int = 0
    stored: list[int] = field(default_factory=list)


@dataclass
class Batch:
    """What becomes of some records: rows by table, dead letters, and how far each partition is."""

    rows: dict[Columns, list[Row]] = field(default_factory=lambda: {columns: [] for columns in tables.OF_STATEMENTS})
    dead: list[DeadLetter] = field(default_factory=list)
    parts: dict[int, PartitionPart] = field(default_factory=lambda: defaultdict(PartitionPart))
    students: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    duplicates: int = 0
    refolds: int = 0
    activation: int = 0

    @property
    def statements(self) -> int:
        """Primary items in it."""
        return sum(part.statements for part in self.parts.values())
