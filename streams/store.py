"""What the core reads back: positions of statements, and states, days and attempts of the students of a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from string import Template
from typing import Protocol

from schemas.events import TIMESTAMP_GENERATED, Item
from streams.dedupe import WARMED, WARMED_US, First, Key, Recent, Seen
from streams.kept import KeptReads, KeptStore, Reader, listed, moment, parts
from streams.learner.state import SKILL_MEMORY, STUDENT_MEMORY, Attempt, LearnerState, SkillState
from streams.ledger import LedgerStore, Place, Tally
from streams.rows.arrival import Arrival
from streams.rows.days import as_date
from streams.rows.engagement import DayCount

__all__ = ["ClickHouseStore", "Reader", "Store", "StoredLearner"]

# Ids are written into the queries as they are: an arrival is not read unless they are UUIDs. PREWHERE: a condition on
# the key alone may come before rows of equal keys become one, which makes a look-up of many students cost a quarter.
_POSITIONS = Template(
    "SELECT statement_id, student_id, toUnixTimestamp64Micro(timestamp), generation, offset, idx, digest"
    " FROM statements PREWHERE student_id IN ($students)$moments WHERE statement_id IN ($statements) UNION ALL"
    " SELECT statement_id, student_id, toUnixTimestamp64Micro(timestamp), generation, offset, idx, digest"
    " FROM credits PREWHERE student_id IN ($students)$moments WHERE statement_id IN ($statements)"
)
_MOMENTS = Template(
    " AND timestamp >= toDateTime64('$first', 6, 'UTC') AND timestamp <= toDateTime64('$last', 6, 'UTC')"
)
_LATEST = Template(
    "SELECT student_id, toUnixTimestamp64Micro(max(timestamp)) FROM"
    " (SELECT student_id, timestamp FROM statements PREWHERE student_id IN ($students)"
    " UNION ALL SELECT student_id, timestamp FROM credits PREWHERE student_id IN ($students)) GROUP BY student_id"
)
# Without FINAL, which would go through every granule read in the order of its keys: the few rows of a key are sorted
# here, and of rows that are equal the one that was written last stands, as a merge would have it. Of some hundred
# students a thread for each part costs more than it saves.
_NEWEST = Template(
    "SELECT * EXCEPT (removed) FROM (SELECT $columns, removed FROM $table PREWHERE $$condition"
    " ORDER BY $version DESC, _block_number DESC LIMIT 1 BY $key) WHERE removed = 0 SETTINGS max_threads = 1"
)
_STUDENT_STATES = Template(
    _NEWEST.substitute(
        table="student_states",
        key="student_id",
        version="precedence",
        columns="student_id, rating, attempts, toUnixTimestamp64Micro(last_at), last_statement_id, calibration,"
        " generation, watermark, memory",
    )
)
_SKILL_STATES = Template(
    _NEWEST.substitute(
        table="skill_states",
        key="student_id, skill_id",
        version="precedence",
        columns="student_id, skill_id, calibration, generation, watermark, attempts, successes, rating, mastery,"
        " recent, toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at), low, high, memory",
    )
)
_DAYS = Template(
    _NEWEST.substitute(
        table="student_days",
        key="student_id, day",
        version="watermark",
        columns="student_id, toUInt16(day), generation, watermark, statements, activity, attempts, successes,"
        " duration_ms, attended, absent, incidents, providers, toUnixTimestamp64Micro(first_at),"
        " toUnixTimestamp64Micro(last_at)",
    )
)
# Without FINAL: what was taken out is told by removals, and of rows with equal keys the earliest comes last.
_ATTEMPTS = Template(
    "SELECT student_id, generation, offset, toUnixTimestamp64Micro(timestamp), statement_id, item, skills, outcome,"
    " duration_ms FROM attempts WHERE student_id IN ($students) AND removed = 0 ORDER BY generation DESC, offset DESC"
)
# Parts that hold nothing of the last hour are left out by what they know of their column stored.
_RECENT = Template(
    "SELECT partition, statement_id, student_id, offset, idx, digest, toUnixTimestamp64Micro(stored) FROM ($rows)"
    " ORDER BY partition, offset DESC, idx DESC LIMIT $limit BY partition"
)
_RECENT_ROWS = Template(
    "SELECT partition, statement_id, student_id, offset, idx, digest, stored FROM $table WHERE $condition"
)
_TALLIES = Template(
    "SELECT partition, intDiv(toUnixTimestamp(minute), 60), provider_id, statements, watermark FROM ledger FINAL"
    " PREWHERE generation = $generation AND (partition, minute) IN ($places)"
)


class StoredLearner:
    """A learner as its rows stand: ``torn`` when a skill's row is ahead of the student's, they disagree, or they were
    written before the model had its present memory."""

    __slots__ = ("calibration", "state", "torn", "watermark")

    def __init__(self, state: LearnerState, watermark: int, calibration: int) -> None:
        self.state = state
        self.watermark = watermark
        self.calibration = calibration
        self.torn = False


class Store(LedgerStore, KeptStore, Protocol):
    """Reads of a worker. Offsets of an earlier generation count as -1."""

    def latest(self, student_ids: Collection[str]) -> dict[str, int]:
        """The latest timestamp (µs) among the statements and credits of each student, also those that were taken out;
        of students of whom there are any."""

    def positions(self, arrivals: Collection[Arrival]) -> dict[Key, Seen]:
        """Where the statements of these arrivals stand first, for those that are stored."""

    def recent(self, firsts: Mapping[int, First]) -> dict[int, list[Recent]]:
        """Statements and credits of these partitions before their first envelopes: the last WARMED of each, and none
        stored more than WARMED_US before."""

    def learners(self, student_ids: Collection[str]) -> dict[str, StoredLearner]:
        """Skill states of the students that have any."""

    def days(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], DayCount]:
        """Counts of these students and days, for those that are stored."""

    def days_of(self, student_ids: Collection[str]) -> dict[tuple[str, int], DayCount]:
        """Counts of all days of these students that are stored."""

    def attempts(self, until: Mapping[str, int]) -> dict[str, list[Attempt]]:
        """Attempts of each student with an offset of at most ``until[student]``, the earliest of equal keys last.

        Those that were taken out may be among them: see removals.
        """


class ClickHouseStore(KeptReads):
    """The store, for one generation of the statements topic."""

    def positions(self, arrivals: Collection[Arrival]) -> dict[Key, Seen]:
        """By timestamp too, unless that was generated: then it differs from copy to copy.

        In both tables: a credit may be of a statement whose own row stands under this student, one that comes back to
        it; and what is credited to a member of a group may come again as the member's own.
        """
        found: dict[Key, Seen] = {}
        items = sorted((a.item for a in arrivals), key=lambda item: (item.student_id, item.timestamp))
        for part in parts([item for item in items if not item.flags & TIMESTAMP_GENERATED]):
            self._positions(part, found, dated=True)
        for part in parts([item for item in items if item.flags & TIMESTAMP_GENERATED]):
            self._positions(part, found, dated=False)
        return found

    def _positions(self, items: Sequence[Item], found: dict[Key, Seen], *, dated: bool) -> None:
        """By student and a range of moments: a student's rows stand together, and to go through them costs less than
        to find each of them by its key."""
        exact = {(item.statement_id, item.student_id, item.timestamp) for item in items}
        moments = [item.timestamp for item in items]
        rows = self._rows(
            _POSITIONS.substitute(
                students=listed({item.student_id for item in items}),
                statements=listed({item.statement_id for item in items}),
                moments=_MOMENTS.substitute(first=moment(min(moments)), last=moment(max(moments))) if dated else "",
            )
        )
        for statement_id, student_id, timestamp, generation, offset, idx, digest in rows:
            if dated and (statement_id, student_id, timestamp) not in exact:
                continue
            seen = Seen(offset if generation == self._generation else -1, idx, digest)
            known = found.get((statement_id, student_id))
            if known is None or seen < known:
                found[statement_id, student_id] = seen

    def latest(self, student_ids: Collection[str]) -> dict[str, int]:
        """By the key alone: of an absent student, one granule of one column in each part."""
        found: dict[str, int] = {}
        for part in parts(sorted(student_ids)):
            found.update(self._rows(_LATEST.substitute(students=listed(part))))
        return found

    def recent(self, firsts: Mapping[int, First]) -> dict[int, list[Recent]]:
        """In one query over both tables."""
        found: dict[int, list[Recent]] = {}
        since = min(first.stored for first in firsts.values()) - WARMED_US
        places = " OR ".join(
            f"(partition = {partition} AND offset < {first.offset} AND offset >= {first.offset - WARMED})"
            for partition, first in firsts.items()
        )
        condition = f"generation = {self._generation} AND stored > '{moment(since)}' AND ({places})"
        rows = " UNION ALL ".join(
            _RECENT_ROWS.substitute(table=table, condition=condition) for table in ("statements", "credits")
        )
        for partition, statement_id, student_id, offset, idx, digest, stored in self._rows(
            _RECENT.substitute(rows=rows, limit=WARMED)
        ):
            recent = Recent((statement_id, student_id), Seen(offset, idx, digest), stored)
            found.setdefault(partition, []).append(recent)
        return found

    def learners(self, student_ids: Collection[str]) -> dict[str, StoredLearner]:
        """The rows with the highest watermark of each key."""
        found: dict[str, StoredLearner] = {}
        for part in parts(list(student_ids)):
            for student, rating, n, last_at, last_id, calibration, generation, watermark, memory in self._rows(
                _STUDENT_STATES.substitute(condition=_among(part))
            ):
                state = LearnerState(rating, n, (last_at, last_id), memory)
                found[student] = StoredLearner(state, self._own(generation, watermark), calibration)
                found[student].torn = len(memory) != STUDENT_MEMORY
            for student, skill, calibration, generation, watermark, *values in self._rows(
                _SKILL_STATES.substitute(condition=_among(part))
            ):
                learner = found.get(student)
                if learner is None:
                    learner = found[student] = StoredLearner(LearnerState(), -1, calibration)
                    learner.torn = True
                learner.state.skills[skill] = SkillState(*values)
                if self._own(generation, watermark) > learner.watermark or calibration != learner.calibration:
                    learner.torn = True
                learner.torn |= len(values[-1]) != SKILL_MEMORY
        return found

    def days(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], DayCount]:
        """The rows with the highest watermark of each key."""
        found: dict[tuple[str, int], DayCount] = {}
        for part in parts(list(wanted)):
            pairs = ",".join(f"('{student}','{as_date(day)}')" for student, day in part)
            self._days(f"(student_id, day) IN ({pairs})", found)
        return found

    def days_of(self, student_ids: Collection[str]) -> dict[tuple[str, int], DayCount]:
        """The rows with the highest watermark of each key."""
        found: dict[tuple[str, int], DayCount] = {}
        for part in parts(sorted(student_ids)):
            self._days(_among(part), found)
        return found

    def _days(self, condition: str, found: dict[tuple[str, int], DayCount]) -> None:
        for student, day, generation, watermark, *values in self._rows(_DAYS.substitute(condition=condition)):
            count = DayCount()
            (
                count.statements, count.activity, count.attempts, count.successes, count.duration_ms,
                count.attended, count.absent, count.incidents, count.providers, count.first_at, count.last_at,
            ) = values  # fmt: skip
            count.watermark = count.base = self._own(generation, watermark)
            found[student, day] = count

    def attempts(self, until: Mapping[str, int]) -> dict[str, list[Attempt]]:
        """Without FINAL: which of the rows with equal keys counts, is told by their order."""
        found: dict[str, list[Attempt]] = {student: [] for student in until}
        for part in parts(list(until)):
            for student, generation, offset, timestamp, statement_id, item, skills, outcome, lasted in self._rows(
                _ATTEMPTS.substitute(students=listed(part))
            ):
                if self._own(generation, offset) <= until[student]:
                    found[student].append(Attempt(timestamp, statement_id, item, list(skills), outcome, lasted))
        return found

    def tallies(self, places: Collection[Place]) -> dict[Place, Tally]:
        """The rows with the highest watermark of each key; providers nobody asked for share a minute with others."""
        wanted = set(places)
        found: dict[Place, Tally] = {}
        for part in parts(sorted({(partition, minute) for partition, minute, _ in places})):
            listed = ",".join(f"({partition},toDateTime({minute * 60},'UTC'))" for partition, minute in part)
            for partition, minute, provider_id, *values in self._rows(
                _TALLIES.substitute(generation=self._generation, places=listed)
            ):
                if (place := (partition, minute, provider_id)) in wanted:
                    found[place] = Tally(*values)
        return found


def _among(student_ids: Collection[str]) -> str:
    return f"student_id IN ({listed(student_ids)})"
