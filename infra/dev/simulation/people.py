"""The people of the sample district and the places they belong to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

from infra.dev.simulation.content import COURSE, DISTRICT, LMS, PRACTICE, SIS, VIDEO
from infra.dev.simulation.traits import Traits


class School(NamedTuple):
    """A school and the grades it teaches."""

    school_id: str
    name: str
    lowest_grade: int
    highest_grade: int


class Section(NamedTuple):
    """A class as it is taught."""

    section_id: str
    school_id: str
    name: str
    subject: str
    grade: int


class Identity(NamedTuple):
    """An identifier by which a provider knows somebody; ``student_id`` is None for staff."""

    identity_id: str
    kind: str
    value: str
    student_id: str | None


class Staff(NamedTuple):
    """Somebody who uses the pages, with (kind, value) scopes."""

    staff_id: str
    name: str
    email: str
    role: str
    scopes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Student:
    """A student: what the roster knows, what providers know, and the hidden traits.

    Attributes:
        actors: by provider id, the Agent that the provider sends; each identifies in its own way.
        sections: ids of the sections, by subject.
        registration: registration of the student's cmi5 course, a UUID.
        teacher: by subject, the Agent of the teacher.
    """

    student_id: str
    number: int
    given_name: str
    family_name: str
    school_id: str
    grade: int
    traits: Traits
    actors: dict[str, dict[str, Any]]
    sections: dict[str, str]
    registration: str
    teacher: dict[str, dict[str, Any]]


def student_actors(number: int, given: str, family: str) -> dict[str, dict[str, Any]]:
    """The Agent that each provider sends for a student (xAPI 1.0.3 part 2, 2.4.2.1 and 2.4.2.3)."""
    address = f"mailto:{given}.{family}.{number}@students.{DISTRICT}".lower()
    return {
        PRACTICE.provider_id: {"objectType": "Agent", "name": f"{given} {family}", "mbox": address},
        VIDEO.provider_id: {"openid": f"https://id.{DISTRICT}/u/{number * 7919 % 1_000_003:06}"},
        COURSE.provider_id: {
            "objectType": "Agent",
            "name": f"{given} {family}",
            "account": {"homePage": f"https://sso.{DISTRICT}", "name": f"u{number}"},
        },
        LMS.provider_id: {
            "name": f"{family}, {given}",
            "mbox_sha1sum": hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest(),
        },
        SIS.provider_id: {
            "objectType": "Agent",
            "account": {"homePage": f"https://sis.{DISTRICT}", "name": str(number)},
        },
    }


def identifier(actor: dict[str, Any]) -> tuple[str, str]:
    """Kind and value of an Agent's identifier, an account as homePage, a space, name."""
    if "account" in actor:
        return "account", f"{actor['account']['homePage']} {actor['account']['name']}"
    return next((kind, actor[kind]) for kind in ("mbox", "mbox_sha1sum", "openid") if kind in actor)
