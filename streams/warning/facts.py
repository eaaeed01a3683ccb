"""What the rules and the score know of a student: days, expected work and marks, all in days since 1970-01-01."""

from __future__ import annotations

from typing import NamedTuple

CORE_SUBJECTS = frozenset(
    {"math", "mathematics", "english", "ela", "english language arts", "science", "social studies"}
)
"""Subjects of sections (lower case) that count as core courses; Allensworth & Easton 2005 name these four."""


class DayFacts(NamedTuple):
    """One day of a student, as counted; see the table student_days.

    ``attended`` and ``absent`` count statements of presence and absence, one a day or one a lesson; both 0: not known.
    ``incidents`` counts reports of behaviour, ``suspensions`` those of them that say so.
    """

    day: int
    activity: int
    attempts: int
    successes: int
    providers: tuple[str, ...] = ()
    attended: int = 0
    absent: int = 0
    incidents: int = 0
    duration_ms: int = 0
    suspensions: int = 0

    @property
    def missed(self) -> bool:
        """Whether at least half of the day was missed, as the federal count of chronic absence has it (FS195)."""
        return self.absent > 0 and self.absent >= self.attended


class Work(NamedTuple):
    """One piece of expected work of a student.

    Attributes:
        item: id of the line item.
        section, core: whose it is, and whether that is a core course.
        due: last day on which it is on time.
        submitted: first day on which it was handed in; None: it was not, or nobody told.
        score: last score, 0 to 1; None: it has none.
        scored: day of the first score.
        heard: first day on which enough of the section had handed it in for its absence to tell something; None:
            they have not. Work that hardly anyone handed in was not collected here.
        providers: who told of it, sorted.
    """

    item: str
    section: str
    core: bool
    due: int
    submitted: int | None = None
    score: float | None = None
    scored: int | None = None
    heard: int | None = None
    providers: tuple[str, ...] = ()


class Mark(NamedTuple):
    """One mark of a term or a year, as it was told on a day; one line item may be told again.

    Attributes:
        item: id of the line item.
        section, core: see Work.
        term: name of the term, as in 2026 fall.
        ends: last day of the term; terms are told apart by it.
        day: day on which it was told.
        share: the mark, 0 to 1.
        credits: credits that passing it earns; 0: none.
        course: name of the section, for the words.
        provider: who told it.
    """

    item: str
    section: str
    core: bool
    term: str
    ends: int
    day: int
    share: float
    credits: float = 0.0
    course: str = ""
    provider: str = ""


class StudentFacts(NamedTuple):
    """All that is known of a student.

    Attributes:
        grade: 0 (kindergarten) to 12; None: not known.
        days: days with statements, in any order.
        work: expected work with a due day, in any order.
        marks: marks as they were told, in any order.
    """

    grade: int | None
    days: tuple[DayFacts, ...]
    work: tuple[Work, ...] = ()
    marks: tuple[Mark, ...] = ()


def is_core(subject: str) -> bool:
    """Whether a section's subject is a core course."""
    return subject.strip().lower() in CORE_SUBJECTS
