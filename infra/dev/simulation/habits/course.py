"""A cmi5 course: launched, initialized, completed, passed or failed, terminated or abandoned.

Source: cmi5 (Sandstone, 1st edition), sections 9.3 (verbs), 9.5 (result), 9.6 (context). The actor has an account.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from infra.dev.simulation.chance import uuid4_of
from infra.dev.simulation.content import COURSE, UNIT_IRIS
from infra.dev.simulation.habits.telling import ADL, SECOND, Told, chance_of_success, seconds, tell
from infra.dev.simulation.people import Student
from infra.dev.simulation.skills import Skill

_CMI5: Final = "https://w3id.org/xapi/cmi5/context/"
_ABANDONED: Final = "https://w3id.org/xapi/adl/verbs/abandoned"
_MASTERY: Final = 0.7


def session(rng: Random, student: Student, skill: Skill, day: int, at: int) -> Iterator[Told]:
    """One session of an assignable unit; one in twenty-five breaks off and is abandoned."""
    unit = UNIT_IRIS[skill.code]
    session_id = uuid4_of(rng)
    took = rng.uniform(300, 900) * student.traits.pace
    activity = {"objectType": "Activity", "id": unit, "definition": {"name": {"en-US": skill.name}}}

    def told(verb: str, when: float, result: dict[str, Any], judged: bool = False, **extensions: Any) -> Told:
        categories = [{"id": _CMI5 + "categories/cmi5"}]
        if judged:
            categories.append({"id": _CMI5 + "categories/moveon"})
        return tell(
            rng,
            COURSE,
            student,
            at + int(when * SECOND),
            verb,
            activity,
            result=result,
            context={
                "registration": student.registration,
                "contextActivities": {
                    "category": categories,
                    "grouping": [{"id": f"{COURSE.home}/publisher/units/{skill.code.lower()}"}],
                },
                "extensions": {_CMI5 + "extensions/sessionid": session_id}
                | {_CMI5 + "extensions/" + name: value for name, value in extensions.items()},
            },
        )

    yield told(
        ADL + "launched",
        0,
        {},
        launchmode="Normal",
        launchurl=f"{unit}/index.html",
        launchparameters="",
        moveon="CompletedOrPassed",
        masteryscore=_MASTERY,
    )
    yield told(ADL + "initialized", 2, {})
    if rng.random() < 0.04:
        yield told(_ABANDONED, took * 0.5, {"duration": seconds(took * 0.5)})
        return
    yield told(ADL + "completed", took - 3, {"completion": True, "duration": seconds(took - 5)}, judged=True)
    right = sum(rng.random() < chance_of_success(student, skill, day, harder=-0.5) for _ in range(10))
    passed = right / 10 >= _MASTERY
    yield told(
        ADL + ("passed" if passed else "failed"),
        took - 2,
        {
            "success": passed,
            "score": {"scaled": right / 10, "raw": right, "min": 0, "max": 10},
            "duration": seconds(took - 4),
        },
        judged=True,
        masteryscore=_MASTERY,
    )
    yield told(ADL + "terminated", took, {"duration": seconds(took - 2)})
