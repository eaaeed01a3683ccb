"""What students know, from their states and, for one student, from the fold of the answers: the one door to the model.

Lists read the states that the stream keeps; the answers are folded again only for a student whose page is open, by the
same code and under the same calibration, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from dashboards.store import Row
from infra.runtime.settings import DistrictSettings
from schemas.registry.tables import calibrations
from streams.learner.calibration import Calibration, loads
from streams.learner.explaining import Mastery, Term, explain, mastery, predict, rapid
from streams.learner.fold import extend
from streams.learner.grouping import Group, groups, steps
from streams.learner.growth import Point, Week, by_week, strengths
from streams.learner.next_skill import CycleError, Next, Standing, next_skill
from streams.learner.state import HELD, Attempt, LearnerState, SkillState
from streams.learner.words import ONCE_MASTERED, Lines, Word, word

__all__ = [
    "ONCE_MASTERED",
    "Answer",
    "CycleError",
    "Group",
    "Known",
    "Lines",
    "Next",
    "Story",
    "Term",
    "Week",
    "Word",
    "active",
    "groups",
    "growth",
    "known",
    "lines",
    "next_skill",
    "standings",
    "steps",
    "story",
    "strengths",
]

MOST_ANSWERS: Final = 20_000
"""Answers of one student that are folded for a page."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Known:
    """What a student is taken to know of a skill now: mastery has faded by the time since practice."""

    word: Word
    chance: float
    low: float
    high: float
    attempts: int
    last_at: datetime

    @property
    def standing(self) -> Standing:
        """As the choice of the next skill takes it."""
        return Standing(self.word, self.chance)


@dataclass(frozen=True)
class Answer:
    """One answer as it was folded in, with what was expected before and what was known after, by skill."""

    statement_id: str
    at: datetime
    item: str
    skills: tuple[str, ...]
    outcome: float
    duration_ms: int
    provider_id: str
    verb: str
    nth: int
    rapid: bool
    expected: float
    terms: tuple[Term, ...]
    after: Mapping[str, Mastery]


@dataclass(frozen=True)
class Story:
    """All answers of a student in the order of the fold. ``cut``: there are more than are read for a page."""

    answers: tuple[Answer, ...]
    points: tuple[Point, ...]
    known: Mapping[str, Known]
    cut: bool = False
    version: int = 0


def lines(settings: DistrictSettings) -> Lines:
    """Where the district draws the lines of the words."""
    return Lines(settings.nearly_at, settings.mastered_at, settings.refresh_days, settings.mastered_answers)


def active(registry: Engine) -> int:
    """Version of the calibration that streams run under; 0: the built-in prior."""
    with registry.connect() as connection:
        found = connection.execute(select(calibrations.c.version).where(calibrations.c.active)).scalar()
    return found or 0


@lru_cache(maxsize=8)
def _calibration(registry: Engine, version: int) -> Calibration:
    """A version never changes, so it is read once."""
    with registry.connect() as connection:
        found = connection.execute(select(calibrations.c.parameters).where(calibrations.c.version == version)).scalar()
    return Calibration() if found is None else loads(version, found)


def known(registry: Engine, rows: Iterable[Row], now: datetime, lines: Lines) -> dict[str, Known]:
    """What one student is taken to know now, by skill, from the rows of skills.sql."""
    found: dict[str, Known] = {}
    for row in rows:
        state = LearnerState(row["student_rating"], row["student_attempts"], memory=row["student_memory"])
        skill = SkillState(
            row["attempts"], row["successes"], row["rating"], row["mastery"], row["recent"], _us(row["first_at"]),
            _us(row["last_at"]), row["low"], row["high"], row["memory"],
        )  # fmt: skip
        state.skills[row["skill_id"]] = skill
        calibration = _calibration(registry, row["calibration"])
        found[row["skill_id"]] = _now(state, row["skill_id"], now, calibration, lines)
    return found


def standings(registry: Engine, rows: Iterable[Row], now: datetime, lines: Lines) -> dict[str, dict[str, Known]]:
    """What each student of a class is taken to know, by student and skill, from the rows of skills.sql."""
    by_student: dict[str, list[Row]] = {}
    for row in rows:
        by_student.setdefault(row["student_id"], []).append(row)
    return {student: known(registry, own, now, lines) for student, own in by_student.items()}


def story(registry: Engine, rows: list[Row], version: int, now: datetime, lines: Lines) -> Story:
    """Fold a student's answers, rows of student_attempts.sql in their order, under a version of the calibration."""
    calibration = _calibration(registry, version)
    state, tries = LearnerState(), dict[str, int]()
    answers: list[Answer] = []
    points: list[Point] = []
    for number, row in enumerate(rows):
        skills = list(row["skills"])
        attempt = Attempt(row["at"], row["statement_id"], row["item"], skills, row["outcome"], row["duration_ms"])
        hasty = rapid(state, attempt, calibration)
        expected, terms = predict(state, attempt, calibration), tuple(explain(state, attempt, calibration))
        extend(state, [attempt], calibration)
        tries[attempt.item] = tries.get(attempt.item, 0) + 1
        after = {name: Mastery(one.mastery, one.low, one.high) for name in skills for one in [state.skills[name]]}
        points += [Point(number, attempt.timestamp, name, *after[name]) for name in skills]
        answers.append(
            Answer(
                attempt.statement_id, row["timestamp"], attempt.item, tuple(skills), attempt.outcome,
                attempt.duration_ms, row["provider_id"], row["verb"], tries[attempt.item], hasty, expected, terms,
                after,
            )
        )  # fmt: skip
    found = {skill: _now(state, skill, now, calibration, lines) for skill in state.skills}
    return Story(tuple(answers), tuple(points), found, len(rows) >= MOST_ANSWERS, version)


def growth(told: Story, zone: ZoneInfo, lines: Lines) -> list[Week]:
    """Growth by week, in the district's days."""

    def day_of(at: int) -> date:
        return datetime.fromtimestamp(at / 1e6, UTC).astimezone(zone).date()

    return by_week(told.points, day_of, lines)


def _now(state: LearnerState, skill: str, now: datetime, calibration: Calibration, lines: Lines) -> Known:
    one = state.skills[skill]
    faded = mastery(state, skill, _us(now), calibration)
    last = datetime.fromtimestamp(one.last_at / 1e6, UTC)
    said = word(one.memory[HELD], faded.low, faded.high, one.attempts, (now - last) / _DAY, lines)
    return Known(said, *faded, one.attempts, last)


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
