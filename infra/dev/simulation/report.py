"""What was posted, counted and told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Counts of one run, in statements; ``duplicates`` were sent again on purpose and are in no other count."""

    posted: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    retried: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Accepted statements a second."""
        return self.accepted / max(self.seconds, 1e-9)

    @property
    def pace(self) -> str:
        """How many are kept and how fast, in words, for a bar."""
        return f"{self.accepted:,} kept · {self.rate:,.0f}/s"

    def __str__(self) -> str:
        return (
            f"posted {self.posted:,} · accepted {self.accepted:,} · duplicates sent {self.duplicates:,} · "
            f"rejected {self.rejected:,} · requests sent again {self.retried:,} · {self.seconds:.1f} s · "
            f"{self.rate:,.0f} statements/s"
        )


def say(line: str) -> None:
    """One line to standard output, at once."""
    print(line, flush=True)
