"""What goes wrong at providers: late batches, an hour off line, answers missed, statements that break the rules."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from infra.dev.simulation.content import PRACTICE, PROVIDERS, Provider
from infra.dev.simulation.district import District
from infra.dev.simulation.habits.telling import ADL, SECOND, instant
from infra.dev.simulation.people import Student

_HOUR: Final = 3600 * SECOND
_LATE: Final = 48 * _HOUR
_PROMPT: Final = 2 * SECOND
SILENT: Final = PRACTICE
"""The provider that goes silent."""
_SILENT_DAYS: Final = 5
LONGEST_DELAY: Final = _LATE
"""No statement is posted later than this after it happened (µs)."""


def posted_at(told_at: int, provider: Provider, *, midnight: int, day: int, tablet_class: bool) -> int:
    """When the provider posts a statement of the ``day``-th school day (µs since the epoch).

    On every tenth day the tablets of one class stay off line and post 48 hours late; on every twentieth a provider
    is away from ten to eleven and catches up within minutes.
    """
    if tablet_class and provider is PRACTICE and day % 10 == 4:
        return told_at + _LATE
    if day % 20 == 12 and provider is PROVIDERS[day // 20 % len(PROVIDERS)]:
        into = told_at - midnight - 10 * _HOUR
        if 0 <= into < _HOUR:
            return midnight + 11 * _HOUR + into // 30
    return told_at + _PROMPT


def silent(provider: Provider, school_id: str, district: District, number: int) -> bool:
    """Whether nobody of a school can work with a provider on the ``number``-th school day: for a week in the middle of
    the term one provider is down at the last school, and nothing of it ever comes."""
    into = number - district.term_days // 2
    return provider is SILENT and school_id == district.schools[-1].school_id and 0 <= into < _SILENT_DAYS


def invalid(rng: Random, student: Student, provider: Provider, statement_id: str, at: int) -> dict[str, Any]:
    """A statement that breaks one rule of xAPI, as real clients do."""
    statement: dict[str, Any] = {
        "id": statement_id,
        "actor": dict(student.actors[provider.provider_id]),
        "verb": {"id": ADL + "experienced"},
        "object": {"id": f"{provider.home}/lessons/1"},
        "timestamp": instant(at),
    }
    fault = rng.randrange(6)
    if fault == 0:
        statement["actor"] = {"objectType": "Agent", "mbox": "student without an address"}
    elif fault == 1:
        statement["verb"] = {"display": {"en-US": "experienced"}}
    elif fault == 2:
        statement["result"] = {"score": {"scaled": 1.7}}
    elif fault == 3:
        statement["timestamp"] = "yesterday"
    elif fault == 4:
        statement["actor"] |= {"mbox": "mailto:someone@nowhere.example", "openid": "https://id.nowhere.example/u/1"}
    else:
        statement["object"] = {"id": "lesson-1"}
    return statement
