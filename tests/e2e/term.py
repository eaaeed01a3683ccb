"""A term lived through, and the same term replayed in another order: states and warnings must be equal to the byte.

    python -m tests.e2e.term --students 2000 --days 60

The sample district's statements go through the worker's own core into a real store, and the rules are evaluated on a
clock that follows the statements. Once as they came: each evening the rules look. Then again: statements up to two days
late, in other batches, one in thirty twice, and the rules look at other hours.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import random
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Engine

from infra.dev.front.process import Front
from infra.dev.simulation.content import PROVIDERS, Alignment, alignments
from infra.dev.simulation.district import build
from infra.dev.simulation.expected import line_items, work_alignments
from infra.dev.simulation.school_calendar import day_of
from infra.dev.simulation.seed import seed as seed_registry
from infra.dev.simulation.timeline import Post, history, midnight_of
from infra.runtime import clickhouse, registry
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import ClickHouseSettings, KafkaSettings, Settings
from ingest.credentials import add_provider
from ingest.identity.matching import identifier
from schemas import verbs
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import envelope_codec
from schemas.events import CREDIT, Envelope, Item
from schemas.partitioning import partition_of
from streams.evaluation import Evaluator
from streams.learner.calibration import Calibration
from streams.processor import Processor, ProcessorOptions, Record
from streams.roster import RosterSync
from streams.rows import tables
from streams.rows.days import as_number
from streams.sink import Sink
from streams.store import ClickHouseStore
from tests.fixtures.calibrations import drawn

START = date(2026, 8, 31)
DISTRICT_SEED = 2026
PARTITIONS = 4
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
LATEST = 48 * HOUR
_TWICE = 1 / 30
_TABLES = {
    "attempts": "student_id, timestamp, statement_id, item, skills, outcome, duration_ms, verb, provider_id",
    "skill_states": "* EXCEPT (generation, partition, watermark)",
    "student_states": "* EXCEPT (generation, partition, watermark)",
    "student_days": "* EXCEPT (generation, partition, watermark)",
    "warnings": "* EXCEPT (partition, evaluated_at)",
}


class Arrived(NamedTuple):
    """An item at the time at which it reaches the log."""

    at: int
    order: float
    item: Item


@dataclass
class Outcome:
    """What stands at the end: rows and SHA-256 by table, and for each warning the day on which it was first seen."""

    rows: dict[str, int]
    digests: dict[str, str]
    statements: int
    refolds: int
    seconds: float
    first_seen: dict[tuple[str, str, int], int] = field(default_factory=dict)


class Term:
    """One district and its statements as items; ``end``: when it is over, µs."""

    def __init__(self, settings: Settings, engine: Engine, students: int, days: int, seed: int = DISTRICT_SEED) -> None:
        self.settings = settings
        self.zone = ZoneInfo(settings.district.timezone)
        self.students = students
        last = first_day_after(START, days)
        self.district = build(seed, size=students, start=START, term_days=days)
        self.end = midnight_of(last, self.zone)
        with engine.begin() as connection:
            for provider in PROVIDERS:
                add_provider(connection, provider.provider_id, provider.name, 1)
        seed_registry(engine, self.district, until=last + timedelta(days=30), today=last, now=1)
        self._students = {(one.kind, one.value): one.student_id for one in self.district.identities}
        self._skills = {(one.provider_id, one.activity_id): one.skill_id for one in self._alignments(last)}

        self.calibration = Calibration()

    def draw_calibration(self, rng: random.Random) -> None:
        """Fold under one with every kind of weight, which knows these items and skills but was fitted on nothing."""
        items, skills = sorted({item for _, item in self._skills}), sorted(set(self._skills.values()))
        self.calibration = drawn(rng, items, skills)

    def _alignments(self, last: date) -> Iterator[Alignment]:
        yield from alignments()
        yield from work_alignments(line_items(self.district, last))

    def items(self) -> Iterator[Arrived]:
        """All items in the order in which they were posted."""
        for post in history(self.district, self.zone, after=(0, ""), until=self.end):
            for number, item in enumerate(self._items(post)):
                yield Arrived(post.at, number, item)

    def _items(self, post: Post) -> Iterator[Item]:
        statement = msgspec.json.decode(post.body)
        actor = statement.pop("actor")
        content: dict[str, Any] = {"actor": "x.1", **statement}
        digest = hashlib.blake2b(msgspec.json.encode(content, order="sorted"), digest_size=8).digest()
        provider = post.provider
        iri = statement["verb"]["id"]
        skill = self._skills.get((provider.provider_id, statement["object"].get("id", "")))
        at = round(datetime.fromisoformat(statement["timestamp"]).timestamp() * SECOND)
        for number, one in enumerate(actor.get("member", [actor])):
            yield Item(
                post.statement_id, self._student(one), provider.provider_id,
                provider.verbs.get(iri) or verbs.IRIS.get(iri, verbs.OTHER), [skill] if skill else [],
                at, post.at, int.from_bytes(digest, "big", signed=True), CREDIT if number else 0,
                msgspec.json.encode(content),
            )  # fmt: skip

    def _student(self, actor: Mapping[str, Any]) -> str:
        key = identifier(dict(actor), msgspec.json.encode(actor))
        return self._students.get(key) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{key}"))


def first_day_after(start: date, school_days: int) -> date:
    """The day after so many school days."""
    day = start
    while school_days:
        school_days -= day_of(day).in_session
        day += timedelta(days=1)
    return day


def delayed(arrivals: Iterator[Arrived], rng: random.Random) -> Iterator[Arrived]:
    """The same items in another order: each up to two days late, one in thirty a second time."""
    waiting: list[Arrived] = []
    for arrived in arrivals:
        while waiting and waiting[0].at < arrived.at:
            yield heapq.heappop(waiting)
        for _ in range(1 + (rng.random() < _TWICE)):
            at = arrived.at + (rng.randrange(LATEST) if rng.random() < 0.3 else rng.randrange(60 * SECOND))
            heapq.heappush(waiting, Arrived(at, rng.random(), msgspec.structs.replace(arrived.item, stored=at)))
    while waiting:
        yield heapq.heappop(waiting)


class Life:
    """A worker's core, a store and the rules, on the clock of the statements."""

    def __init__(self, term: Term, engine: Engine, database: ClickHouseSettings, rng: random.Random) -> None:
        self._term = term
        self._rng = rng
        self._now = 0
        self._database = database
        clickhouse.migrate(database)
        stop = threading.Event()
        self._sink, reads = (Sink(lambda: open_clickhouse(database), stop) for _ in range(2))
        self._reads = reads
        codec = envelope_codec(FileSchemaRegistry())
        self._encode = codec.encode
        self._processor = Processor(
            codec.decode,
            ClickHouseStore(reads.read, 1),
            ProcessorOptions(
                topic="statements", generation=1, timezone=term.settings.district.timezone,
                cached_students=max(500, term.students // 2), remembered_statements=20_000,
                calibration=term.calibration, clock=lambda: self._now,
            ),
        )  # fmt: skip
        RosterSync(self._sink, engine).sync()
        self._evaluator = Evaluator(
            self._sink, engine, term.settings.district, clock=lambda: self._now, seconds=lambda: self._now / SECOND
        )
        self._offsets = dict.fromkeys(range(PARTITIONS), 0)
        self._touched: set[str] = set()
        self._refolds = 0

    def live(self, arrivals: Iterator[Arrived], evenings: Iterator[int]) -> Outcome:
        """Take everything in, look at the rules at these times, and tell what stands when the term is over."""
        began, count = time.monotonic(), 0
        first_seen: dict[tuple[str, str, int], int] = {}
        lanes: dict[int, list[Item]] = {p: [] for p in range(PARTITIONS)}
        records: list[Record] = []
        evening = next(evenings)
        size = batch = 1
        # What a batch costs grows with its students, not with its statements: many students, larger batches.
        scale = max(1, self._term.students // 200)
        for at, _, item in arrivals:
            while at >= evening:
                self._seal_all(lanes, records)
                self._process(records, evening)
                self._look(first_seen)
                evening = next(evenings)
            count += 1
            partition = partition_of(item.student_id, PARTITIONS)
            lane = lanes[partition]
            lane.append(item)
            if len(lane) >= size:
                records.append(self._seal(partition, lane))
                size = self._rng.choice((1, 5, 40, 200))
            if len(records) >= batch:
                self._process(records, at)
                batch = self._rng.choice((1, 10 * scale, 60 * scale))
        self._seal_all(lanes, records)
        self._process(records, max(self._term.end, self._now) + LATEST)
        self._look(first_seen)
        self._now = self._term.end + 7 * DAY
        self._look(first_seen)
        rows, digests = self._digests()
        self._sink.close()
        self._reads.close()
        return Outcome(rows, digests, count, self._refolds, time.monotonic() - began, first_seen)

    def _seal(self, partition: int, lane: list[Item]) -> Record:
        offset = self._offsets[partition]
        self._offsets[partition] += 1
        value = self._encode(Envelope("term", lane[-1].stored, list(lane)))
        lane.clear()
        return Record(partition, offset, value)

    def _seal_all(self, lanes: dict[int, list[Item]], records: list[Record]) -> None:
        records += [self._seal(partition, lane) for partition, lane in lanes.items() if lane]

    def _process(self, records: list[Record], now: int) -> None:
        self._now = now
        if not records:
            return
        self._processor.trim()
        batch = self._processor.process(records)
        records.clear()
        assert not batch.dead, batch.dead[0]
        for columns in tables.OF_STATEMENTS:
            assert not self._sink.insert(columns, batch.rows[columns])
        self._touched |= batch.students
        self._refolds += batch.refolds

    def _look(self, first_seen: dict[tuple[str, str, int], int]) -> None:
        students = set(self._touched)
        if self._evaluator.refresh():
            for partition in range(PARTITIONS):
                students |= set(self._evaluator.students_of(partition))
        self._touched.clear()
        if not self._evaluator.evaluate(students):
            return
        with open_clickhouse(self._database) as client:
            query = "SELECT toString(student_id), rule, toUInt16(raised_on) FROM warnings FINAL"
            for key in client.query(query).result_rows:
                first_seen.setdefault((str(key[0]), str(key[1]), int(key[2])), self._now)

    def _digests(self) -> tuple[dict[str, int], dict[str, str]]:
        rows, digests = {}, {}
        with open_clickhouse(self._database) as client:
            for table, columns in _TABLES.items():
                standing = " WHERE status != 'withdrawn'" if table == "warnings" else ""
                query = f"SELECT {columns} FROM {table} FINAL{standing} ORDER BY ALL"
                data = client.raw_query(query, fmt="RowBinary")
                rows[table] = int(client.query(f"SELECT count() FROM {table} FINAL{standing}").result_rows[0][0])
                digests[table] = hashlib.sha256(data).hexdigest()
        return rows, digests


def evenings(term: Term, rng: random.Random | None = None) -> Iterator[int]:
    """Times at which the rules look: each day at 21:00; with ``rng`` every one to four days, at any hour."""
    day = midnight_of(term.district.start, term.zone)
    while True:
        yield day + (21 * HOUR if rng is None else rng.randrange(DAY))
        day += DAY * (1 if rng is None else rng.randint(1, 4))


def run(front: Front, folder: Path, students: int, days: int, seed: int) -> tuple[Outcome, Outcome]:
    """The term lived through, and replayed."""
    settings = Settings(
        data_dir=folder,
        kafka=KafkaSettings(partitions=PARTITIONS),
        clickhouse=ClickHouseSettings(host=front.host, port=front.port),
    )
    engine = registry.open_registry(settings.registry_url())
    registry.migrate(engine)
    term = Term(settings, engine, students, days)
    term.draw_calibration(random.Random(seed))
    outcomes = []
    for name in ("lived", "replayed"):
        rng = random.Random(f"{name} {seed}")
        database = settings.clickhouse.model_copy(update={"database": f"term_{seed}_{name}"})
        life = Life(term, engine, database, rng)
        if name == "lived":
            outcomes.append(life.live(term.items(), evenings(term)))
        else:
            outcomes.append(life.live(delayed(term.items(), rng), evenings(term, rng)))
    engine.dispose()
    return outcomes[0], outcomes[1]


def late_by(outcome: Outcome, zone: ZoneInfo) -> list[int]:
    """Days from the date of each warning to the evening on which it was first seen."""
    return [
        as_number(datetime.fromtimestamp(seen / SECOND, zone).date()) - raised_on
        for (_, _, raised_on), seen in outcome.first_seen.items()
    ]


def main() -> int:
    """Run both, print the table; 1 where they differ."""
    parser = argparse.ArgumentParser(prog="term", description=__doc__.split("\n")[0])
    parser.add_argument("--students", type=int, default=2000)
    parser.add_argument("--days", type=int, default=60, help="school days")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Front(Path(scratch) / "store") as front:
        lived, replayed = run(front, Path(scratch), arguments.students, arguments.days, arguments.seed)
    for name, one in (("lived", lived), ("replayed", replayed)):
        print(f"{name}: {one.statements:,} items, {one.refolds:,} refolds, {one.seconds:.0f} s")
    for table in _TABLES:
        first, second = lived.digests[table], replayed.digests[table]
        verdict = "equal" if first == second else "DIFFERENT"
        print(f"{table:15} {lived.rows[table]:9,} rows  {first[:16]}  {second[:16]}  {verdict}")
    days = sorted(late_by(lived, ZoneInfo(Settings().district.timezone)))
    if days:
        print(f"warnings of the lived term were first seen {days[0]} to {days[-1]} days after the day they are dated")
    return int(lived.digests != replayed.digests)


if __name__ == "__main__":
    sys.exit(main())
