"""What the simulated providers offer: activities, each with the skills it is evidence of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from infra.dev.simulation.skills import SKILLS, Skill
from schemas import verbs

DISTRICT: Final = "cedarvalley.example"
"""Domain of the sample district (RFC 2606: never anyone's)."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A simulated provider.

    Attributes:
        provider_id: id in the registry.
        name: name on pages.
        home: where its IRIs begin, no slash at the end.
        version: xAPI version it speaks.
        verbs: its own verb IRIs and what they mean to us.
    """

    provider_id: str
    name: str
    home: str
    version: str
    verbs: dict[str, str]


PRACTICE: Final = Provider("practice", "Quill & Compass Practice", "https://practice.example", "2.0.0", {})
VIDEO: Final = Provider("video", "Lantern Video Lessons", "https://lantern.example", "1.0.3", {})
COURSE: Final = Provider("course", "Trailhead Courses (cmi5)", "https://trailhead.example", "1.0.3", {})
LMS: Final = Provider(
    "lms",
    "Homeroom LMS",
    "https://homeroom.example",
    "1.0.3",
    {
        "https://homeroom.example/verbs/turned-in": verbs.SUBMITTED,
        "https://homeroom.example/verbs/graded": verbs.SCORED,
    },
)
SIS: Final = Provider(
    "sis",
    "District records (SIS)",
    f"https://sis.{DISTRICT}",
    "1.0.3",
    {
        f"https://sis.{DISTRICT}/verbs/present": verbs.ATTENDED,
        f"https://sis.{DISTRICT}/verbs/not-present": verbs.ABSENT,
        f"https://sis.{DISTRICT}/verbs/marked": verbs.SCORED,
        f"https://sis.{DISTRICT}/verbs/reported": verbs.REPORTED,
    },
)
PROVIDERS: Final = (PRACTICE, VIDEO, COURSE, LMS, SIS)

ITEMS: Final = 15
"""Practice items a skill."""
ASSIGNMENTS: Final = 3
"""Assignments a skill."""


class Alignment(NamedTuple):
    """An activity of a provider is evidence of a skill."""

    provider_id: str
    activity_id: str
    skill_id: str


def slug(skill: Skill) -> str:
    """A skill's code as providers write it in their IRIs."""
    return skill.code.removeprefix("RT.").lower().replace(".", "-")


ITEM_IRIS: Final = {s.code: [f"{PRACTICE.home}/items/{slug(s)}/{n:02}" for n in range(1, ITEMS + 1)] for s in SKILLS}
VIDEO_IRIS: Final = {s.code: f"{VIDEO.home}/watch/{slug(s)}" for s in SKILLS}
UNIT_IRIS: Final = {s.code: f"{COURSE.home}/au/{slug(s)}" for s in SKILLS}
ASSIGNMENT_IRIS: Final = {
    s.code: [f"{LMS.home}/assignments/{slug(s)}/{n}" for n in range(1, ASSIGNMENTS + 1)] for s in SKILLS
}


def alignments() -> Iterator[Alignment]:
    """The providers' alignments; one practice item in sixty has none, as happens with new items."""
    for number, skill in enumerate(SKILLS):
        for item in ITEM_IRIS[skill.code][: ITEMS - (number % 4 == 3)]:
            yield Alignment(PRACTICE.provider_id, item, skill.code)
        yield Alignment(VIDEO.provider_id, VIDEO_IRIS[skill.code], skill.code)
        yield Alignment(COURSE.provider_id, UNIT_IRIS[skill.code], skill.code)
        for assignment in ASSIGNMENT_IRIS[skill.code]:
            yield Alignment(LMS.provider_id, assignment, skill.code)
