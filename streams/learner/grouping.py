"""Groups of a class by what its students learn next, and what sets the groups apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streams.learner.next_skill import Graph, Next, below
from streams.learner.words import Word


class Group(NamedTuple):
    """Students of a class with the same next skill.

    Attributes:
        skill: the skill.
        members: students, the weakest in it first; those who never tried it come last.
        unknown: prerequisites without evidence, with how many members that is true of; the most first.
        leads_to: skills that wait for it, with how many members they wait for; the most first.
    """

    skill: str
    members: tuple[str, ...]
    unknown: tuple[tuple[str, int], ...]
    leads_to: tuple[tuple[str, int], ...]


def groups(found: Mapping[str, Next]) -> list[Group]:
    """The groups of the students that have a next skill, the largest first; ties by code."""
    together: dict[str, list[str]] = {}
    for student, one in found.items():
        if one.skill is not None:
            together.setdefault(one.skill, []).append(student)
    return [
        Group(
            skill,
            tuple(sorted(members, key=lambda student: _weakest(student, found[student]))),
            _counted(one for student in members for one in found[student].unknown),
            _counted(one for student in members for one in found[student].leads_to),
        )
        for skill, members in sorted(together.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _weakest(student: str, found: Next) -> tuple[bool, float, str]:
    return found.standing.word is Word.NOT_STARTED, found.standing.chance, student


def _counted(skills: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(skills).items(), key=lambda item: (-item[1], item[0])))


def steps(graph: Graph, lower: str, upper: str) -> tuple[str, ...]:
    """The shortest way up from a skill to one that builds on it, both included; empty when it does not."""
    if lower not in below(graph, upper):
        return ()
    ways: list[tuple[str, ...]] = [(upper,)]
    for way in ways:  # grows while it is walked: the shortest ways come first
        for needed in sorted(graph.get(way[0], ())):
            if needed == lower:
                return (needed, *way)
            if lower in below(graph, needed):
                ways.append((needed, *way))
    return ()
