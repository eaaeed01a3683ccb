"""What a schedule came to, and the sum of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.compare import Findings
from tests.faults.schedule import Schedule


@dataclass
class Verdict:
    """What of a schedule differs from the reference: nothing when it was survived.

    Attributes:
        seconds: spent on it; of these ``posting``, with the faults, and ``settling``.
        statements: distinct ones that had to be stored.
        happened: the faults that really did: rules that found a request, processes that ran and were ended.
    """

    schedule: Schedule
    findings: Findings
    statements: int = 0
    posting: float = 0.0
    settling: float = 0.0
    happened: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether all agrees."""
        return not self.findings.said

    def line(self) -> str:
        """In one line."""
        end = "exact" if self.holds else f"{len(self.findings.said)} DIFFERENCES"
        kinds = ", ".join(f"{kind} × {n}" if n > 1 else kind for kind, n in Counter(self.happened).items())
        times = f"{self.posting:.1f} s of faults, {self.settling:.1f} s to settle"
        return f"seed {self.schedule.seed}: {end}, {self.statements} statements, {times} ({kinds or 'quiet'})"

    def __str__(self) -> str:
        lines = [self.line(), f"{self.schedule}", *(f"  DIFFERENCE {said}" for said in self.findings.said)]
        return "\n".join(lines)


def summary(verdicts: Sequence[Verdict], late: Sequence[Verdict], seconds: float) -> str:
    """The sum of many schedules; ``late``: those that had agreed, and do no longer."""
    last = {verdict.schedule.seed: verdict for verdict in [*verdicts, *late]}
    findings = [verdict.findings for verdict in last.values()]
    kinds = Counter(_kind(told) for verdict in verdicts for told in verdict.happened)
    return (
        f"{len(verdicts)} schedules, {sum(verdict.statements for verdict in verdicts)} statements:"
        f" {sum(one.lost for one in findings)} lost, {sum(one.doubled for one in findings)} doubled,"
        f" {sum(not verdict.holds for verdict in verdicts)} schedules with differences,"
        f" {len(late)} that changed later; {seconds:.0f} s\n"
        f"what happened: {', '.join(f'{kind} {n}' for kind, n in sorted(kinds.items()))}"
    )


def _kind(told: str) -> str:
    """Without the table of a rule."""
    return told.partition(" at ")[0]
