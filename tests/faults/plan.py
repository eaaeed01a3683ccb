"""What is posted under a schedule, and what of it has to count in the end: pure, a function of the seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.faults.statements import (
    SPAN_SECONDS,
    STUDENTS,
    Statement,
    account,
    accounts,
    actor_of,
    agent,
    altered,
    made,
    moment,
    new_id,
    voiding,
)

WAYS = 2
"""Requests are posted side by side in so many ways, each by a provider of its own, in order."""
LATE = 40
CLASSMATES = 6
LATE_SECONDS = 48 * 3600


@dataclass(frozen=True)
class Request:
    """One POST: ``statements`` as sent, ``after`` seconds since the schedule's start at the earliest."""

    way: int
    after: float
    statements: Sequence[Statement]

    def body(self) -> bytes:
        return json.dumps(self.statements).encode()


@dataclass(frozen=True)
class Move:
    """At ``at`` seconds an account becomes one of the student behind another account; of its first one when equal."""

    at: float
    account: str
    to: str

    def __str__(self) -> str:
        return f"{self.at:.1f} s: {self.account} becomes an account of {self.to}"


@dataclass(frozen=True)
class Traits:
    """What a plan has beside late, shuffled, repeated and altered statements."""

    voiding: bool = True
    copies: bool = True
    moves: bool = True


ALL_TRAITS = Traits()
PLAIN = Traits(voiding=False, copies=False, moves=False)


@dataclass
class Plan:
    """A schedule's posts.

    Attributes:
        names: accounts of its students.
        originals: each statement once, by id, with its way, as it has to be kept.
        voided: those of them that do not count in any record in the end.
        conflicts: ids that are sent with other content, or of another student, later on the same way.
        moves: accounts that become those of other students meanwhile.
    """

    names: list[str]
    requests: list[Request] = field(default_factory=list)
    originals: dict[str, tuple[int, Statement]] = field(default_factory=dict)
    voided: set[str] = field(default_factory=set)
    conflicts: set[str] = field(default_factory=set)
    moves: list[Move] = field(default_factory=list)

    @property
    def movers(self) -> set[str]:
        """Accounts that are moved."""
        return {move.account for move in self.moves}


def make_plan(seed: int, count: int, seconds: float, traits: Traits) -> Plan:
    """Some ``count`` statements, posted over so many seconds; a class comes back after 48 hours offline among them."""
    rng = random.Random(f"statements {seed}")
    names = [account(seed, number) for number in range(STUDENTS)]
    plan = Plan(names)
    if traits.moves:
        plan.moves += sorted(_moves(rng, names, seconds), key=lambda move: move.at)
    stable = [name for name in names if name not in plan.movers]
    for _ in range(count):
        _add(plan, rng.randrange(WAYS), made(rng, actor_of(rng, names), moment(rng)))
    offline = _class(rng, plan, stable[:CLASSMATES])
    if traits.voiding:
        _void(rng, plan, names)
    for way in range(WAYS):
        own = [one for of, one in plan.originals.values() if of == way and one["id"] not in offline]
        rng.shuffle(own)  # late and out of order
        chunks = list(_chunks(rng, plan, own, stable, traits))
        if come_back := [one for of, one in plan.originals.values() if of == way and one["id"] in offline]:
            rng.shuffle(come_back)
            chunks.insert(rng.randrange(len(chunks) // 2, len(chunks)), come_back)
        plan.requests += [Request(way, seconds * n / len(chunks), chunk) for n, chunk in enumerate(chunks)]
    return plan


def _add(plan: Plan, way: int, statement: Statement) -> None:
    plan.originals[statement["id"]] = way, statement


def _class(rng: random.Random, plan: Plan, names: Sequence[str]) -> set[str]:
    """What the students of a class did in 48 hours without a network; posted at once, each way its own."""
    first = rng.uniform(0, SPAN_SECONDS - LATE_SECONDS)
    before = set(plan.originals)
    for _ in range(LATE):
        _add(plan, rng.randrange(WAYS), made(rng, agent(rng.choice(names)), moment(rng, first, LATE_SECONDS)))
    return plan.originals.keys() - before


def _void(rng: random.Random, plan: Plan, names: Sequence[str]) -> None:
    """Voids take their place among the other statements: before what they void, after it, or in the same request."""
    targets = rng.sample(sorted(plan.originals), len(plan.originals) // 15)
    for target in targets:
        plan.voided.add(target)
        for _ in range(rng.choice((1, 1, 1, 2))):
            _add(plan, plan.originals[target][0], voiding(rng, target, rng.choice(names)))
    # What must change nothing: another provider's void, that of a void, that of nothing.
    for other in rng.sample(sorted(plan.originals.keys() - plan.voided), 3):
        _add(plan, 1 - plan.originals[other][0], voiding(rng, other, rng.choice(names)))
    way, void = plan.originals[list(plan.originals)[-1]]
    _add(plan, way, voiding(rng, void["id"], rng.choice(names)))
    _add(plan, way, voiding(rng, new_id(rng), rng.choice(names)))


def _chunks(
    rng: random.Random, plan: Plan, own: list[Statement], names: Sequence[str], traits: Traits
) -> Iterator[list[Statement]]:
    """Requests of one way: new statements, old ones again, and ids used for something else."""
    told: list[Statement] = []
    while own:
        size = rng.choice((1, 1, 2, 5, 12, 30))
        fresh, own = own[:size], own[size:]
        yield [*fresh, *rng.sample(told, min(len(told), rng.choice((0, 0, 0, 1, 6))))]
        told += fresh
        # Not of those who are moved: see decision 12 for what is not settled there.
        stable = [one for one in told if not plan.movers.intersection(accounts(one))]
        some = rng.sample(stable, min(len(stable), 2))
        chance = rng.random()
        if chance < 0.06:
            plan.conflicts.update(one["id"] for one in some)
            yield [altered(rng, one) for one in some]
        elif traits.copies and chance < 0.12:
            yield [{**one, "timestamp": moment(rng)} for one in some]
        elif traits.copies and chance < 0.18:
            plan.conflicts.update(one["id"] for one in some)
            yield [_of_another(rng, one, names) for one in some]


def _of_another(rng: random.Random, statement: Statement, names: Sequence[str]) -> Statement:
    """The same id, at the same or at another time: by a student that the first one is not credited to, or of a group
    also by a member, or by a group in which another one has taken a member's place."""
    own = accounts(statement)
    other = rng.choice([name for name in names if name not in own])
    if len(own) == 1:
        actor = agent(other)
    else:
        members = [*own[:-1], other] if rng.random() < 0.5 else [own[-1]]
        actor = agent(members[0]) if len(members) == 1 else {"objectType": "Group", "member": [*map(agent, members)]}
    copy = {**statement, "actor": actor}
    return copy if rng.random() < 0.5 else {**copy, "timestamp": moment(rng)}


def _moves(rng: random.Random, names: Sequence[str], seconds: float) -> Iterator[Move]:
    """One account goes to another student and mostly back, a second one further on to a third; or none does."""
    if rng.random() < 0.3:
        return
    first, second = names[-1], names[-2]
    away = round(rng.uniform(0.2, 0.6) * seconds, 1)
    yield Move(away, first, rng.choice(names[:-2]))
    if rng.random() < 0.7:
        yield Move(round(away + rng.uniform(0.1, 0.4) * seconds, 1), first, first)
    if rng.random() < 0.5:
        yield Move(round(rng.uniform(0.1, 0.9) * seconds, 1), second, rng.choice(names[:-2]))
