"""What the rules do to cases: raise, tell, wake and clear them. Pure; see schemas.cases.

Everything follows from the warnings that stand, the open case, the last closed one, and the day. Asking again with the
same facts gives nothing more to do, so that a restart, a second worker or a replay changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from schemas.cases import Action, Case, Signal, State, Step, with_rules
from schemas.rule_titles import rule_title


class Closed(NamedTuple):
    """The last closed case of a student, and the school days that have passed since it was closed."""

    case: Case
    school_days: int


def follow(
    student_id: str,
    case: Case | None,
    closed: Closed | None,
    signals: Sequence[Signal],
    today: date,
    cooldown: int,
    new_id: str,
) -> list[Step]:
    """Steps to take, in order; none where the case says what the warnings say.

    Args:
        student_id: the student.
        case: the open case, if there is one.
        closed: the case closed last, if there is one.
        signals: all warnings of the student, of any status.
        today: the day in the district.
        cooldown: school days within which the same rules do not raise a case again, unless severely so.
        new_id: id of a case that is raised.
    """
    if case is not None:
        return _along(case, signals, today)
    standing = sorted({one for one in signals if one.status == "open"}, key=lambda one: (one.raised_on, one.rule))
    grounds = [signal for signal in standing if not _rests(signal, closed, cooldown)]
    if not grounds:
        return []
    raised = Case(new_id, student_id, State.RAISED, 1, tuple(standing), min(one.raised_on for one in standing))
    details = with_rules(raised, {"grounds": [one.rule for one in grounds]})
    return [Step(raised, Action.RAISED, "", _sentence(standing), details)]


def _rests(signal: Signal, closed: Closed | None, cooldown: int) -> bool:
    """Whether a warning is within the cool-down of a case that had its rule; a newly severe one never is."""
    if closed is None or closed.school_days >= cooldown or signal.rule not in closed.case.rules:
        return False
    was_severe = any(known.severe and known[:2] == signal[:2] for known in closed.case.signals)
    return was_severe or not signal.severe


def _along(case: Case, signals: Sequence[Signal], today: date) -> list[Step]:
    now = {signal[:2]: signal for signal in signals}
    known = {signal[:2]: signal for signal in case.signals}
    steps: list[Step] = []
    came = [signal for key, signal in now.items() if key not in known and signal.status == "open"]
    worse = [now[key] for key, old in known.items() if key in now and now[key].severe and not old.severe]
    merged = _merged(case, now, came)
    over = [key for key, old in known.items() if old.status == "open" and merged[key].status != "open"]
    again = [now[key] for key, old in known.items() if old.status != "open" and merged[key].status == "open"]
    last = replace(case, signals=tuple(merged.values()))
    if news := [*came, *worse, *again]:
        wakes = last.state is State.SNOOZED and any(one.severe or one.rule not in case.rules for one in news)
        last = _step(steps, last, Action.WOKEN if wakes else Action.WARNED, _sentence(news))
    if not any(signal.status == "open" for signal in merged.values()):
        return _all_over(steps, last, [merged[key] for key in over], today)
    if over:
        last = _step(steps, last, Action.EASED, _sentence([merged[key] for key in over]))
    if last.state is State.SNOOZED and last.snoozed_until is not None and last.snoozed_until <= today:
        _step(steps, last, Action.WOKEN, "The snooze is over.")
    return steps


def _merged(case: Case, now: dict[tuple[str, date], Signal], came: Sequence[Signal]) -> dict[tuple[str, date], Signal]:
    """The case's warnings as they stand. Severe stays severe; what nobody tells anything of stays as it was."""
    merged = {}
    for old in case.signals:
        found = now.get(old[:2], old)
        merged[old[:2]] = found._replace(severe=found.severe or old.severe)
    return merged | {signal[:2]: signal for signal in came}


def _all_over(steps: list[Step], case: Case, over: Sequence[Signal], today: date) -> list[Step]:
    """Nothing stands any more. Who does something about it goes on; so does who was told what then proved wrong."""
    withdrawn = all(signal.status == "withdrawn" for signal in case.signals)
    if case.state is State.INTERVENTION or (withdrawn and case.state is not State.RAISED):
        if over:
            why = f"{_sentence(over)} It stays open for its owner."
            _step(steps, case, Action.EASED, why)
        return steps
    why = "The evidence came late: no warning stands." if withdrawn else "All its warnings are over."
    closed = replace(case, state=State.CLEARED, closed_on=today, snoozed_until=None, follow_up_on=None)
    _step(steps, closed, Action.CLEARED, why, before=case.state)
    return steps


def _step(steps: list[Step], case: Case, action: Action, why: str, before: State | None = None) -> Case:
    was = before or case.state
    if action is Action.WOKEN:
        case = replace(case, state=State.CLAIMED if case.owner else State.RAISED, snoozed_until=None)
    case = replace(case, version=case.version + 1)
    steps.append(Step(case, action, was, why, with_rules(case, {"owner": case.owner})))
    return case


def _sentence(signals: Sequence[Signal]) -> str:
    words = {"open": "", "cleared": " is over", "withdrawn": " is withdrawn"}
    parts = [
        f"{rule_title(signal.rule)}{words[signal.status]}{' (severe)' if signal.severe else ''}"
        for signal in dict.fromkeys(signals)
    ]
    return f"{', '.join(parts).capitalize()}."
