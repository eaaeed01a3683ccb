"""Columns that a worker writes, in the order in which its rows hold the values.

Values are plain: ids as strings, moments as µs since the epoch, days as days since the epoch.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Row = tuple[object, ...]


class Columns(NamedTuple):
    """A table and the columns of its rows."""

    table: str
    names: tuple[str, ...]


def _columns(table: str, names: str) -> Columns:
    return Columns(table, tuple(names.split()))


LEDGER: Final = _columns("ledger", "generation partition minute provider_id statements watermark")
STATEMENTS: Final = _columns(
    "statements",
    "student_id timestamp statement_id stored provider_id verb verb_iri activity actor registration skills digest"
    " generation partition offset idx statement",
)
CREDITS: Final = _columns(
    "credits",
    "student_id timestamp statement_id stored provider_id verb activity skills outcome duration_ms digest"
    " generation partition offset idx",
)
ATTEMPTS: Final = _columns(
    "attempts",
    "student_id timestamp statement_id item skills outcome duration_ms verb provider_id stored"
    " generation partition offset idx",
)
OUTCOMES: Final = _columns(
    "outcomes",
    "generation partition offset idx provider_id statement_id stored statements outcome reason message at",
)
STUDENT_DAYS: Final = _columns(
    "student_days",
    "student_id day statements activity attempts successes duration_ms attended absent incidents providers"
    " first_at last_at generation partition watermark",
)
SKILL_STATES: Final = _columns(
    "skill_states",
    "student_id skill_id attempts successes rating mastery recent first_at last_at low high memory"
    " calibration activation generation partition watermark",
)
STUDENT_STATES: Final = _columns(
    "student_states",
    "student_id rating attempts last_at last_statement_id memory calibration activation generation partition watermark",
)
REVISIONS = "revision removed"
STATEMENT_REVISIONS: Final = _columns("statements", f"{' '.join(STATEMENTS.names)} {REVISIONS}")
CREDIT_REVISIONS: Final = _columns("credits", f"{' '.join(CREDITS.names)} {REVISIONS}")
ATTEMPT_REVISIONS: Final = _columns("attempts", f"{' '.join(ATTEMPTS.names)} {REVISIONS}")
"""Rows that take a statement out of a student's record or put it back; all others leave these two columns to their
defaults."""
STUDENT_DAY_REMOVALS: Final = _columns("student_days", f"{' '.join(STUDENT_DAYS.names)} removed")
SKILL_STATE_REMOVALS: Final = _columns("skill_states", f"{' '.join(SKILL_STATES.names)} removed")
STUDENT_STATE_REMOVALS: Final = _columns("student_states", f"{' '.join(STUDENT_STATES.names)} removed")
"""Rows of which nothing is left: readers with FINAL do not see them."""
REMOVALS: Final = _columns(
    "removals", "student_id timestamp statement_id reason cause restored generation partition offset at"
)
DEAD_LETTER_DECISIONS: Final = _columns(
    "dead_letter_decisions",
    "generation partition offset idx provider_id decision reason decided_by statements stored at",
)
ALARMS: Final = _columns("alarms", "alarm subject since until message at")
WARNINGS: Final = _columns(
    "warnings",
    "student_id rule raised_on status cleared_on reason value baseline threshold evidence_from evidence_to providers"
    " coverage partition evaluated_at",
)
SCORES: Final = _columns("scores", "student_id day version chance names reasons contributions partition scored_at")
SINK_PROGRESS: Final = _columns("sink_progress", "generation partition offset end_offset stored_until checked_at")
SINK_ACTIVATIONS: Final = _columns("sink_progress", "generation partition offset end_offset activation")
"""Told once, when all that is still to come of a partition is folded under a calibration."""
SINK_FLUSHES: Final = _columns("sink_flushes", "flushed_at worker partition statements rows flush_ms latency_buckets")
PROVIDER_MINUTES: Final = _columns(
    "provider_minutes",
    "provider_id minute instance requests accepted rejected latency_us latency_buckets offset",
)
REJECTIONS: Final = _columns(
    "rejections", "provider_id at request_id status rule section path message fix value offset"
)
CASE_EVENTS: Final = _columns(
    "case_events", "event_id case_id sequence student_id at who action before after why details offset"
)
ROSTER: Final = _columns("roster", "student_id school_id grade sections updated_at")


class Step(NamedTuple):
    """Tables that a flush writes one after the other, and others that it writes at the same time."""

    tables: tuple[Columns, ...]
    beside: tuple[Columns, ...] = ()


STEPS: Final = (
    Step((LEDGER, STATEMENTS, STATEMENT_REVISIONS, CREDITS, CREDIT_REVISIONS), (ATTEMPTS, ATTEMPT_REVISIONS)),
    Step((OUTCOMES, REMOVALS)),
    Step((SKILL_STATES, SKILL_STATE_REMOVALS), (STUDENT_DAYS, STUDENT_DAY_REMOVALS)),
    Step((STUDENT_STATES, STUDENT_STATE_REMOVALS)),
)
"""What one batch of envelopes writes, step after step: what the log holds before what became of it, all that
follows from an earlier removal before a later one takes its place, what a state is folded from before the state, and
the row of a student after those of its skills and days, which is how a torn flush is told."""
OF_STATEMENTS: Final = tuple(columns for step in STEPS for columns in (*step.tables, *step.beside))
ALL: Final = (
    *OF_STATEMENTS, WARNINGS, SCORES, SINK_PROGRESS, SINK_FLUSHES, PROVIDER_MINUTES, REJECTIONS, CASE_EVENTS, ROSTER,
)  # fmt: skip
