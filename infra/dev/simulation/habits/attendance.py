"""Daily attendance from the student information system, with verbs of its own, by local student number."""

from __future__ import annotations

from random import Random
from typing import Final

from infra.dev.simulation.content import SIS
from infra.dev.simulation.habits.telling import Told, tell
from infra.dev.simulation.people import Student

_PRESENT: Final = f"{SIS.home}/verbs/present"
_NOT_PRESENT: Final = f"{SIS.home}/verbs/not-present"


def mark(rng: Random, student: Student, at: int, *, present: bool, what: str = "homeroom") -> Told:
    """A student was present, or was not, at ``what`` (homeroom, tutoring, …) of the school."""
    return tell(
        rng,
        SIS,
        student,
        at,
        _PRESENT if present else _NOT_PRESENT,
        {
            "id": f"{SIS.home}/{student.school_id}/{what}",
            "definition": {"type": "http://activitystrea.ms/schema/1.0/event"},
        },
        context={"platform": SIS.name},
    )
