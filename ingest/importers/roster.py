"""Whom a row of a student information system is about: a student of the roster, and the agent that says so."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, select

from ingest.importers.tabular import Row, RowFault
from schemas.registry import insight, tables

COLUMNS: Final = {
    "student_id": "student_id",
    "account": "account",
    "mbox": "mbox",
    "email": "mbox",
    "student": "student",
    "studentSourcedId": "student",
    "userSourcedId": "student",
}
"""Columns that may name the student, any one of them."""
_LINK: Final = "add the identifier to the roster, or link it: roundtrip admin identity link"


class Person(NamedTuple):
    """A student: the id, the agent (xAPI 1.0.3 part 2, 2.4.2) and the school."""

    student_id: str
    actor: dict[str, Any]
    school_id: str


class Scale(NamedTuple):
    """A line item as its results need it: activity, kind, and the ends of its scale."""

    activity_id: str
    kind: str
    low: float
    high: float


class Roster:
    """The registry as it stood when it was read; ``home_page`` makes an account of a student's number."""

    def __init__(self, engine: Engine, home_page: str = "") -> None:
        ids, students, days, items = tables.identities.c, tables.students.c, tables.calendar.c, insight.line_items.c
        self._home_page = home_page
        with engine.connect() as connection:
            self._schools = {
                one: school or ""
                for one, school in connection.execute(
                    select(students.student_id, students.school_id).where(students.linked)
                )
            }
            # The oldest first: an identifier that is added later changes no statement about the student.
            known = connection.execute(
                select(ids.kind, ids.value, ids.student_id)
                .where(ids.student_id.is_not(None))
                .order_by(ids.created_at, ids.kind, ids.value)
            ).all()
            self._calendar = {
                (school, day): held
                for school, day, held in connection.execute(select(days.school_id, days.day, days.in_session))
            }
            self._items = {
                one: Scale(activity, kind, 0.0 if low is None else low, 100.0 if high is None else high)
                for one, activity, kind, low, high in connection.execute(
                    select(items.line_item_id, items.activity_id, items.kind, items.result_min, items.result_max)
                )
            }
        self._by_identifier = {(kind, value): student for kind, value, student in known if student in self._schools}
        self._first: dict[str, tuple[str, str]] = {}
        for kind, value, student in known:
            if kind != "anonymous_group":
                self._first.setdefault(str(student), (kind, value))

    def person(self, row: Row) -> Person:
        """The student of a row; raises RowFault."""
        if student := row.get("student_id"):
            return self._of_id("student_id", student.lower())
        if value := row.get("account"):
            home_page, separator, name = value.rpartition("|")
            if not separator:
                raise RowFault("account", value, "it is no account", "write it as homePage|name")
            return self._known("account", value, ("account", f"{home_page} {name}"))
        if value := row.get("mbox"):
            return self._by_address(value)
        value = row.get("student")
        if not value:
            raise RowFault("student_id", "", "no student is named", "fill in student_id, account, mbox or student")
        if value.lower() in self._schools:
            return self._of_id("student", value.lower())
        if not self._home_page:
            raise RowFault("student", value, "it is no student id of the roster", "say whose number it is: --home-page")
        return self._known("student", value, ("account", f"{self._home_page} {value}"))

    def _by_address(self, value: str) -> Person:
        address = value if value.startswith("mailto:") else f"mailto:{value}"
        hashed = hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
        for key in (("mbox", address), ("mbox", address.lower()), ("mbox_sha1sum", hashed)):
            if key in self._by_identifier:
                return self._known("mbox", value, key)
        raise RowFault("mbox", value, "nobody of the roster has this address", _LINK)

    def _known(self, column: str, value: str, key: tuple[str, str]) -> Person:
        student = self._by_identifier.get(key)
        if student is None:
            raise RowFault(column, value, "nobody of the roster has this identifier", _LINK)
        return Person(student, _agent(*key), self._schools[student])

    def _of_id(self, column: str, student: str) -> Person:
        if student not in self._schools:
            raise RowFault(column, student, "nobody of the roster has this id", "correct it, or add the student first")
        if student not in self._first:
            raise RowFault(column, student, "the student has no identifier that a statement could name", _LINK)
        return Person(student, _agent(*self._first[student]), self._schools[student])

    def require_school_day(self, column: str, day: date, school_id: str) -> None:
        """Raise RowFault for a day on which the school is not held; a district without a calendar has all days."""
        held = self._calendar.get((school_id, day), self._calendar.get(("", day), False))
        if self._calendar and not held:
            raise RowFault(column, str(day), "it is no school day", "correct the date, or the calendar of the registry")

    def item(self, column: str, line_item_id: str) -> Scale:
        """A line item; raises RowFault for one that nobody imported."""
        found = self._items.get(line_item_id)
        if found is None:
            raise RowFault(
                column, line_item_id, "there is no such line item", "import it first: roundtrip import line-items"
            )
        return found


def _agent(kind: str, value: str) -> dict[str, Any]:
    if kind == "account":
        home_page, _, name = value.partition(" ")
        return {"objectType": "Agent", "account": {"homePage": home_page, "name": name}}
    return {"objectType": "Agent", kind: value}
