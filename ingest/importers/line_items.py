"""Expected work and marks from a CSV file into the registry: what nobody's statement tells (OneRoster 1.2, lineItems).

No statement tells that something did not happen: only who knows what was expected can miss it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, select, update

from ingest.importers.tabular import Fault, Row, RowFault, Sheet
from ingest.importers.values import day_of, needed, number_of, word_of
from schemas.extensions import OWN
from schemas.registry import insight, tables

COLUMNS: Final = {
    "sourcedId": "line_item", "line_item": "line_item", "status": "status", "title": "title",
    "classSourcedId": "section", "section_id": "section", "assignDate": "assigned_on", "assigned_on": "assigned_on",
    "dueDate": "due_on", "due_on": "due_on", "gradingPeriodSourcedId": "term", "term": "term",
    "categorySourcedId": "category", "resultValueMin": "low", "resultValueMax": "high", "kind": "kind",
    "activity_id": "activity_id", "credits": "credits",
}  # fmt: skip
"""Columns of OneRoster's lineItems.csv, and what it has not: kind, activity_id and credits."""
REQUIRED: Final = ("line_item", "section", "title")
_KINDS: Final = {"work": "work", "mark": "mark"}
_STATUSES: Final = {"active": "", "tobedeleted": "yes", "inactive": "yes"}
_LONGEST_ID: Final = 128
_LONGEST_ACTIVITY: Final = 512


class Counts(NamedTuple):
    """What became of the rows."""

    rows: int = 0
    faulty: int = 0
    new: int = 0
    changed: int = 0
    removed: int = 0

    @property
    def unchanged(self) -> int:
        """Rows that were there, word by word."""
        return self.rows - self.faulty - self.new - self.changed - self.removed


class LineItems:
    """One run over one file. ``marks``: categories whose items are marks; ``fault`` is told each fault."""

    def __init__(
        self, connection: Connection, zone: ZoneInfo, *, marks: Collection[str], fault: Callable[[Fault], None]
    ) -> None:
        own = insight.line_items
        self._connection = connection
        self._zone = zone
        self._marks = frozenset(marks)
        self._fault = fault
        self._held: dict[str, Mapping[str, Any]] = {
            row["line_item_id"]: dict(row) for row in connection.execute(select(own)).mappings()
        }
        self._activities = {row["activity_id"]: one for one, row in self._held.items()}
        self._sections = set(connection.execute(select(tables.sections.c.section_id)).scalars())
        self._seen: dict[str, int] = {}

    def run(self, sheet: Sheet) -> Counts:
        """Write the good rows; what is the same already stays as it is, its time of change too."""
        counts = Counts()
        for row in sheet.rows():
            counts = counts._replace(rows=counts.rows + 1)
            if isinstance(row, Fault):
                counts = counts._replace(faulty=counts.faulty + 1)
                self._fault(row)
                continue
            try:
                what = self._row(row, decimal_comma=sheet.separator == ";")
            except RowFault as fault:
                counts = counts._replace(faulty=counts.faulty + 1)
                self._fault(fault.at(row.line))
                continue
            if what:
                counts = counts._replace(**{what: getattr(counts, what) + 1})
        return counts

    def _row(self, row: Row, *, decimal_comma: bool) -> str:
        own = insight.line_items
        line_item = needed(row, "line_item")
        if len(line_item) > _LONGEST_ID:
            raise RowFault("sourcedId", line_item, f"it is longer than {_LONGEST_ID} characters", "shorten it")
        if (line := self._seen.setdefault(line_item, row.line)) != row.line:
            raise RowFault("sourcedId", line_item, f"it stands in line {line} already", "leave one of them")
        held = self._held.get(line_item)
        if row.get("status") and word_of(row, "status", _STATUSES):
            if held is None:
                return ""
            self._connection.execute(delete(own).where(own.c.line_item_id == line_item))
            del self._activities[held["activity_id"]]
            return "removed"
        values = self._values(row, line_item, decimal_comma=decimal_comma)
        if held is not None and all(held[name] == value for name, value in values.items()):
            return ""
        values["updated_at"] = time.time_ns() // 1000
        if held is None:
            self._connection.execute(insert(own).values(line_item_id=line_item, **values))
        else:
            self._connection.execute(update(own).where(own.c.line_item_id == line_item).values(**values))
            self._activities.pop(held["activity_id"], None)
        self._activities[values["activity_id"]] = line_item
        return "new" if held is None else "changed"

    def _values(self, row: Row, line_item: str, *, decimal_comma: bool) -> dict[str, Any]:
        section = needed(row, "section")
        if section not in self._sections:
            raise RowFault(
                "classSourcedId", section, "there is no such section", "add the section first, or correct it"
            )
        kind = word_of(row, "kind", _KINDS) if row.get("kind") else "work"
        if row.get("category") in self._marks:
            kind = "mark"
        activity = row.get("activity_id") or f"{OWN}/line-items/{quote(line_item, safe='')}"
        if ":" not in activity or " " in activity or len(activity) > _LONGEST_ACTIVITY:
            raise RowFault(
                "activity_id", activity, "it is no IRI of at most 512 characters", "write it as the provider"
            )
        if self._activities.get(activity, line_item) != line_item:
            problem = f"line item {self._activities[activity]} has this activity"
            raise RowFault("activity_id", activity, problem, "statements about it must tell one line item")
        assigned, due = (day_of(row, name, self._zone) if row.get(name) else None for name in ("assigned_on", "due_on"))
        if assigned and due and due < assigned:
            raise RowFault("dueDate", row.get("due_on"), f"it is due before it is given ({assigned})", "correct one")
        if due is None and kind == "mark":
            raise RowFault("dueDate", "", "a mark needs the end of its term", "fill it in")
        low, high, earned = (number_of(row, name, decimal_comma=decimal_comma) for name in ("low", "high", "credits"))
        if high is not None and high <= (low or 0.0):
            raise RowFault("resultValueMax", row.get("high"), "it is not above the lowest score", "correct the scale")
        return {
            "section_id": section,
            "title": needed(row, "title"),
            "kind": kind,
            "activity_id": activity,
            "assigned_on": assigned,
            "due_on": due,
            "term": row.get("term"),
            "credits": earned,
            "result_min": low,
            "result_max": high,
        }
