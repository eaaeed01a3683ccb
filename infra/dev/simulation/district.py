"""The sample district, built from a seed: the same seed, size and start give the same district to the letter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from random import Random
from typing import Any

from infra.dev.simulation.chance import chance, token22, uuid4_of
from infra.dev.simulation.content import DISTRICT, PROVIDERS, VIDEO
from infra.dev.simulation.names import FAMILY, GIVEN
from infra.dev.simulation.people import Identity, School, Section, Staff, Student, identifier, student_actors
from infra.dev.simulation.skills import ENGLISH, MATH
from infra.dev.simulation.traits import draw_traits

_SCHOOLS = (
    School("school-1", "Juniper Ridge Middle School", 6, 8),
    School("school-2", "Harbor Point High School", 9, 12),
    School("school-3", "Three Rivers Academy", 6, 12),
)
_MORE = ("Cottonwood", "Stone Bridge", "Prairie View", "Blue Heron", "Quarry Hill", "Silver Birch", "Fox Hollow")
_LARGEST_SECTION = 28
_UNKNOWN_ONE_IN = 80
_SHORT = {MATH: "Math", ENGLISH: "English"}


@dataclass(frozen=True, slots=True)
class District:
    """Everything that is fixed about the sample.

    Attributes:
        seed: what it was built from.
        start: first day of the term.
        term_days: school days of history it was planned for.
        identities: what the roster knows; a few students are unknown to it under their video id.
    """

    seed: int
    start: date
    term_days: int
    schools: list[School]
    sections: list[Section]
    students: list[Student]
    staff: list[Staff]
    identities: list[Identity]
    _by_id: dict[str, Section] = field(default_factory=dict, repr=False, compare=False)

    def section(self, section_id: str) -> Section:
        """A section of the district."""
        if not self._by_id:
            self._by_id.update({section.section_id: section for section in self.sections})
        return self._by_id[section_id]


def build(seed: int, *, size: int, start: date, term_days: int = 60, schools: int = 3) -> District:
    """Build the district of ``size`` students (at least one a school)."""
    rng = chance(seed, "district")
    places = [*_SCHOOLS, *(School(f"school-{n}", f"{name} School", 6, 12) for n, name in enumerate(_MORE, 4))][:schools]
    people = _people(rng)
    office = [next(people) for _ in range(4 * len(places) + len(PROVIDERS))]
    sections, seats, staff = _sections(rng, places, size, people)
    students: list[Student] = []
    for number, seat in enumerate(seats, 20_431):
        given, family = next(people)
        school_id, grade, own, teachers = seat
        students.append(
            Student(
                student_id=uuid4_of(rng),
                number=number,
                given_name=given,
                family_name=family,
                school_id=school_id,
                grade=grade,
                traits=draw_traits(rng, term_days=term_days, temper=chance(seed, number, "temper")),
                actors=student_actors(number, given, family),
                sections=own,
                registration=uuid4_of(rng),
                teacher=teachers,
            )
        )
    staff += _office(rng, places, students, iter(office))
    return District(
        seed,
        start,
        term_days,
        places,
        sections,
        students,
        staff,
        list(_identities(chance(seed, "ids"), students, staff)),
    )


def _people(rng: Random) -> Iterator[tuple[str, str]]:
    """Full names, no two alike until all pairs are used up."""
    pairs = [(given, family) for given in GIVEN for family in FAMILY]
    rng.shuffle(pairs)
    while True:
        yield from pairs


_Seat = tuple[str, int, dict[str, str], dict[str, dict[str, Any]]]


def _sections(
    rng: Random, schools: list[School], size: int, people: Iterator[tuple[str, str]]
) -> tuple[list[Section], list[_Seat], list[Staff]]:
    """Sections with their teachers, and ``size`` seats: school, grade, section and teacher by subject."""
    sections: list[Section] = []
    seats: list[_Seat] = []
    staff: list[Staff] = []
    for place, school in enumerate(schools):
        here = size // len(schools) + (place < size % len(schools))
        grades = range(school.lowest_grade, school.highest_grade + 1)
        for nth, grade in enumerate(grades):
            left = here // len(grades) + (nth < here % len(grades))
            for period in count(1):
                if left <= 0:
                    break
                own: dict[str, str] = {}
                teachers: dict[str, dict[str, Any]] = {}
                for subject, short in _SHORT.items():
                    section_id = f"{school.school_id}-{short.lower()}-{grade}-{period}"
                    sections.append(
                        Section(section_id, school.school_id, f"{short} {grade}, period {period}", subject, grade)
                    )
                    teacher = _member(rng, next(people), "teacher", ("section", section_id))
                    staff.append(teacher)
                    own[subject] = section_id
                    teachers[subject] = {"name": teacher.name, "mbox": f"mailto:{teacher.email}"}
                seated = min(left, _LARGEST_SECTION)
                seats += [(school.school_id, grade, own, teachers)] * seated
                left -= seated
    return sections, seats, staff


def _office(
    rng: Random, schools: list[School], students: list[Student], people: Iterator[tuple[str, str]]
) -> list[Staff]:
    """Counselors, the leader, the operator and one contact a provider."""
    staff = [
        _member(rng, next(people), "leader", ("district", "*")),
        _member(rng, next(people), "operator", ("district", "*")),
    ]
    for place, school in enumerate(schools):
        own = [student for student in students if student.school_id == school.school_id]
        if place % 3 == 0:
            staff.append(_member(rng, next(people), "counselor", ("school", school.school_id)))
        elif place % 3 == 1:
            for half in (own[::2], own[1::2]):
                scopes = [("caseload", student.student_id) for student in half]
                staff.append(_member(rng, next(people), "counselor", *scopes))
        else:
            grades = range(school.lowest_grade, school.highest_grade + 1)
            for half_of_grades in (grades[: len(grades) // 2], grades[len(grades) // 2 :]):
                scopes = [("grade", f"{school.school_id}/{grade}") for grade in half_of_grades]
                staff.append(_member(rng, next(people), "counselor", *scopes))
    return staff + [_member(rng, next(people), "provider", ("provider", p.provider_id)) for p in PROVIDERS]


def _member(rng: Random, name: tuple[str, str], role: str, *scopes: tuple[str, str]) -> Staff:
    given, family = name
    return Staff(uuid4_of(rng), f"{given} {family}", f"{given}.{family}@staff.{DISTRICT}".lower(), role, scopes)


def _identities(rng: Random, students: list[Student], staff: list[Staff]) -> Iterator[Identity]:
    for nth, student in enumerate(students):
        for provider_id, actor in student.actors.items():
            identity_id = token22(rng)
            if provider_id != VIDEO.provider_id or nth % _UNKNOWN_ONE_IN != _UNKNOWN_ONE_IN // 2:
                yield Identity(identity_id, *identifier(actor), student.student_id)
    for member in staff:
        if member.role == "teacher":
            yield Identity(token22(rng), "mbox", f"mailto:{member.email}", None)
