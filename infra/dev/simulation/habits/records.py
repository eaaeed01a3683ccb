"""What the student information system tells beside attendance: marks of a period, and incidents that were reported."""

from __future__ import annotations

from random import Random
from typing import Final

from infra.dev.simulation.chance import chance
from infra.dev.simulation.content import SIS
from infra.dev.simulation.expected import mark_activity
from infra.dev.simulation.habits.telling import Told, chance_of_success, tell
from infra.dev.simulation.people import Student
from infra.dev.simulation.skills import taught
from schemas import extensions

_MARKED: Final = f"{SIS.home}/verbs/marked"
_REPORTED: Final = f"{SIS.home}/verbs/reported"
_OF_WORK: Final = 0.25
"""Share of a mark that is for handing in at all."""
_LEEWAY: Final = 0.045
"""Spread of a teacher's marks around what the work comes to."""
_SUSPENDED: Final = 0.2
"""Share of incidents that end in a suspension."""


def marks(rng: Random, student: Student, period: int, days: range, at: int) -> list[Told]:
    """The marks of a period (1, 2, …) over its school days, one a course."""
    return [
        tell(
            rng,
            SIS,
            student,
            at,
            _MARKED,
            {"id": mark_activity(section_id, period), "definition": {"name": {"en-US": f"Mark of period {period}"}}},
            result={"score": {"scaled": share, "raw": round(100 * share), "min": 0, "max": 100}},
            context={"platform": SIS.name},
        )
        for subject, section_id in sorted(student.sections.items())
        for share in (_share(student, subject, period, days),)
    ]


def _share(student: Student, subject: str, period: int, days: range) -> float:
    """What the work of the period comes to, with a teacher's leeway."""
    skills, some = taught(subject, student.grade), days[:: max(1, len(days) // 6)]
    handed_in = sum(student.traits.handed_in_on(day) for day in some) / len(some)
    right = sum(chance_of_success(student, s, day, harder=-0.6) for day in some for s in skills)
    right /= len(some) * len(skills)
    leeway = chance(student.student_id, subject, period).gauss(0.0, _LEEWAY)
    share = _OF_WORK * handed_in + (1 - _OF_WORK) * (0.3 + 0.7 * right) * (0.4 + 0.6 * handed_in) + leeway
    return round(min(0.99, max(0.05, share)), 2)


def incident(rng: Random, student: Student, at: int) -> Told:
    """Somebody reported the student's behaviour; one in five ends in a suspension."""
    category = "suspension" if rng.random() < _SUSPENDED else "incident"
    return tell(
        rng,
        SIS,
        student,
        at,
        _REPORTED,
        {
            "id": f"{SIS.home}/{student.school_id}/behavior",
            "definition": {"type": "http://activitystrea.ms/schema/1.0/event"},
        },
        context={"platform": SIS.name, "extensions": {extensions.BEHAVIOR: category}},
    )
