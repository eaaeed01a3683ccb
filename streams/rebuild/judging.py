"""What the rows of one student have to say, beside what they say: pure, the same fold and counts as the worker's.

A live row tells up to which offset it was folded, and the sinks tell up to which offset all rows are written. The
rebuilt row is folded up to the later of the two, so that both speak of the same part of the log, however busy it is.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streams.history import Decision, Kept, Key, attempt_of, is_out, key_of
from streams.learner.calibration import Calibration
from streams.learner.fold import fold
from streams.learner.state import STUDENT_MEMORY, Attempt, LearnerState
from streams.rebuild.differences import Difference, Values, compare, words
from streams.rows import tables
from streams.rows.arrival import attempt_row
from streams.rows.days import LocalDays
from streams.rows.engagement import DayCount
from streams.rows.states import Stamp, skill_row, student_row
from streams.rows.tables import Columns, Row

ATTEMPTS: Final = tables.ATTEMPT_REVISIONS
DAYS: Final = tables.STUDENT_DAY_REMOVALS
SKILLS: Final = tables.SKILL_STATE_REMOVALS
STATES: Final = tables.STUDENT_STATE_REMOVALS
REBUILT: Final = (ATTEMPTS, DAYS, SKILLS, STATES)
"""What is computed again, in the order of writing."""


@dataclass
class Record:
    """All that was kept of a student, with what was taken out; ``unreadable`` says why it cannot be folded."""

    kept: list[Kept] = field(default_factory=list)
    removed: dict[Key, Decision] = field(default_factory=dict)
    unreadable: str = ""


@dataclass
class Live:
    """The rows of a student as readers see them, by column.

    ``revised`` is the offset of the last event that took out an attempt or put one back, -1 for none.
    """

    attempts: dict[Key, Values] = field(default_factory=dict)
    days: dict[int, Values] = field(default_factory=dict)
    skills: dict[str, Values] = field(default_factory=dict)
    state: Values | None = None
    revised: int = -1


class Bounds(NamedTuple):
    """Where the student stands in the log.

    Attributes:
        generation: of the statements topic; rows of an earlier one count as folded before its first offset.
        partition: of the student.
        written: all rows up to this offset are written, as the sinks said before anything was read.
        renew: give rows of earlier generations this one's place, which needs tables of their own: the older row,
            with its higher watermark, would win.
        activation: number of the switch to the calibration.
    """

    generation: int
    partition: int
    written: int
    renew: bool = False
    activation: int = 0


@dataclass
class Verdict:
    """What came of one student.

    Attributes:
        rows: all rows as they have to be, by table.
        changed: those of them that are not so; what must not be there is marked as removed.
        differences: value by value.
        outdated: the live states were folded under another calibration or by another model, and are not compared.
        unsettled: something of the student was being written while it was read; look again.
        stuck: a change that would lose against a row of an earlier generation.
    """

    rows: dict[Columns, list[Row]] = field(default_factory=lambda: {columns: [] for columns in REBUILT})
    changed: dict[Columns, list[Row]] = field(default_factory=lambda: {columns: [] for columns in REBUILT})
    differences: list[Difference] = field(default_factory=list)
    outdated: bool = False
    unsettled: bool = False
    stuck: bool = False


def judge(
    student_id: str, record: Record, live: Live, bounds: Bounds, calibration: Calibration, days: LocalDays
) -> Verdict:
    """The rows of a student, and where they differ from those that are live."""
    return _Judgement(student_id, record, live, bounds, calibration).pronounce(days)


class _Judgement:
    def __init__(self, student_id: str, record: Record, live: Live, bounds: Bounds, calibration: Calibration) -> None:
        self._student = student_id
        self._live = live
        self._bounds = bounds
        self._calibration = calibration
        self._removed = record.removed
        self._cutoff = max(bounds.written, self._standing(live.state))
        self._present = self._choose(record)
        self._verdict = Verdict()

    def _choose(self, record: Record) -> dict[Key, Kept]:
        """What stands, each statement once: as it came first, or as it came back."""
        found: dict[Key, Kept] = {}
        for kept in record.kept:
            key = key_of(kept.arrival)
            if is_out(key, record.removed):
                continue
            known = found.get(key)
            if known is None or self._rank(kept) < self._rank(known):
                found[key] = kept
        return found

    def _rank(self, kept: Kept) -> tuple[bool, int, int]:
        offset = self._own(kept.generation, kept.arrival.offset)
        decision = self._removed.get(key_of(kept.arrival))
        came_back = decision is not None and decision.restored and decision.offset == offset
        return not came_back, offset, kept.arrival.idx

    def pronounce(self, days: LocalDays) -> Verdict:
        verdict = self._verdict
        # What came last about a statement hides what was before it: at this cutoff nobody can tell.
        decided = max((decision.offset for decision in self._removed.values()), default=-1)
        verdict.unsettled = max(decided, self._live.revised) > self._cutoff
        self._judge_attempts()
        self._judge_days(days)
        self._judge_states()
        return verdict

    def _own(self, generation: object, offset: object) -> int:
        """An offset of the current generation, -1 for one of an earlier generation."""
        return int(str(offset)) if generation == self._bounds.generation else -1

    def _standing(self, row: Values | None) -> int:
        return -1 if row is None else self._own(row["generation"], row["watermark"])

    def _position(self, kept: Kept) -> int:
        decision = self._removed.get(key_of(kept.arrival))
        return max(self._own(kept.generation, kept.arrival.offset), decision.offset if decision is not None else -1)

    # Tables

    def _judge_attempts(self) -> None:
        names = tables.ATTEMPTS.names
        for key in sorted(self._live.attempts.keys() | self._present.keys()):
            kept, live = self._present.get(key), self._live.attempts.get(key)
            decided = decision.offset if (decision := self._removed.get(key)) is not None else -1
            told = f"statement {key[1]}"
            if kept is not None and kept.arrival.outcome is not None:
                if live is None and self._position(kept) > self._cutoff:
                    continue  # on its way
                plain = attempt_row(kept.arrival, kept.generation)
                revision = decided if live is None else live["revision"]
                standing = None if live is None else {name: live[name] for name in names}
                self._add(ATTEMPTS, told, (*plain, revision, 0), standing, dict(zip(names, plain, strict=True)))
            elif live is not None:
                revision = max(int(str(live["revision"])), decided)
                self._add(ATTEMPTS, told, (*(live[name] for name in names), revision, 1), live, None)

    def _judge_days(self, days: LocalDays) -> None:
        by_day: dict[int, list[Kept]] = defaultdict(list)
        for kept in self._present.values():
            by_day[days.day_of(kept.arrival.item.timestamp)].append(kept)
        for day in sorted(by_day.keys() | self._live.days.keys()):
            live = self._live.days.get(day)
            cutoff = max(self._cutoff, self._standing(live))
            count = DayCount()
            count.base = -2  # everything is to be counted, whatever its offset
            counted = [kept for kept in by_day.get(day, ()) if self._position(kept) <= cutoff]
            count.add(kept.arrival for kept in counted)
            needed = max(map(self._position, counted), default=-1)
            if count.statements:
                generation, partition, count.watermark = self._stamp(live, needed)
                row = (*count.row(self._student, day, generation, partition), 0)
                self._put(DAYS, words("day", day), row, live, needed)
            elif live is not None:
                self._take_out(DAYS, words("day", day), live)

    def _judge_states(self) -> None:
        attempts: list[Attempt] = []
        needed = -1
        needed_of: dict[str, int] = defaultdict(lambda: -1)
        for kept in self._present.values():
            position, arrival = self._position(kept), kept.arrival
            if arrival.outcome is None or position > self._cutoff:
                continue
            attempts.append(attempt_of(arrival))
            needed = max(needed, position)
            for skill in arrival.item.skills:
                needed_of[skill] = max(needed_of[skill], position)
        learner = fold(attempts, self._calibration)
        state, version = self._live.state, self._calibration.version
        self._verdict.outdated = state is not None and bool(attempts) and self._outdated(state)
        for skill in sorted(self._live.skills.keys() | learner.skills.keys()):
            live = self._live.skills.get(skill)
            if self._standing(live) > self._cutoff:
                self._verdict.unsettled = True  # written ahead of the student's row
            if skill in learner.skills:
                stamp = Stamp(version, self._bounds.activation, *self._stamp(live, needed_of[skill]))
                row = (*skill_row(self._student, skill, learner.skills[skill], stamp), 0)
                self._put(SKILLS, skill, row, live, needed_of[skill])
            elif live is not None:
                self._take_out(SKILLS, skill, live)
        self._judge_state(learner, needed)

    def _outdated(self, state: Values) -> bool:
        """Whether a live row was folded under another calibration, or by a model that remembered something else."""
        memory = state["memory"]
        assert isinstance(memory, array), "see streams.rebuild.reading"
        known = state["calibration"], state["activation"], len(memory)
        return known != (self._calibration.version, self._bounds.activation, STUDENT_MEMORY)

    def _judge_state(self, learner: LearnerState, needed: int) -> None:
        state = self._live.state
        if learner.attempts:
            # Not behind its skills: that would tell a torn flush.
            ahead = max((self._standing(live) for live in self._live.skills.values()), default=-1)
            place = self._stamp(state, needed if state is not None else max(needed, ahead))
            stamp = Stamp(self._calibration.version, self._bounds.activation, *place)
            row = (*student_row(self._student, learner, stamp), 0)
            self._put(STATES, "", row, state, needed)
        elif state is not None:
            self._take_out(STATES, "", state)

    # Rows

    def _stamp(self, live: Values | None, needed: int) -> tuple[int, int, int]:
        """Generation, partition and watermark: the live row's, unless it lags behind what it should hold."""
        bounds = self._bounds
        if live is not None and live["generation"] != bounds.generation and needed < 0 and not bounds.renew:
            return int(str(live["generation"])), int(str(live["partition"])), int(str(live["watermark"]))
        return bounds.generation, bounds.partition, max(self._standing(live), needed)

    def _put(self, columns: Columns, key: str, row: Row, live: Values | None, needed: int) -> None:
        rebuilt = dict(zip(columns.names, row, strict=True))
        del rebuilt["removed"]
        if live is not None and live["generation"] != self._bounds.generation:
            if needed < 0:  # to carry a row over into this generation is no correction
                rebuilt |= {name: live[name] for name in ("generation", "partition", "watermark")}
            else:
                self._verdict.stuck |= needed <= int(str(live["watermark"]))
        self._add(columns, key, row, live, rebuilt)

    def _take_out(self, columns: Columns, key: str, live: Values) -> None:
        self._add(columns, key, (*(live[name] for name in columns.names[:-1]), 1), live, None)

    def _add(
        self, columns: Columns, key: str, row: Row, live: Mapping[str, object] | None, rebuilt: Values | None
    ) -> None:
        verdict = self._verdict
        verdict.rows[columns].append(row)
        if verdict.outdated and columns in (SKILLS, STATES):
            verdict.changed[columns].append(row)
            return
        found = list(compare(columns.table, self._student, key, live, rebuilt))
        if found:
            verdict.changed[columns].append(row)
            verdict.differences += found
