"""A learning-management system: turned in and graded, with verbs of its own, by hashed e-mail address."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from infra.dev.simulation.chance import uuid4_of
from infra.dev.simulation.content import ASSIGNMENT_IRIS, ASSIGNMENTS, LMS
from infra.dev.simulation.expected import LineItem
from infra.dev.simulation.habits.telling import SECOND, Told, chance_of_success, instant, tell
from infra.dev.simulation.people import Student
from infra.dev.simulation.skills import Skill

_TURNED_IN: Final = f"{LMS.home}/verbs/turned-in"
_GRADED: Final = f"{LMS.home}/verbs/graded"
_DAY: Final = 86_400 * SECOND


def session(rng: Random, student: Student, skill: Skill, day: int, at: int) -> Iterator[Told]:
    """An assignment turned in now and graded within minutes, by a quiz that grades itself."""
    activity = _activity(ASSIGNMENT_IRIS[skill.code][int(rng.random() * ASSIGNMENTS)], skill.name)
    due, graded = at + _DAY, at + 90 * SECOND
    yield from _assignment(rng, student, skill, day, activity=activity, due=due, turned_in=at, graded=graded)


def assignment(rng: Random, student: Student, item: LineItem, day: int, due: int) -> Iterator[Told]:
    """The work of a week: turned in before ``due`` (µs since the epoch) as a rule, graded a day later; or late, or
    never, by those who slip. Who is slow, but steady, hands in."""
    assert item.skill is not None, "work is evidence of a skill"
    slip = student.traits.slip_on(day + 3)
    if rng.random() > student.traits.handed_in_on(day + 3):
        return
    ahead = rng.triangular(-0.4, 1.6, 0.5 / student.traits.pace) - 2.2 * slip * rng.random()
    turned_in = due - int(ahead * _DAY)
    yield from _assignment(
        rng, student, item.skill, day,
        activity=_activity(item.activity_id, item.title),
        due=due, turned_in=turned_in, graded=turned_in + int(rng.uniform(0.6, 1.4) * _DAY),
    )  # fmt: skip


def teamwork(rng: Random, team: list[Student], skill: Skill, at: int) -> Told:
    """A project turned in by a team: the actor is a Group without a name of its own, credited to its members."""
    first = team[0]
    told = tell(rng, LMS, first, at, _TURNED_IN, _activity(f"{LMS.home}/projects/{skill.code.lower()}", skill.name))
    members = [student.actors[LMS.provider_id] for student in team]
    told.statement["actor"] = {"objectType": "Group", "name": "Project team", "member": members}
    return told


def _assignment(
    rng: Random,
    student: Student,
    skill: Skill,
    day: int,
    *,
    activity: dict[str, Any],
    due: int,
    turned_in: int,
    graded: int,
) -> Iterator[Told]:
    context = {
        "registration": uuid4_of(rng),
        "instructor": student.teacher[skill.subject],
        "platform": LMS.name,
        "contextActivities": {"grouping": [{"id": f"{LMS.home}/classes/{student.sections[skill.subject]}"}]},
        "extensions": {f"{LMS.home}/extensions/due": instant(due)},
    }
    yield tell(
        rng,
        LMS,
        student,
        turned_in,
        _TURNED_IN,
        activity,
        result={"completion": True, "extensions": {f"{LMS.home}/extensions/late": turned_in > due}},
        context=context,
    )
    points = sum(rng.random() < chance_of_success(student, skill, day, harder=-0.6) for _ in range(20))
    yield tell(
        rng,
        LMS,
        student,
        graded,
        _GRADED,
        activity,
        result={"score": {"scaled": points / 20, "raw": points, "min": 0, "max": 20}},
        context=context,
    )


def _activity(iri: str, name: str) -> dict[str, Any]:
    return {
        "id": iri,
        "definition": {"type": "http://adlnet.gov/expapi/activities/assessment", "name": {"en-US": name}},
    }
