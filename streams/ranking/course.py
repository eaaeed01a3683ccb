"""A course on one day: every active student's own facts and features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streams.ranking.features import Peers, features
from streams.ranking.own import Own, own
from streams.ranking.progress import Progress


class Standing(NamedTuple):
    """A student on a day: own facts, those of the course, and the numbers that are weighed."""

    own: Own
    peers: Peers
    features: dict[str, float]


def standings(progress: Mapping[str, Progress], day: int, left: int = 0) -> dict[str, Standing]:
    """By student, at the end of ``day``; ``progress`` holds the students who are active then.

    ``left``: how many left the course since its start.
    """
    facts = {student: own(one, day) for student, one in progress.items()}
    peers = Peers(list(facts.values()), left)
    return {student: Standing(one, peers, features(one, peers)) for student, one in facts.items()}
