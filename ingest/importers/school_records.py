"""Rows of a student information system as xAPI statements: attendance, behaviour, marks.

A row says something about a *slot*: a student's school day, an incident, a student's mark of a line item. What a slot
holds can change, and what it held before is voided then: see ingest.importers.slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from ingest.importers.roster import COLUMNS, Person, Roster, Scale
from ingest.importers.tabular import Row, RowFault
from ingest.importers.values import day_of, moment_of, needed, number_of, word_of
from schemas import extensions
from schemas.verbs import ABSENT, ATTENDED, FAILED, IRIS, PASSED, REPORTED, SCORED, SUBMITTED, WAIVED

_IRI: Final = {verb: iri for iri, verb in reversed(IRIS.items())}
_EVENT: Final = "http://activitystrea.ms/schema/1.0/event"
_REMOVED: Final = {"active": "", "": "", "tobedeleted": "yes", "inactive": "yes"}

_PRESENCE: Final = {
    **dict.fromkeys(("present", "attended", "p", "tardy", "late", "t"), ATTENDED),
    **dict.fromkeys(("absent", "a", "excused", "unexcused", "not present"), ABSENT),
}
_CATEGORIES: Final = {
    **dict.fromkeys(("suspension", "suspended", "iss", "oss", "expulsion"), extensions.SUSPENSION),
    **dict.fromkeys(("incident", "referral", "detention"), extensions.INCIDENT),
}
_PASSED: Final = {
    **dict.fromkeys(("yes", "true", "1", "passed"), PASSED),
    **dict.fromkeys(("no", "false", "0", "failed"), FAILED),
}
_NOTHING: Final = "nothing"
_STATUSES: Final = {
    **dict.fromkeys(("fully graded", "partially graded", "scored", "graded"), SCORED),
    **dict.fromkeys(("submitted", "submitted late"), SUBMITTED),
    "exempt": WAIVED,
    "not submitted": _NOTHING,
}


class Said(NamedTuple):
    """What a row says about a slot of a student: a statement without id, or None for nothing any more."""

    line: int
    slot: tuple[str, ...]
    actor: dict[str, Any]
    statement: dict[str, Any] | None


class Kind(NamedTuple):
    """A kind of file: its columns by the name in the file, those that must be there, and how a row is read."""

    name: str
    columns: Mapping[str, str]
    required: tuple[str, ...]
    read: Callable[[Row, Reading], list[Said]]


class Reading(NamedTuple):
    """What rows are read against; ``now`` in UTC."""

    roster: Roster
    zone: ZoneInfo
    now: datetime
    decimal_comma: bool = False


def _attendance(row: Row, reading: Reading) -> list[Said]:
    person = reading.roster.person(row)
    day = day_of(row, "date", reading.zone)
    slot = person.student_id, str(day), row.get("period")
    if _removed(row):
        return [Said(row.line, slot, person.actor, None)]
    presence = word_of(row, "attendance", _PRESENCE)
    reading.roster.require_school_day("date", day, person.school_id)
    moment = _past(row, "date", reading)
    word = row.get("attendance").lower()
    told = row.get("reason") or ("" if word in ("present", "p", "a", presence) else word)
    statement = _statement(person, presence, moment, "attendance", {extensions.REASON: told})
    return [Said(row.line, slot, person.actor, statement)]


def _behavior(row: Row, reading: Reading) -> list[Said]:
    person = reading.roster.person(row)
    category = word_of(row, "category", _CATEGORIES)
    number = row.get("incident_id")
    slot = (person.student_id, number) if number else (person.student_id, row.get("date"), category)
    if _removed(row):
        return [Said(row.line, slot, person.actor, None)]
    told = {extensions.BEHAVIOR: category, extensions.REASON: row.get("reason")}
    statement = _statement(person, REPORTED, _past(row, "date", reading), "behavior", told)
    return [Said(row.line, slot, person.actor, statement)]


def _marks(row: Row, reading: Reading) -> list[Said]:
    person = reading.roster.person(row)
    line_item = needed(row, "line_item")
    slot = person.student_id, line_item
    handed_in = *slot, SUBMITTED
    if _removed(row):
        return [Said(row.line, slot, person.actor, None), Said(row.line, handed_in, person.actor, None)]
    item = reading.roster.item("line_item", line_item)

    def said(what: tuple[str, ...], verb: str, column: str, result: dict[str, Any]) -> Said:
        statement = _plain(person, verb, _past(row, column, reading), {"id": item.activity_id})
        return Said(row.line, what, person.actor, statement | ({"result": result} if result else {}))

    done = {"completion": True}
    first = [said(handed_in, SUBMITTED, "submitted_on", done)] if row.get("submitted_on") else []
    status = word_of(row, "score_status", _STATUSES) if row.get("score_status") else SCORED
    score = number_of(row, "score", decimal_comma=reading.decimal_comma)
    if status == _NOTHING:
        return [*first, Said(row.line, slot, person.actor, None)]
    if status == WAIVED:
        return [*first, said(slot, WAIVED, "score_date", {})]
    if score is not None:
        verb = word_of(row, "passed", _PASSED) if row.get("passed") else SCORED
        return [*first, said(slot, verb, "score_date", {"score": _score(score, item)})]
    if status == SUBMITTED:
        return [*first, said(slot, SUBMITTED, "score_date", done)]
    raise RowFault("score", "", "it is empty", "fill it in, or say score_status: exempt, submitted, not submitted")


def _score(score: float, item: Scale) -> dict[str, float]:
    """Score of a result (xAPI 1.0.3 part 2, 2.4.5.1). More than the scale has (extra credit) is told as its end."""
    if item.high <= item.low:
        raise RowFault("score", f"{score:g}", "its line item has no scale", "import it with resultValueMin and -Max")
    if score < item.low:
        raise RowFault("score", f"{score:g}", f"it is below {item.low:g}", f"write {item.low:g} to {item.high:g}")
    raw = min(score, item.high)
    return {
        "scaled": round((raw - item.low) / (item.high - item.low), 6),
        "raw": raw,
        "min": item.low,
        "max": item.high,
    }


def _past(row: Row, column: str, reading: Reading) -> datetime:
    """The moment of a row; noon of the day that has begun is no future."""
    moment = moment_of(row, column, reading.zone)
    if moment.astimezone(reading.zone).date() > reading.now.astimezone(reading.zone).date():
        raise RowFault(column, row.get(column), "it is in the future", "correct the date")
    return moment


def _removed(row: Row) -> bool:
    return bool(row.get("status")) and bool(word_of(row, "status", _REMOVED))


def _statement(person: Person, verb: str, moment: datetime, what: str, told: Mapping[str, str]) -> dict[str, Any]:
    school = person.school_id or "district"
    activity = {"id": f"{extensions.OWN}/schools/{school}/{what}", "definition": {"type": _EVENT}}
    extended = {name: value for name, value in told.items() if value}
    statement = _plain(person, verb, moment, activity)
    return statement | ({"context": {"extensions": extended}} if extended else {})


def _plain(person: Person, verb: str, moment: datetime, activity: dict[str, Any]) -> dict[str, Any]:
    return {
        "actor": person.actor,
        "verb": {"id": _IRI[verb], "display": {"en-US": verb}},
        "object": activity,
        "timestamp": moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


_STATUS: Final = {"status": "status"}
ATTENDANCE: Final = Kind(
    "attendance",
    {**COLUMNS, **_STATUS, "date": "date", "attendance": "attendance", "period": "period", "reason": "reason"},
    ("date", "attendance"),
    _attendance,
)
BEHAVIOR: Final = Kind(
    "behavior",
    {
        **COLUMNS, **_STATUS, "date": "date", "category": "category", "incident_id": "incident_id",
        "sourcedId": "incident_id", "reason": "reason",
    },
    ("date", "category"),
    _behavior,
)  # fmt: skip
MARKS: Final = Kind(
    "marks",
    {
        **COLUMNS, **_STATUS, "line_item": "line_item", "lineItemSourcedId": "line_item", "score": "score",
        "score_date": "score_date", "score_status": "score_status", "passed": "passed",
        "submitted_on": "submitted_on",
    },
    ("line_item", "score"),
    _marks,
)  # fmt: skip
