"""What is posted under a schedule: pure, a function of the seed. Students, items and requests of two providers."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

HOME_PAGE = "https://sis.faults.example"
VERB = "http://adlnet.gov/expapi/verbs/"
VIDEO = "https://w3id.org/xapi/video/verbs/"
ITEMS, SKILLS = 24, 6
STUDENTS = 14
FIRST = datetime(2026, 9, 7, 13, tzinfo=UTC)
WAYS = 2
"""Requests are posted side by side in so many ways, each by a provider of its own, in order."""

ALIGNMENTS = {f"https://items.example/{n}": sorted({f"F.{n % SKILLS}", f"F.{n * n % SKILLS}"}) for n in range(ITEMS)}
"""Item to skills, written to the registry once; items beyond ``ITEMS`` are aligned to nothing."""

CALIBRATION: dict[str, Any] = {
    "student": (0.6, 0.1),
    "student_skill": (0.5, 0.1),
    "items": {f"https://items.example/{n}": (n % 7 - 3) / 8 for n in range(0, ITEMS, 2)},
    "skills": {f"F.{n}": (n - 2) / 5 for n in range(SKILLS - 1)},
    "medians": {f"F.{n}": 0.1 * n for n in range(1, SKILLS)},
}
"""What the workers run under: the steps (first, slowing) of Elo, and difficulties of some items and skills, logits."""

Statement = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One POST: ``statements`` as sent, ``after`` seconds since the schedule's start at the earliest."""

    way: int
    after: float
    statements: Sequence[Statement]

    def body(self) -> bytes:
        return json.dumps(self.statements).encode()


@dataclass(frozen=True)
class Plan:
    """``originals``: each statement once, by id, as it has to be kept; ``altered``: ids sent otherwise later."""

    requests: Sequence[Request]
    originals: Mapping[str, tuple[int, Statement]]
    altered: frozenset[str]


def student_name(seed: int, number: int) -> str:
    return f"{seed}-{number}"


def make_plan(seed: int, count: int, seconds: float) -> Plan:
    """``count`` statements, posted over so many seconds: shuffled, some again, some again with other content."""
    rng = random.Random(f"statements {seed}")
    originals = {}
    for _ in range(count):
        statement = _statement(rng, seed)
        originals[statement["id"]] = (rng.randrange(WAYS), statement)
    requests: list[Request] = []
    altered: set[str] = set()
    for way in range(WAYS):
        own = [statement for of, statement in originals.values() if of == way]
        rng.shuffle(own)  # late and out of order
        told: list[Statement] = []
        chunks: list[list[Statement]] = []
        while own:
            size = rng.choice((1, 1, 2, 5, 12, 30))
            fresh, own = own[:size], own[size:]
            again = rng.sample(told, min(len(told), rng.choice((0, 0, 0, 1, 6))))
            told += fresh
            chunks.append([*fresh, *again])
            if rng.random() < 0.06:
                other = [_altered(rng, statement) for statement in rng.sample(told, min(len(told), 2))]
                altered.update(statement["id"] for statement in other)
                chunks.append(other)
        for number, chunk in enumerate(chunks):
            requests.append(Request(way, seconds * number / len(chunks), chunk))
    return Plan(requests, originals, frozenset(altered))


def _statement(rng: random.Random, seed: int) -> Statement:
    made = _content(rng)
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "actor": _actor(rng, seed),
        "timestamp": (FIRST + timedelta(seconds=rng.randrange(20 * 86_400))).isoformat(),
        **made,
    }


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
        (VIDEO + "played", VIDEO + "paused", VERB + "progressed", VERB + "attended", VERB + "experienced")
    )
    made: Statement = {"verb": {"id": verb}, "object": {"id": f"https://videos.example/{rng.randrange(9)}"}}
    if rng.random() < 0.3:
        made["result"] = {"duration": f"PT{rng.randrange(1, 30)}M"}
    return made


def _actor(rng: random.Random, seed: int) -> Statement:
    if rng.random() < 0.04:
        return {"objectType": "Group", "member": [_agent(seed, n) for n in rng.sample(range(STUDENTS), 3)]}
    return _agent(seed, rng.randrange(STUDENTS))


def _agent(seed: int, number: int) -> Statement:
    return {"account": {"homePage": HOME_PAGE, "name": student_name(seed, number)}}


def _altered(rng: random.Random, statement: Statement) -> Statement:
    """The same id and time with other content: a conflict."""
    return {**statement, "result": {"success": rng.random() < 0.5, "response": f"other {rng.random()}"}}
