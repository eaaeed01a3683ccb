"""What one statement costs in the worker before anything leaves it: decoding, rows, fold, all of the core."""

from __future__ import annotations

import gc
import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec

from schemas.avro_registry import schema_registry
from schemas.codec import envelope_codec
from schemas.events import Envelope
from streams import history
from streams.app import calm_the_collector
from streams.dedupe import First, Key, Recent, Seen
from streams.envelopes import envelope_decoder
from streams.history import Decision, Kept
from streams.kept import ALWAYS, StudentKey
from streams.learner.fold import extend, in_python
from streams.learner.state import Attempt, LearnerState
from streams.ledger import COUNTS_HEADER, Place, Tally
from streams.processor import Processor, ProcessorOptions, Record
from streams.rows.arrival import Arrival, attempt_row, read, statement_row
from streams.rows.engagement import DayCount
from streams.store import StoredLearner
from tests.bench.calibrated import attempts, fitted
from tests.bench.figures import Figure
from tests.bench.workload import ENVELOPE, Mix, envelopes, items

TAKEN = 20_000
REPEATS = 5
PARTITIONS = 4
BATCH = 100
"""Envelopes that the core is given at a time."""

CODEC = envelope_codec(schema_registry(""))
DECODE = envelope_decoder(schema_registry(""))


class EmptyStore:
    """A store in which nothing is."""

    def latest(self, student_ids: Collection[str]) -> dict[str, int]:
        return {}

    def positions(self, arrivals: Collection[Arrival]) -> dict[Key, Seen]:
        return {}

    def recent(self, firsts: Mapping[int, First]) -> dict[int, list[Recent]]:
        return {}

    def learners(self, student_ids: Collection[str]) -> dict[str, StoredLearner]:
        return {}

    def days(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], DayCount]:
        return {}

    def days_of(self, student_ids: Collection[str]) -> dict[tuple[str, int], DayCount]:
        return {}

    def attempts(self, until: Mapping[str, int]) -> dict[str, list[Attempt]]:
        return {student: [] for student in until}

    def kept(self, student_ids: Collection[str], moments: tuple[int, int] = ALWAYS) -> dict[str, list[Kept]]:
        return {student: [] for student in student_ids}

    def originals(self, keys: Collection[StudentKey], *, credited: bool) -> dict[StudentKey, Kept]:
        return {}

    def any_removals(self) -> bool:
        return False

    def removals(self, student_ids: Collection[str]) -> dict[str, dict[history.Key, Decision]]:
        return {}

    def tallies(self, places: Collection[Place]) -> dict[Place, Tally]:
        return {}


def median_seconds(
    action: Callable[[], object], repeats: int = REPEATS, clock: Callable[[], float] = time.process_time
) -> float:
    """Median time of an action, s, by a clock: processor time unless told otherwise, which other load spoils least.

    Garbage of one repetition is not collected in the next; between, the collector is as calm as in a worker.
    """
    calm_the_collector()
    taken = []
    for _ in range(repeats):
        gc.collect()
        began = clock()
        action()
        taken.append(clock() - began)
    return statistics.median(taken)


def decode() -> Iterator[Figure]:
    """Envelope bytes to items, and the same statements one a record, as Avro and as plain JSON."""
    made = [envelope for _, envelope in envelopes(TAKEN, partitions=1)]
    together = [CODEC.encode(envelope) for envelope in made]
    alone = [CODEC.encode(Envelope("bench", 0, [item])) for envelope in made for item in envelope.items]
    enveloped = median_seconds(lambda: [DECODE(data) for data in together]) / TAKEN
    single = median_seconds(lambda: [DECODE(data) for data in alone]) / TAKEN
    size = sum(map(len, together)) / TAKEN
    yield Figure("decode", f"envelopes of {ENVELOPE}", enveloped * 1e6, "µs", note=f"{size:,.0f} bytes a statement")
    yield Figure("decode", "one statement a record", single * 1e6, "µs")
    yield Figure("decode", "gain of envelopes", single / enveloped, "×")


def rows() -> Iterator[Figure]:
    """An item to its rows: the JSON read and checked, the tuples of statements and attempts."""
    made = list(items(TAKEN))
    size = sum(len(item.statement) for item in made) / TAKEN

    def all_rows() -> None:
        for number, item in enumerate(made):
            arrival = read(0, number, 0, item)
            statement_row(arrival, 1)
            if arrival.outcome is not None:
                attempt_row(arrival, 1)

    yield Figure("rows", "a statement", median_seconds(all_rows) / TAKEN * 1e6, "µs", note=f"{size:,.0f} bytes of JSON")


def fold() -> Iterator[Figure]:
    """One attempt into its student's states, each timed by itself, with the extension and without."""
    made, calibration = attempts(TAKEN), fitted().calibration
    for name, one in (("an attempt", extend), ("an attempt, plain Python", in_python)):
        taken: list[int] = []
        for _ in range(REPEATS):
            states: dict[str, LearnerState] = {}
            for student_id, attempt in made:
                state = states.setdefault(student_id, LearnerState())
                began = time.perf_counter_ns()
                one(state, [attempt], calibration)
                taken.append(time.perf_counter_ns() - began)
        hundredths = statistics.quantiles(taken, n=100)
        yield Figure("fold", f"{name}, p50", hundredths[49] / 1e3, "µs", note="one skill each, a fitted calibration")
        yield Figure("fold", f"{name}, p99", hundredths[98] / 1e3, "µs", 60)


def core() -> Iterator[Figure]:
    """Records to batches of rows in one thread, without Kafka and without ClickHouse."""
    for name, mix in (("school's mix", Mix()), ("all attempts", Mix(attempts=1.0))):
        records = prefilled(3 * TAKEN, mix)

        def work(records: list[Record] = records) -> None:
            processor = make_processor()
            for start in range(0, len(records), BATCH):
                processor.process(records[start : start + BATCH])

        rate = 3 * TAKEN / median_seconds(work, 3)
        yield Figure("core", name, rate, "statements/s", note=f"batches of {BATCH} envelopes of {ENVELOPE}")


def make_processor() -> Processor:
    """A worker's core over a store in which nothing is."""
    options = ProcessorOptions(
        topic="statements",
        generation=1,
        timezone="America/Chicago",
        cached_students=20_000,
        remembered_statements=100_000,
        calibration=fitted().calibration,
        clock=lambda: time.time_ns() // 1000,
    )
    return Processor(DECODE, EmptyStore(), options)


def told(envelope: Envelope) -> tuple[str, bytes]:
    """The header in which ingest tells how many statements of which provider a record holds."""
    return COUNTS_HEADER, msgspec.json.encode(Counter(item.provider_id for item in envelope.items))


def prefilled(count: int, mix: Mix) -> list[Record]:
    """Records as a worker reads them from a log that was filled before."""
    ends = [0] * PARTITIONS
    records = []
    for partition, envelope in envelopes(count, mix, partitions=PARTITIONS):
        records.append(Record(partition, ends[partition], CODEC.encode(envelope), [told(envelope)]))
        ends[partition] += 1
    return records
