"""Video lessons, by the xAPI video profile 1.0 (w3id.org/xapi/video): played, seeked, progressed, paused."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from infra.dev.simulation.chance import uuid4_of
from infra.dev.simulation.content import VIDEO, VIDEO_IRIS
from infra.dev.simulation.habits.telling import ADL, SECOND, Told, tell
from infra.dev.simulation.people import Student
from infra.dev.simulation.skills import Skill

_PROFILE: Final = "https://w3id.org/xapi/video"
_VERBS: Final = f"{_PROFILE}/verbs/"
_EXT: Final = f"{_PROFILE}/extensions/"


def session(rng: Random, student: Student, skill: Skill, day: int, at: int) -> Iterator[Told]:
    """One viewing: on from the start, perhaps a leap back, on, and a pause where the student stops."""
    length = round(rng.uniform(180, 540), 1)
    watched = length * min(1.0, rng.uniform(0.35, 1.1) * min(1.0, student.traits.engagement_on(day)))
    activity = {
        "objectType": "Activity",
        "id": VIDEO_IRIS[skill.code],
        "definition": {"type": f"{_PROFILE}/activity-type/video", "name": {"en-US": skill.name}},
    }
    context = {
        "registration": uuid4_of(rng),
        "contextActivities": {"category": [{"id": _PROFILE}]},
        "language": "en-US",
        "extensions": {
            _EXT + "session-id": uuid4_of(rng),
            _EXT + "length": length,
            _EXT + "speed": "1x",
            _EXT + "cc-enabled": rng.random() < 0.3,
        },
    }
    segments: list[tuple[float, float]] = []

    def told(verb: str, when: float, **more: Any) -> Told:
        extensions = {_EXT + name.replace("_", "-"): value for name, value in more.items()}
        return tell(
            rng,
            VIDEO,
            student,
            at + int(when * SECOND),
            verb,
            activity,
            result={"extensions": extensions},
            context=context,
        )

    def played(upto: float) -> dict[str, Any]:
        union = [*segments, (start, upto)]
        seen = sum(b - a for a, b in union) / length
        return {
            "time": round(upto, 1),
            "progress": round(min(1.0, seen), 3),
            "played_segments": "[,]".join(f"{a:.1f}[.]{b:.1f}" for a, b in union),
        }

    start, clock = 0.0, 0.0
    yield told(_VERBS + "played", clock, time=0.0)
    if rng.random() < 0.3:
        here, back = round(watched * 0.4, 1), round(watched * 0.25, 1)
        segments.append((0.0, here))
        clock = here
        yield told(_VERBS + "seeked", clock, time_from=here, time_to=back)
        clock, start = clock - back, back
    middle = round(max(start, watched * 0.5), 1)
    yield told(ADL + "progressed", clock + middle, **played(middle))
    yield told(_VERBS + "paused", clock + watched, **played(round(watched, 1)))
