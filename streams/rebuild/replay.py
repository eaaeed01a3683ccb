"""A range of the log processed again beside the live worker: missing rows are restored, states and days compared.

Every record goes through the worker's own processor. The rows that it writes by itself are looked for and written where
they are missing; its students' states and days depend on what came before the range, too, so they are computed from the
store as a rebuild does. On exact state nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clickhouse_connect.driver.exceptions import ClickHouseError

from infra.runtime.logging import get_logger
from infra.runtime.settings import KafkaSettings
from streams.batch import Batch, Record
from streams.processor import Processor, ProcessorOptions
from streams.rebuild import log as statements_log
from streams.rebuild.comparing import Comparison
from streams.rebuild.differences import Difference
from streams.rebuild.log import Range
from streams.rebuild.restoring import Restoring
from streams.rebuild.scope import MOST_STUDENTS, Scope, parts
from streams.rebuild.store import CommandStore

log = get_logger(__name__)


@dataclass
class Report:
    """What came of a replay.

    Attributes:
        ranges: offsets that were read.
        records, statements: read; ``failed`` records break the program, and are dead letters.
        students: whom they are about.
        restored: rows that were missing, in words; with the number of them by table.
        differences: of states and days.
        compared: students of whom this was looked for.
        left: students left as they are, and why.
    """

    ranges: list[Range] = field(default_factory=list)
    records: int = 0
    failed: int = 0
    statements: int = 0
    students: set[str] = field(default_factory=set)
    restored: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    left: list[str] = field(default_factory=list)


class Replay:
    """One replay, of records that ``make`` makes a processor for. Raises what clickhouse-connect and aiokafka raise."""

    def __init__(
        self,
        settings: KafkaSettings,
        store: CommandStore,
        make: Callable[[], Processor],
        options: ProcessorOptions,
        comparison: Comparison,
    ) -> None:
        self._settings = settings
        self._store = store
        self._make = make
        self._options = options
        self._comparison = comparison
        self.report = Report()

    async def restore(self, since: int, until: int | None, told: Callable[[Report], None]) -> None:
        """Read the log between two times (µs) and restore what is missing.

        Raises EmptyRangeError and RetentionError.
        """
        report, topic = self.report, self._options.topic
        restoring = Restoring(
            self._store.read,
            (lambda *_: None) if self._comparison.options.check else self._store.insert,
            self._options.generation,
        )
        consumer = statements_log.open_consumer(self._settings)
        await consumer.start()
        try:
            partitions = self._settings.partitions
            report.ranges = await statements_log.find(
                consumer, topic, partitions, since, until, self._comparison.offsets()
            )
            for one in report.ranges:
                processor = self._make()
                async for records in statements_log.read(consumer, topic, one):
                    self._process(processor, records, restoring)
                    report.restored = restoring.lines
                    told(report)
                restoring.tallies(since, until)
        finally:
            await consumer.stop()

    def _process(self, processor: Processor, records: Sequence[Record], restoring: Restoring) -> None:
        try:
            processor.trim()
            self._keep(records, processor.process(records), restoring)
        except ClickHouseError:
            raise
        except Exception as error:  # the worker has put this record aside, or its batch
            if len(records) == 1:
                log.warning("a record cannot be processed", offset=records[0].offset, error=str(error))
                self.report.failed += 1
                return
            for record in records:
                self._process(processor, [record], restoring)

    def _keep(self, records: Sequence[Record], batch: Batch, restoring: Restoring) -> None:
        restoring.restore(records, batch)
        report = self.report
        report.records += len(records)
        report.statements += batch.statements
        report.students |= batch.students

    def compare(self, told: Callable[[Report], None]) -> None:
        """States and days of the students who were met, after what was missing is restored."""
        report, waiting = self.report, sorted(self.report.students)
        for start in range(0, len(waiting), MOST_STUDENTS):
            scope = Scope(students=tuple(waiting[start : start + MOST_STUDENTS]))
            for part in parts(self._store.read, scope):
                step, differences = self._comparison.correct(part)
                report.differences += differences
                report.compared += step.students
                report.left += step.left
                told(report)
