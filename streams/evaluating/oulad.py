"""OULAD's presentations as courses of students with events, and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from streams.evaluating.asking import DataFaultError, Tell
from streams.evaluating.oulad_clicks import Clicks
from streams.evaluating.oulad_files import UNKNOWN, Folder
from streams.ranking.events import DUE, MARKED, REGISTERED, SUBMITTED, Event

MARK_DELAY: Final = 7
"""Days from a submission until its mark is taken to be visible: OULAD does not tell when tutors gave it."""
GROUPS: Final = ("gender", "age_band", "imd_band", "disability", "highest_education", "region")
"""Columns of studentInfo that say who somebody is. They are for the audit of errors alone and never become events."""
_HAD: Final = ("Withdrawn", "Fail")
_KNOWN: Final = (*_HAD, "Pass", "Distinction")


@dataclass(frozen=True, slots=True)
class Student:
    """A student in a course, days from its start.

    Attributes:
        registered: day of registration; None: not known.
        left: day of withdrawal; None: not withdrawn, or the day is not known.
        had: whether the student withdrew or failed in the end.
        groups: values of ``GROUPS`` that the folder has.
        events: sorted by day.
    """

    name: str
    registered: int | None
    left: int | None
    had: bool
    groups: dict[str, str]
    events: list[Event]

    def active(self, day: int) -> bool:
        """Whether registered, and not withdrawn, at the end of a day."""
        return (self.registered is None or self.registered <= day) and (self.left is None or self.left > day)


@dataclass(frozen=True, slots=True)
class Course:
    """A module in a presentation; ``length`` in days."""

    module: str
    presentation: str
    length: int
    clicks: bool
    students: list[Student]


def presentations(names: str) -> list[str]:
    """Presentations by name, as in 2013B+2013J."""
    return [name.strip() for name in names.split("+") if name.strip()]


def courses(path: Path, wanted: Sequence[str], tell: Tell) -> Iterator[Course]:
    """The courses of some presentations, sorted, each read when it is asked for.

    Raises DataFaultError: a file, a column or a presentation is missing.
    """
    folder = Folder(path, tell)
    known = {
        (module, presentation): int(float(length))
        for module, presentation, length in folder.rows(
            "courses", ("code_module", "code_presentation", "module_presentation_length")
        )
    }
    for name in wanted:
        if name not in {presentation for _, presentation in known}:
            there = ", ".join(sorted({presentation for _, presentation in known}))
            raise DataFaultError(f"courses.csv has no presentation {name}: it has {there}")
    chosen = {course: length for course, length in sorted(known.items()) if course[1] in wanted}
    with TemporaryDirectory(prefix="roundtrip-clicks-") as directory:
        clicks = Clicks(folder, set(wanted), Path(directory))
        tables = _Tables(folder, set(chosen))
        for (module, presentation), length in chosen.items():
            course = module, presentation
            clicked = clicks.of(module, presentation)
            students = [tables.student(course, name, clicked.get(name, [])) for name in sorted(tables.people[course])]
            yield Course(module, presentation, length, course in clicks.courses, students)


class _Tables:
    """The small tables, in memory."""

    def __init__(self, folder: Folder, chosen: set[tuple[str, str]]) -> None:
        self.people: dict[tuple[str, str], dict[str, tuple[bool, dict[str, str]]]] = defaultdict(dict)
        self._dates: dict[tuple[str, str, str], tuple[int | None, int | None]] = {}
        self._due: dict[tuple[str, str], list[Event]] = defaultdict(list)
        self._handed_in: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
        groups = folder.present("studentInfo", GROUPS) if folder.has("studentInfo") else []
        for module, presentation, name, result, *values in folder.rows(
            "studentInfo", ("code_module", "code_presentation", "id_student", "final_result"), groups
        ):
            if (module, presentation) not in chosen:
                continue
            if result not in _KNOWN:
                raise DataFaultError(f"studentInfo.csv: final_result {result!r} is none of {', '.join(_KNOWN)}")
            said = {group: value or "?" for group, value in zip(groups, values, strict=True)}
            self.people[module, presentation][name] = result in _HAD, said
        for module, presentation, name, registered, left in folder.rows(
            "studentRegistration",
            ("code_module", "code_presentation", "id_student", "date_registration", "date_unregistration"),
        ):
            self._dates[module, presentation, name] = _day(registered), _day(left)
        items: dict[str, tuple[str, str]] = {}
        for module, presentation, item, kind, due, weight in folder.rows(
            "assessments", ("code_module", "code_presentation", "id_assessment", "assessment_type", "date", "weight")
        ):
            day = _day(due)
            # The exam comes at the end, when there is nobody left to warn.
            if (module, presentation) in chosen and kind != "Exam" and day is not None:
                items[item] = module, presentation
                self._due[module, presentation].append(Event(day, DUE, item, float(weight or 0)))
        for item, name, submitted, banked, score in folder.rows(
            "studentAssessment", ("id_assessment", "id_student", "date_submitted", "is_banked", "score")
        ):
            course, day = items.get(item), _day(submitted)
            if course is None or day is None:
                continue
            events = self._handed_in[*course, name]
            carried_over = banked.lower() in ("1", "true")
            events.append(Event(day, SUBMITTED, item, float(carried_over)))
            if score not in UNKNOWN:
                events.append(Event(day + MARK_DELAY, MARKED, item, float(score) / 100.0))

    def student(self, course: tuple[str, str], name: str, clicked: list[Event]) -> Student:
        had, groups = self.people[course][name]
        registered, left = self._dates.get((*course, name), (None, None))
        events = [*self._due[course], *self._handed_in.get((*course, name), ()), *clicked]
        if registered is not None:
            events.append(Event(registered, REGISTERED))
        return Student(name, registered, left, had, groups, sorted(events))


def _day(text: str) -> int | None:
    return None if text in UNKNOWN else int(float(text))
