"""What came of the warnings of each rule, for reports on their quality: ``rule_outcomes`` reads, and counts.

Used by the report on a district's own cases (roundtrip evaluate warnings --from-store). A case counts for each of its
rules, so the rows do not add up to the number of cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

SQL: Final = """
SELECT rule,
       uniqExact(case_id)                                                                AS raised,
       uniqExactIf(case_id, action IN ('claimed', 'assigned'))                           AS claimed,
       uniqExactIf(case_id, action = 'intervention')                                     AS intervened,
       uniqExactIf(case_id, action = 'cleared')                                          AS cleared,
       uniqExactIf(case_id, action = 'dismissed' AND dismissal = 'incorrect_data')       AS incorrect_data,
       uniqExactIf(case_id, action = 'dismissed' AND dismissal = 'known_and_handled')    AS known_and_handled,
       uniqExactIf(case_id, action = 'dismissed' AND dismissal = 'not_concerning')       AS not_concerning,
       uniqExact(case_id) - uniqExactIf(case_id, after IN ('dismissed', 'cleared'))      AS open
FROM
(
    SELECT case_id, action, after, JSONExtractString(details, 'dismissal') AS dismissal,
           arrayJoin(JSONExtract(details, 'rules', 'Array(String)')) AS rule
    FROM case_events FINAL
)
GROUP BY rule
ORDER BY rule
"""


class RuleOutcome(NamedTuple):
    """Cases of one rule: how many were raised, and what came of them. ``open``: nothing yet."""

    rule: str
    raised: int
    claimed: int
    intervened: int
    cleared: int
    incorrect_data: int
    known_and_handled: int
    not_concerning: int
    open: int

    @property
    def dismissed(self) -> int:
        """Cases that somebody dismissed, for whatever reason."""
        return self.incorrect_data + self.known_and_handled + self.not_concerning

    @property
    def judged(self) -> int:
        """Cases on which somebody has decided: what a share of wrong warnings is a share of."""
        return self.dismissed + self.intervened


def rule_outcomes(read: Callable[[str], Sequence[Sequence[Any]]]) -> list[RuleOutcome]:
    """One row a rule. ``read`` returns the columns of a query's result, as Sink.read does."""
    return [RuleOutcome(*values) for values in zip(*read(SQL), strict=True)]
