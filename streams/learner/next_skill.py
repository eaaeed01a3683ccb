"""What to learn next: the weakest skill whose prerequisites are met, over the graph of the catalogue.

A prerequisite is met when it was once mastered, or when something that builds on it was. One that lies outside of
what a class works on and of which there is no evidence blocks nothing: it is unknown, and named as such.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from streams.learner.words import ONCE_MASTERED, Word

Graph = Mapping[str, Collection[str]]
"""Prerequisites of each skill; a skill without any may be left out."""


class CycleError(ValueError):
    """Skills that build on each other: no order of learning exists. ``path`` begins and ends with the same skill."""

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__("skills build on each other: " + " → ".join(path))
        self.path = tuple(path)


class Standing(NamedTuple):
    """Where a student stands in a skill: the word, and the chance of a right answer on a median item."""

    word: Word
    chance: float


class Next(NamedTuple):
    """What one student learns next.

    Attributes:
        skill: the skill; None when nothing is open or nothing is known of the student.
        standing: where the student stands in it.
        leads_to: skills of the class that wait for it, nearest first.
        unknown: its prerequisites of which there is no evidence, sorted.
        blocked: skills that are not open yet, each with the path down to what is missing first.
        evidence: whether any answer of the student is known.
    """

    skill: str | None
    standing: Standing
    leads_to: tuple[str, ...]
    unknown: tuple[str, ...]
    blocked: Mapping[str, tuple[str, ...]]
    evidence: bool


NOTHING = Standing(Word.NOT_STARTED, 0.0)


def depths(graph: Graph) -> dict[str, int]:
    """Length of the longest chain of prerequisites below each skill; raises CycleError."""
    found: dict[str, int] = {}
    for start in sorted(graph):
        _measure(graph, start, found)
    return found


def _measure(graph: Graph, start: str, found: dict[str, int]) -> None:
    # An own stack: a catalogue may be deeper than Python lets functions call each other.
    path, waiting = [start], [iter(sorted(graph.get(start, ())))]
    on_path = {start}
    while path:
        needed = next(waiting[-1], None)
        if needed is None:
            done = path.pop()
            waiting.pop()
            on_path.discard(done)
            found[done] = 1 + max((found[below] for below in graph.get(done, ())), default=-1)
        elif needed in on_path:
            raise CycleError([*path[path.index(needed) :], needed])
        elif needed not in found:
            path.append(needed)
            on_path.add(needed)
            waiting.append(iter(sorted(graph.get(needed, ()))))


def below(graph: Graph, skill: str) -> set[str]:
    """All that a skill builds on, directly or further down."""
    found: set[str] = set()
    waiting = list(graph.get(skill, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += graph.get(one, ())
    return found


def next_skill(graph: Graph, standings: Mapping[str, Standing], scope: Collection[str]) -> Next:
    """The next skill of one student.

    Args:
        graph: prerequisites, without cycles.
        standings: where the student stands, by skill; what is left out is not started.
        scope: the skills that are worked on: those of a grade and subject.

    Of what is open the skill with the lowest chance among those tried comes first; what was never tried comes after,
    in the order of the graph; then what needs a refresh. Ties fall to the lower place in the graph, then to the code.
    """
    known = {skill for skill, standing in standings.items() if standing.word is not Word.NOT_STARTED}
    mastered = {skill for skill in known if standings[skill].word in ONCE_MASTERED}
    met = mastered.union(*(below(graph, skill) for skill in mastered))
    relevant = set(scope).union(*(below(graph, skill) & known for skill in scope))

    def missing(skill: str) -> list[str]:
        return sorted(one for one in graph.get(skill, ()) if one in relevant and one not in met)

    # What was tried and is not mastered stays open, even below something that is mastered.
    unfinished = sorted(skill for skill in relevant - mastered if skill in known or skill not in met)
    blocked = {skill: _path(skill, missing) for skill in unfinished if missing(skill)}
    place = depths(graph)

    def rank(skill: str) -> tuple[int, float, int, str]:
        standing = standings.get(skill, NOTHING)
        tried = skill in known
        return (0 if tried else 1, standing.chance if tried else 0.0, place.get(skill, 0), skill)

    ready = [skill for skill in unfinished if skill not in blocked]
    faded = [skill for skill in relevant & mastered if standings[skill].word is Word.REFRESH]
    chosen = min(ready or faded, key=rank, default=None) if known else None
    if chosen is None:
        return Next(None, NOTHING, (), (), blocked, bool(known))
    leads_to = sorted(
        (skill for skill in blocked if chosen in below(graph, skill)), key=lambda skill: (place.get(skill, 0), skill)
    )
    unknown = sorted(one for one in graph.get(chosen, ()) if one not in known and one not in met)
    return Next(chosen, standings.get(chosen, NOTHING), tuple(leads_to), tuple(unknown), blocked, True)


def _path(skill: str, missing: Callable[[str], list[str]]) -> tuple[str, ...]:
    """From a skill down through what is missing to what can be learned first."""
    path = [skill]
    while needed := missing(path[-1]):
        path.append(needed[0])
    return tuple(path)
