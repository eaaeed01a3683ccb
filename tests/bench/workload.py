"""Statements of a school as the log carries them, about 1 KB of JSON each, made from a seed.

Students come and go in sessions, as they do in a lesson: at any moment a tenth of them is at work, each on two skills
and for about thirty statements. A worker therefore meets the same students again within a batch, and new ones in each.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from schemas import verbs
from schemas.events import Envelope, Item
from schemas.partitioning import partition_of

FIRST_US = 1_790_000_000_000_000
"""A moment in September 2026."""
ENVELOPE = 100
"""Statements in an envelope of a loaded log."""

_OTHERS = (verbs.PLAYED, verbs.PAUSED, verbs.PROGRESSED, verbs.LAUNCHED, verbs.COMPLETED, verbs.EXPERIENCED)
_HEAD = (
    '{"authority":"bench-authority-key-01.1","id":"%s","stored":"2026-09-21T14:13:20.000000Z","timestamp":'
    '"2026-09-21T14:13:19.500Z","version":"1.0.3",'
)
_BODY = (
    '"actor":"%s.1","context":{"contextActivities":{"grouping":[{"id":'
    '"https://practice.example/courses/%d"}],"parent":[{"id":'
    '"https://practice.example/sets/%d"}]},"extensions":{'
    '"https://practice.example/extensions/hints":%d,"https://practice.example/extensions/page":"%s"},"language":"en-US",'
    '"platform":"Practice for grades 6 to 12","registration":"%s"},"object":{"definition":{"description":{"en-US":'
    '"Solve for x and choose the answer that holds for all given values."},"interactionType":"choice","name":{"en-US":'
    '"Item %d of the practice set"},"type":"http://adlnet.gov/expapi/activities/cmi.interaction"},"id":'
    '"https://practice.example/items/%d","objectType":"Activity"},%s"verb":{"display":{"en-US":"%s"},"id":'
    '"https://verbs.example/%s"}}'
)
_RESULT = (
    '"result":{"completion":true,"duration":"PT%d.%dS","response":"%s","score":{"max":1,"min":0,"raw":%d,"scaled":%d},'
    '"success":%s},'
)


@dataclass(frozen=True)
class Mix:
    """What statements are made.

    Attributes:
        attempts: share of statements with an outcome.
        students, skills, items: how many there are.
        session: statements of a session, on average.
        first_us: when they begin, µs.
        known: ids of the students; made from the seed where it is empty.
    """

    attempts: float = 0.3
    students: int = 20_000
    skills: int = 250
    items: int = 2_500
    session: int = 30
    first_us: int = FIRST_US
    known: tuple[str, ...] = ()


class _Session(NamedTuple):
    student_id: str
    registration: str
    skills: tuple[int, int]


def items(count: int, mix: Mix = Mix(), seed: int = 1) -> Iterator[Item]:
    """``count`` items, 100 µs of the school's time apart."""
    rng = random.Random(seed)
    students = list(mix.known) or [_uuid(rng) for _ in range(mix.students)]
    skill_ids = [f"math.{number // 25}.{number}" for number in range(mix.skills)]
    at_work = [_session(rng, students, mix) for _ in range(max(len(students) // 10, 1))]
    chance = rng.random
    for number in range(count):
        place = int(chance() * len(at_work))
        session = at_work[place]
        item = session.skills[chance() < 0.5] + mix.skills * int(chance() * (mix.items // mix.skills))
        attempt = chance() < mix.attempts
        verb = verbs.ANSWERED if attempt else _OTHERS[int(chance() * len(_OTHERS))]
        right = chance() < 0.65
        told = (
            _RESULT % (chance() * 120, chance() * 90 + 10, "abcd"[int(chance() * 4)], right, right,
                       "true" if right else "false")
            if attempt
            else ""
        )  # fmt: skip
        body = _BODY % (
            session.student_id.replace("-", "")[:22], item % 40, item % 300, chance() * 3,
            f"{rng.getrandbits(64):x}", session.registration, item, item, told, verb, verb,
        )  # fmt: skip
        statement_id = _uuid(rng)
        at = mix.first_us + number * 100
        yield Item(
            statement_id,
            session.student_id,
            f"provider-{item % 5}",
            verb,
            [skill_ids[item % mix.skills]] if attempt else [],
            at,
            at + 500_000,
            int.from_bytes(hashlib.blake2b(body.encode(), digest_size=8).digest(), "big", signed=True),
            0,
            (_HEAD % statement_id + body).encode(),
        )
        if chance() * mix.session < 1:
            at_work[place] = _session(rng, students, mix)


def envelopes(
    count: int, mix: Mix = Mix(), *, partitions: int, size: int = ENVELOPE, seed: int = 1
) -> Iterator[tuple[int, Envelope]]:
    """``count`` items in envelopes of ``size`` (the last ones may be smaller), each with its partition."""
    waiting: list[list[Item]] = [[] for _ in range(partitions)]
    for item in items(count, mix, seed):
        lane = waiting[partition_of(item.student_id, partitions)]
        lane.append(item)
        if len(lane) == size:
            yield partition_of(item.student_id, partitions), Envelope("bench", item.stored, lane.copy())
            lane.clear()
    for partition, lane in enumerate(waiting):
        if lane:
            yield partition, Envelope("bench", lane[-1].stored, lane)


def _session(rng: random.Random, students: list[str], mix: Mix) -> _Session:
    first = int(rng.random() * mix.skills)
    return _Session(students[int(rng.random() * len(students))], _uuid(rng), (first, (first + 1) % mix.skills))


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
