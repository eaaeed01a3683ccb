"""Cases in the registry: read, and changed one step at a time, for workers, pages and commands.

A step writes the case and its event in one transaction, and only where the case is as it was when the step was decided
(``version``). Times are in µs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from schemas import cases as machine
from schemas.cases import CLOSED, Ask, Case, CaseFaultError, Signal, State, Step
from schemas.registry.insight import case_events, cases
from schemas.registry.tables import staff

_CHUNK = 500
_TRIES = 5


class ChangedError(Exception):
    """Somebody else changed the case in between: nothing was written."""


@dataclass(frozen=True)
class CaseEvent:
    """One row of case_events; ``details`` as it was written."""

    event_id: str
    case_id: str
    sequence: int
    student_id: str
    at: int
    who: str
    action: str
    before: str
    after: str
    why: str
    details: dict[str, Any]


def case(connection: Connection, case_id: str) -> Case:
    """One case; raises CaseFaultError where there is none."""
    row = connection.execute(select(cases).where(cases.c.case_id == case_id)).first()
    if row is None:
        raise CaseFaultError("There is no such case.")
    return of_row(row)


def open_cases(connection: Connection, student_ids: Sequence[str]) -> dict[str, Case]:
    """Open cases by student."""
    return {
        found.student_id: found
        for some in _chunks(student_ids)
        for found in _cases(connection, _of_students(some).where(cases.c.state.not_in(CLOSED)))
    }


def last_closed(connection: Connection, student_ids: Sequence[str]) -> dict[str, Case]:
    """The case of each student that was closed last."""
    return {
        found.student_id: found
        for some in _chunks(student_ids)
        for found in _cases(
            connection,
            _of_students(some).where(cases.c.state.in_(CLOSED)).order_by(cases.c.closed_on, cases.c.updated_at),
        )
    }


def selected(connection: Connection, query: Select[Any]) -> list[Case]:
    """Cases of a query over the table's columns."""
    return list(_cases(connection, query))


def events(connection: Connection, case_ids: Sequence[str]) -> list[CaseEvent]:
    """All events of some cases, the oldest first."""
    found = [
        _event(row)
        for some in _chunks(case_ids)
        for row in connection.execute(select(case_events).where(case_events.c.case_id.in_(some)))
    ]
    return sorted(found, key=lambda event: (event.at, event.case_id, event.sequence))


def unpublished(connection: Connection, limit: int) -> list[CaseEvent]:
    """The oldest events that Kafka may not have, in the order of each case."""
    own = case_events.c
    query = select(case_events).where(~own.published).order_by(own.at, own.case_id, own.sequence).limit(limit)
    return [_event(row) for row in connection.execute(query)]


def mark_published(connection: Connection, event_ids: Sequence[str]) -> None:
    """Kafka has acknowledged them."""
    for some in _chunks(event_ids):
        connection.execute(update(case_events).where(case_events.c.event_id.in_(some)).values(published=True))


def store(connection: Connection, steps: Iterable[Step], who: str, at: int) -> None:
    """Write steps that follow each other, decided on what was read before; ``who`` empty: the rules.

    Raises ChangedError where the case is another than it was then: the transaction has to be left.
    """
    for step in steps:
        after = step.case
        values = _values(after) | {"updated_at": at}
        if step.before:
            known = cases.c.case_id == after.case_id, cases.c.version == after.version - 1
            if connection.execute(update(cases).where(*known).values(values)).rowcount != 1:
                raise ChangedError
        else:
            try:
                connection.execute(insert(cases).values(case_id=after.case_id, student_id=after.student_id, **values))
            except IntegrityError as error:  # one open case a student: somebody else has raised it
                raise ChangedError from error
        connection.execute(
            insert(case_events).values(
                event_id=str(uuid4()), case_id=after.case_id, sequence=after.version, student_id=after.student_id,
                at=at, who=who, action=step.action, before=step.before, after=after.state, why=step.why,
                details=json.dumps(step.details, ensure_ascii=False, sort_keys=True),
            )
        )  # fmt: skip


def act(engine: Engine, case_id: str, ask: Ask, at: int) -> Step:
    """Do what somebody asks for; raises CaseFaultError with words that also tell who was first.

    Of two who ask at once one wins; the other is judged anew, by the case as the first one left it.
    """
    for _ in range(_TRIES):
        try:
            with engine.begin() as connection:
                found = case(connection, case_id)
                try:
                    step = machine.act(found, ask, name_of(connection, found.owner) or "its owner")
                except CaseFaultError as error:
                    raise CaseFaultError(str(error) + _who_closed(connection, found)) from None
                store(connection, [step], ask.who, at)
                return step
        except ChangedError:
            continue
    raise CaseFaultError("Others are changing this case right now. Look again.")


def name_of(connection: Connection, staff_id: str) -> str:
    """Name of one of the staff; empty where there is none."""
    return connection.scalar(select(staff.c.name).where(staff.c.staff_id == staff_id)) or ""


def names(connection: Connection) -> dict[str, str]:
    """Names of all staff by id."""
    return {row.staff_id: row.name for row in connection.execute(select(staff.c.staff_id, staff.c.name))}


def of_row(row: Row[Any]) -> Case:
    """A case from a row of the table."""
    signals = tuple(
        Signal(rule, date.fromisoformat(day), severe, status) for rule, day, severe, status in json.loads(row.rules)
    )
    return Case(
        row.case_id, row.student_id, State(row.state), row.version, signals, row.raised_on, row.owner or "",
        row.snoozed_until, row.follow_up_on, row.closed_on, row.dismissal or "",
    )  # fmt: skip


def _who_closed(connection: Connection, found: Case) -> str:
    if found.open:
        return ""
    own = case_events.c
    who = connection.scalar(select(own.who).where(own.case_id == found.case_id, own.sequence == found.version))
    return f" {name_of(connection, who) or 'Somebody'} closed it." if who else " The rules closed it."


def _values(after: Case) -> dict[str, Any]:
    rules = [[signal.rule, signal.raised_on.isoformat(), signal.severe, signal.status] for signal in after.signals]
    return {
        "state": after.state, "version": after.version, "rules": json.dumps(rules), "owner": after.owner or None,
        "raised_on": after.raised_on, "snoozed_until": after.snoozed_until, "follow_up_on": after.follow_up_on,
        "closed_on": after.closed_on, "dismissal": after.dismissal or None,
    }  # fmt: skip


def _of_students(student_ids: Sequence[str]) -> Select[Any]:
    return select(cases).where(cases.c.student_id.in_(student_ids))


def _cases(connection: Connection, query: Select[Any]) -> Iterable[Case]:
    return [of_row(row) for row in connection.execute(query)]


def _event(row: Row[Any]) -> CaseEvent:
    return CaseEvent(
        row.event_id, row.case_id, row.sequence, row.student_id, row.at, row.who, row.action, row.before, row.after,
        row.why, json.loads(row.details),
    )  # fmt: skip


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
