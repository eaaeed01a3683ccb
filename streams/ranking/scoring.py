"""The score: a weighted sum of features, as a chance of a named outcome, and what each feature gave to it.

Plain arithmetic over a version of the weights, the same in the stream and in the evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Final

import msgspec

COURSE: Final = "course"
"""Term of how earlier presentations of the course ended, beyond what the features say."""
BASE: Final = "base"
"""Term of everybody: the chance of a student who is in everything as the average."""


class WeekWeights(msgspec.Struct, frozen=True):
    """Weights from the end of a week of the course on, until the next ones begin.

    A feature's term is ``weight × (value − mean) / spread``; lists are in the order of ``Ranking.names``.
    """

    week: int
    base: float
    means: list[float]
    spreads: list[float]
    weights: list[float]
    courses: dict[str, float] = {}


class Ranking(msgspec.Struct, frozen=True):
    """A version of the score. ``outcome`` and ``within_days`` name what its chance is of; ``weeks`` are in order."""

    outcome: str
    within_days: int
    names: list[str]
    weeks: list[WeekWeights]
    version: int = 0

    def dumps(self) -> str:
        """As JSON."""
        return msgspec.json.encode(self).decode()


class Term(msgspec.Struct, frozen=True):
    """What one feature gave to the logit."""

    name: str
    value: float
    weight: float
    contribution: float


def loads(text: str) -> Ranking:
    """A version from its JSON; msgspec.DecodeError where it is none."""
    return msgspec.json.decode(text, type=Ranking)


def terms(ranking: Ranking, features: Mapping[str, float], day: int, course: str = "") -> list[Term]:
    """What adds up to the logit on a day (0: the first day of the course), base and course first."""
    at = _week(ranking, day)
    said = [Term(BASE, 1.0, at.base, at.base)]
    offset = at.courses.get(course, 0.0)
    if offset:
        said.append(Term(COURSE, 1.0, offset, offset))
    for name, mean, spread, weight in zip(ranking.names, at.means, at.spreads, at.weights, strict=True):
        scaled = (features[name] - mean) / spread
        said.append(Term(name, features[name], weight, weight * scaled))
    return said


def logit(ranking: Ranking, features: Mapping[str, float], day: int, course: str = "") -> float:
    """Sum of the terms."""
    return sum(term.contribution for term in terms(ranking, features, day, course))


def chance(logit: float) -> float:
    """Between 0 and 1, both excluded: a logit beyond ±30 is cut."""
    return 1.0 / (1.0 + exp(-max(-30.0, min(30.0, logit))))


def _week(ranking: Ranking, day: int) -> WeekWeights:
    """The weights of the last week that is over; before the first one, that one's."""
    found = ranking.weeks[0]
    for one in ranking.weeks[1:]:
        if one.week * 7 > day:
            break
        found = one
    return found
