"""Item practice: a statement an answer, sent by e-mail address, in xAPI 2.0."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from infra.dev.simulation.chance import uuid4_of
from infra.dev.simulation.content import ITEM_IRIS, ITEMS, PRACTICE, slug
from infra.dev.simulation.habits.telling import ADL, SECOND, Told, chance_of_success, seconds, tell
from infra.dev.simulation.people import Student
from infra.dev.simulation.skills import Skill


def session(rng: Random, student: Student, skill: Skill, day: int, at: int) -> Iterator[Told]:
    """One sitting: some four to ten items of a skill, each answered once."""
    attempt = uuid4_of(rng)
    traits = student.traits
    for _ in range(max(1, round(rng.uniform(4, 10) * min(1.3, traits.engagement_on(day))))):
        number = int(rng.random() * ITEMS)
        right = rng.random() < chance_of_success(student, skill, day, harder=(number % 5 - 2) * 0.25)
        took = round(rng.uniform(15, 80) * traits.pace, 2)
        at += int(took * SECOND)
        scaled = 1.0 if right else (0.5 if rng.random() < 0.1 else 0.0)
        yield tell(
            rng,
            PRACTICE,
            student,
            at,
            ADL + "answered",
            {
                "objectType": "Activity",
                "id": ITEM_IRIS[skill.code][number],
                "definition": {
                    "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
                    "name": {"en-US": f"{skill.name}: item {number + 1}"},
                    "interactionType": "choice",
                },
            },
            result={
                "success": right,
                "completion": True,
                "score": {"scaled": scaled, "raw": scaled * 4, "min": 0, "max": 4},
                "response": "abcd"[int(rng.random() * 4)],
                "duration": seconds(took),
            },
            context={
                "registration": attempt,
                "platform": PRACTICE.name,
                "language": "en-US",
                "contextActivities": {
                    "parent": [{"id": f"{PRACTICE.home}/sets/{slug(skill)}"}],
                    "grouping": [{"id": f"{PRACTICE.home}/grades/{skill.grade}"}],
                },
                "extensions": {f"{PRACTICE.home}/extensions/hints": int(rng.random() * 3)},
            },
        )
