"""Cases: what people do about a student's warnings, as a pure state machine.

A case holds the warnings of one student while somebody looks after them. The rules raise and clear it; people claim,
assign, snooze, dismiss, and start interventions. Every step has an action, a state before and after, and a reason in
words: it becomes one row of case_events, and one event of the topic case-events.

Days are dates of the district; "school days" are counted by whoever calls, from the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

MOST_SNOOZED_DAYS: Final = 90
MOST_WEEKS: Final = 52
USUAL_WEEKS: Final = 6
CHECK_IN_DAYS: Final = 14
"""An intervention's first check-in, where nobody says another day."""
INTERVENTIONS: Final = (
    "check-in", "mentoring", "tutoring", "attendance plan", "family contact", "schedule change", "referral", "other",
)  # fmt: skip
OUTCOMES: Final = ("goal met", "partly met", "not met", "moved")
COMMAND: Final = "cli:"
"""Stands before the name of who acts by a command."""


class State(StrEnum):
    """Where a case stands."""

    RAISED = "raised"
    CLAIMED = "claimed"
    INTERVENTION = "intervention"
    SNOOZED = "snoozed"
    DISMISSED = "dismissed"
    CLEARED = "cleared"


CLOSED: Final = frozenset({State.DISMISSED, State.CLEARED})


class Action(StrEnum):
    """What happened. The first five are the rules', the others people's."""

    RAISED = "raised"
    WARNED = "warned"  # another warning of the student, or one that became severe
    EASED = "eased"  # a warning is over, and the case stays open
    WOKEN = "woken"  # the snooze is over
    CLEARED = "cleared"
    CLAIMED = "claimed"
    ASSIGNED = "assigned"
    RELEASED = "released"
    SNOOZED = "snoozed"
    FOLLOW_UP = "follow_up"
    INTERVENTION = "intervention"
    ENDED = "ended"  # the intervention
    DISMISSED = "dismissed"


class Dismissal(StrEnum):
    """Why a case needed nobody."""

    INCORRECT_DATA = "incorrect_data"
    KNOWN_AND_HANDLED = "known_and_handled"
    NOT_CONCERNING = "not_concerning"


class Signal(NamedTuple):
    """One warning of a case; status: open, cleared or withdrawn."""

    rule: str
    raised_on: date
    severe: bool = False
    status: str = "open"


@dataclass(frozen=True)
class Case:
    """One case. ``version``: number of its last event, 0 before the first; ``owner``: staff id, empty: nobody."""

    case_id: str
    student_id: str
    state: State
    version: int
    signals: tuple[Signal, ...]
    raised_on: date
    owner: str = ""
    snoozed_until: date | None = None
    follow_up_on: date | None = None
    closed_on: date | None = None
    dismissal: str = ""

    @property
    def open(self) -> bool:
        """Whether somebody may still act on it."""
        return self.state not in CLOSED

    @property
    def rules(self) -> list[str]:
        """The rules behind it, each once, in the order of their warnings."""
        return list(dict.fromkeys(signal.rule for signal in self.signals))

    @property
    def eased(self) -> bool:
        """Whether it is kept open though none of its warnings stands any more."""
        return self.open and not any(signal.status == "open" for signal in self.signals)


@dataclass(frozen=True)
class Step:
    """One transition: the case after it, and what its event says. ``before`` is empty where there was no case."""

    case: Case
    action: Action
    before: str
    why: str
    details: dict[str, Any] = field(default_factory=dict)


class CaseFaultError(ValueError):
    """An action that a case does not allow, in words for whoever asked."""


@dataclass(frozen=True)
class Ask:
    """What somebody wants done. ``who``: their staff id, or COMMAND and a user; the rest belongs to single actions."""

    action: Action
    who: str
    today: date
    why: str = ""
    owner: str = ""
    day: date | None = None
    dismissal: str = ""
    kind: str = ""
    goal: str = ""
    weeks: int = USUAL_WEEKS
    outcome: str = ""


_OPEN_STATES: Final = frozenset(State) - CLOSED
_WAITING: Final = frozenset({State.RAISED, State.CLAIMED, State.SNOOZED})
_FROM: Final[dict[Action, frozenset[State]]] = {
    Action.CLAIMED: _OPEN_STATES,
    Action.ASSIGNED: _OPEN_STATES,
    Action.RELEASED: frozenset({State.CLAIMED, State.SNOOZED}),
    Action.SNOOZED: _WAITING,
    Action.FOLLOW_UP: frozenset({State.CLAIMED, State.INTERVENTION}),
    Action.INTERVENTION: _WAITING,
    Action.ENDED: frozenset({State.INTERVENTION}),
    Action.DISMISSED: _WAITING,
}
BY_PEOPLE: Final = frozenset(_FROM)
"""What people may ask for; the rest is the rules' alone."""
_REFUSALS: Final[dict[tuple[Action, State], str]] = {
    (Action.RELEASED, State.RAISED): "Nobody has this case, so there is nothing to give back.",
    (Action.RELEASED, State.INTERVENTION): "An intervention is under way: assign the case to somebody else.",
    (Action.SNOOZED, State.INTERVENTION): "An intervention is under way: set its next follow-up instead.",
    (Action.FOLLOW_UP, State.RAISED): "Claim the case first: a follow-up needs somebody who does it.",
    (Action.FOLLOW_UP, State.SNOOZED): "The case is snoozed: it comes back by itself.",
    (Action.INTERVENTION, State.INTERVENTION): "An intervention is under way: end it before another one begins.",
    (Action.DISMISSED, State.INTERVENTION): "An intervention is under way: end it first.",
}


