"""Statements as they are posted under a schedule: students, items, content. Pure: chance is an argument."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.extensions import OWN

HOME_PAGE = "https://sis.faults.example"
VERB = "http://adlnet.gov/expapi/verbs/"
VIDEO = "https://w3id.org/xapi/video/verbs/"
ITEMS, SKILLS = 24, 6
STUDENTS = 14
FIRST = datetime(2026, 9, 7, 13, tzinfo=UTC)
SPAN_SECONDS = 20 * 86_400

ALIGNMENTS = {f"https://items.example/{n}": sorted({f"F.{n % SKILLS}", f"F.{n * n % SKILLS}"}) for n in range(ITEMS)}
"""Item to skills, written to the registry once; items beyond ``ITEMS`` are aligned to nothing."""

Statement = dict[str, Any]


def account(seed: int, number: int) -> str:
    """Account name of a student of a schedule."""
    return f"{seed}-{number}"


def agent(name: str) -> Statement:
    """The agent of an account."""
    return {"account": {"homePage": HOME_PAGE, "name": name}}


def accounts(statement: Statement) -> list[str]:
    """Account names of whom a statement is credited to, the primary one first."""
    actor = statement["actor"]
    return [one["account"]["name"] for one in actor.get("member") or [actor]]


def new_id(rng: random.Random) -> str:
    """A random UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def moment(rng: random.Random, first: float = 0.0, span: float = SPAN_SECONDS) -> str:
    """A time within ``span`` seconds from ``first`` seconds after the beginning of the term."""
    return (FIRST + timedelta(seconds=int(first) + rng.randrange(int(span)))).isoformat()


def made(rng: random.Random, actor: Statement, timestamp: str) -> Statement:
    """A statement of an actor: an attempt more often than not."""
    return {"id": new_id(rng), "actor": actor, "timestamp": timestamp, **_content(rng)}


def actor_of(rng: random.Random, names: Sequence[str]) -> Statement:
    """A student, or now and then a group of three."""
    if rng.random() < 0.04:
        return {"objectType": "Group", "member": [agent(name) for name in rng.sample(names, 3)]}
    return agent(rng.choice(names))


def voiding(rng: random.Random, target: str, name: str) -> Statement:
    """A statement that voids another one; ids are compared without regard to case."""
    written = target.upper() if rng.random() < 0.2 else target
    return {
        "id": new_id(rng),
        "actor": agent(name),
        "timestamp": moment(rng),
        "verb": {"id": VERB + "voided"},
        "object": {"objectType": "StatementRef", "id": written},
    }


def altered(rng: random.Random, statement: Statement) -> Statement:
    """The same id and time with other content: a conflict."""
    return {**statement, "result": {"success": rng.random() < 0.5, "response": f"other {rng.random()}"}}


def _content(rng: random.Random) -> Statement:
    if rng.random() < 0.6:
        item = rng.randrange(ITEMS + 4)
        result: dict[str, Any] = {"duration": f"PT{rng.randrange(5, 90)}S"}
        verb = "answered"
        if rng.random() < 0.75:
            result["success"] = rng.random() < 0.6
        else:
            verb, result["score"] = "scored", {"scaled": rng.choice((-0.5, 0.0, 0.25, 0.5, 0.875, 1.0))}
        return {"verb": {"id": VERB + verb}, "object": {"id": f"https://items.example/{item}"}, "result": result}
    verb = rng.choice(
        (
            VIDEO + "played", VIDEO + "paused", VERB + "progressed", VERB + "attended", VERB + "experienced",
            f"{OWN}/verbs/reported",
        )
    )  # fmt: skip
    content: Statement = {"verb": {"id": verb}, "object": {"id": f"https://videos.example/{rng.randrange(9)}"}}
    if rng.random() < 0.3:
        content["result"] = {"duration": f"PT{rng.randrange(1, 30)}M"}
    return content
