"""What is kept of a student: constant in size for the student and for each skill, whatever was answered.

``memory`` holds what the model remembers beyond the named fields, as floats of a fixed layout, so that a state is
stored and read back to the last digit; an array, since there are many students. The lengths are STUDENT_MEMORY and
SKILL_MEMORY; the places are named below. An empty memory in the store is one that was never written: such a state is
folded again, not extended.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

Key = tuple[int, str]
"""Place of an attempt in the order of the fold: timestamp (µs), statement id."""
BEFORE_ALL: Final[Key] = (-(2**63), "")

SKILL_MEMORY: Final = 13
(
    INFORMATION,
    SKILL_PART,
    SKILL_WINS,
    SKILL_LOSSES,
    SKILL_2,
    SKILL_5,
    SKILL_20,
    SKILL_ERROR,
    SKILL_OWN,
    PLACE,
    PATTERN,
) = range(11)
"""Places in SkillState.memory: Σ P(1 − P) over the attempts, which is how much the answers tell of the rating; the
skill's part of a logit, as the last attempt left it; right and wrong answers, those that were guessed in haste counted
for less; recency-weighted outcomes about BASE with half-lives of 2, 5 and 20 attempts; the same of the rating's error,
half-life 5; the intercept that the logistic's own error taught; the student's attempts when the skill was practised;
the last three outcomes as bits after a leading one (0: none)."""
BALANCE: Final = 11
"""log1p of right less log1p of wrong answers."""
HELD: Final = SKILL_MEMORY - 1
"""The value that words of mastery rest on (streams.learner.words): it moves only to stay within the interval."""

(
    STUDENT_PART, STUDENT_WINS, STUDENT_LOSSES, STUDENT_2, STUDENT_5, STUDENT_20, STUDENT_ERROR, STUDENT_OWN, LATEST,
    LAST_ITEM, LAST_SKILLS, LAST_RIGHT, PACE, PACED, RAPID,
) = range(15)  # fmt: skip
"""Places in LearnerState.memory: as those of a skill, of all the student's attempts; then the last outcome about BASE,
hashes of the last item and of its skills, whether it was right (1 or 0), the mean of log1p(ms) of the student's
answers and how many it is of, and how many answers were guessed in haste."""
ITEMS: Final = 16
"""Where the table of items begins that the student has met: ITEM_PLACES × (hash + 1, right, wrong); an item takes the
place of one with the same last bits."""
ITEM_PLACES: Final = 16
STUDENT_MEMORY: Final = ITEMS + 3 * ITEM_PLACES

_NO_SKILL_MEMORY: Final = array("d", bytes(8 * SKILL_MEMORY))
_NO_STUDENT_MEMORY: Final = array("d", bytes(8 * STUDENT_MEMORY))

BASE: Final = 0.65
"""The outcome that says nothing: recency-weighted outcomes are taken about it."""


class Attempt(NamedTuple):
    """Evidence of skill, in the order of the fold when sorted (keys are unique within a student).

    ``outcome`` is 0 … 1, between for partial credit; ``duration_ms`` is -1 where the statement tells none.
    """

    timestamp: int
    statement_id: str
    item: str
    skills: list[str]
    outcome: float
    duration_ms: int = -1

    @property
    def key(self) -> Key:
        """Its place in the order of the fold."""
        return self.timestamp, self.statement_id


class SkillState:
    """What a student is taken to know of one skill; see the table skill_states.

    ``mastery``: chance on an item of median difficulty at the last attempt, ``low`` and ``high`` its 90 % interval.
    """

    __slots__ = (
        "attempts", "first_at", "high", "last_at", "low", "mastery", "memory", "rating", "recent", "successes",
    )  # fmt: skip

    def __init__(
        self,
        attempts: int = 0,
        successes: float = 0.0,
        rating: float = 0.0,
        mastery: float = 0.0,
        recent: float = 0.0,
        first_at: int = 0,
        last_at: int = 0,
        low: float = 0.0,
        high: float = 1.0,
        memory: Sequence[float] = (),
    ) -> None:
        self.attempts = attempts
        self.successes = successes
        self.rating = rating
        self.mastery = mastery
        self.recent = recent
        self.first_at = first_at
        self.last_at = last_at
        self.low = low
        self.high = high
        self.memory = array("d", memory or _NO_SKILL_MEMORY)

    def values(self) -> tuple[int, float, float, float, float, int, int]:
        """The fields before ``low``, in the order of the constructor."""
        return self.attempts, self.successes, self.rating, self.mastery, self.recent, self.first_at, self.last_at


class LearnerState:
    """All skills of a student, and what they share; ``last`` is the key of the last attempt folded in."""

    __slots__ = ("attempts", "last", "memory", "rating", "skills")

    def __init__(
        self, rating: float = 0.0, attempts: int = 0, last: Key = BEFORE_ALL, memory: Sequence[float] = ()
    ) -> None:
        self.rating = rating
        self.attempts = attempts
        self.last = last
        self.memory = array("d", memory or _NO_STUDENT_MEMORY)
        self.skills: dict[str, SkillState] = {}