def act(case: Case, ask: Ask, owner_name: str = "its owner") -> Step:
    """What becomes of a case when somebody acts; raises CaseFaultError. ``owner_name``: who has it now, in words.

    Whether they may see the student at all is decided before (dashboards.access), and nowhere here.
    """
    if ask.action not in _FROM:
        raise CaseFaultError("That is for the rules to do, and for nobody else.")
    if not case.open:
        raise CaseFaultError(f"This case is {case.state}; a new warning opens a new one.")
    if case.state not in _FROM[ask.action]:
        said = _REFUSALS.get((ask.action, case.state))
        raise CaseFaultError(said or "There is no intervention under way.")
    if ask.action not in (Action.CLAIMED, Action.ASSIGNED) and case.owner not in ("", ask.who):
        raise CaseFaultError(f"{owner_name} has this case: ask them, or assign it to yourself first.")
    after, details = _DO[ask.action](case, ask, owner_name)
    after = replace(after, version=case.version + 1)
    told = {"owner": after.owner, **details}
    return Step(after, ask.action, case.state, ask.why.strip(), with_rules(after, told))


def with_rules(case: Case, details: dict[str, Any]) -> dict[str, Any]:
    """What every event tells: the rules of the case, for reports by rule."""
    return {**details, "rules": case.rules}


def _claim(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    if case.owner and case.owner != ask.who:
        raise CaseFaultError(f"{owner_name} has this case already.")
    if case.owner and case.state is not State.SNOOZED:
        raise CaseFaultError("You have this case already.")
    return replace(case, state=State.CLAIMED, owner=ask.who, snoozed_until=None), {}


def _assign(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    if not ask.owner:
        raise CaseFaultError("Say to whom.")
    if case.owner == ask.owner:
        raise CaseFaultError(f"{owner_name} has this case already.")
    state = State.CLAIMED if case.state is State.RAISED else case.state
    return replace(case, state=state, owner=ask.owner), {"from": case.owner}


def _release(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    _needs(ask.why, "Say why you give it back.")
    return replace(case, state=State.RAISED, owner="", snoozed_until=None, follow_up_on=None), {}


def _snooze(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    _needs(ask.why, "Say why it can wait.")
    if ask.day is None or ask.day <= ask.today:
        raise CaseFaultError("Choose a day after today.")
    if ask.day > ask.today + timedelta(days=MOST_SNOOZED_DAYS):
        raise CaseFaultError(f"A case can wait {MOST_SNOOZED_DAYS} days at most.")
    snoozed = replace(case, state=State.SNOOZED, owner=case.owner or ask.who, snoozed_until=ask.day, follow_up_on=None)
    return snoozed, {"until": ask.day.isoformat()}


def _follow_up(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    if ask.day is not None and ask.day < ask.today:
        raise CaseFaultError("Choose today or a later day.")
    return replace(case, follow_up_on=ask.day), {"on": ask.day.isoformat() if ask.day else ""}


def _intervene(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    if ask.kind not in INTERVENTIONS:
        raise CaseFaultError("Choose what is going to be done.")
    _needs(ask.goal, "Say what is to be reached.")
    if not 1 <= ask.weeks <= MOST_WEEKS:
        raise CaseFaultError(f"An intervention takes 1 to {MOST_WEEKS} weeks.")
    ends = ask.today + timedelta(weeks=ask.weeks)
    check_in = ask.day or min(ask.today + timedelta(days=CHECK_IN_DAYS), ends)
    if not ask.today <= check_in <= ends:
        raise CaseFaultError("The first check-in lies between today and the end.")
    started = replace(
        case, state=State.INTERVENTION, owner=case.owner or ask.who, snoozed_until=None, follow_up_on=check_in
    )
    return started, {
        "type": ask.kind, "goal": ask.goal.strip(), "weeks": ask.weeks, "ends": ends.isoformat(),
        "on": check_in.isoformat(),
    }  # fmt: skip


def _end(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    if ask.outcome not in OUTCOMES:
        raise CaseFaultError("Say what came of it.")
    return replace(case, state=State.CLAIMED, follow_up_on=None), {"outcome": ask.outcome}


def _dismiss(case: Case, ask: Ask, owner_name: str) -> tuple[Case, dict[str, Any]]:
    if ask.dismissal not in set(Dismissal):
        raise CaseFaultError("Choose why it needs nobody.")
    _needs(ask.why, "Say why, in a few words.")
    closed = replace(
        case, state=State.DISMISSED, dismissal=ask.dismissal, closed_on=ask.today, snoozed_until=None, follow_up_on=None
    )
    return closed, {"dismissal": ask.dismissal}


_DO: Final = {
    Action.CLAIMED: _claim,
    Action.ASSIGNED: _assign,
    Action.RELEASED: _release,
    Action.SNOOZED: _snooze,
    Action.FOLLOW_UP: _follow_up,
    Action.INTERVENTION: _intervene,
    Action.ENDED: _end,
    Action.DISMISSED: _dismiss,
}


def _needs(text: str, said: str) -> None:
    if not text.strip():
        raise CaseFaultError(said)
