"""Who the students of a report on the district's own records are: where they go to school, and labels by CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Engine, select

from schemas.registry.tables import identities, schools, students
from streams.evaluating.asking import DataFaultError, require_columns

NOWHERE: Final = "no school"
NO_GRADE: Final = "no grade"
_YES: Final = frozenset({"1", "yes", "true"})
_NO: Final = frozenset({"0", "no", "false"})


class Roster(NamedTuple):
    """Name of the school and grade of each student on the roster, by id."""

    school: Mapping[str, str]
    grade: Mapping[str, str]

    def groups(self) -> dict[str, Mapping[str, str]]:
        """By what a report is split."""
        return {"School": self.school, "Grade": self.grade}


class Labels(NamedTuple):
    """Outcomes by CSV: the day it happened, by student; and how many rows name nobody of the roster."""

    happened: Mapping[str, date]
    unknown: int


def read_roster(engine: Engine) -> Roster:
    """The linked students of the registry."""
    with engine.connect() as connection:
        names = {row.school_id: row.name for row in connection.execute(select(schools))}
        asked = select(students.c.student_id, students.c.school_id, students.c.grade).where(students.c.linked)
        rows = list(connection.execute(asked))
    return Roster(
        {row.student_id: names.get(row.school_id, NOWHERE) for row in rows},
        {row.student_id: NO_GRADE if row.grade is None else f"grade {row.grade}" for row in rows},
    )


def read_labels(path: Path, engine: Engine, roster: Roster) -> Labels:
    """Read a CSV with the columns student, outcome (1 or 0) and date (of an outcome, as 2026-11-20).

    A student is named by their id here, or by an identifier of theirs: an mbox, or the name of an account. Students of
    the roster that the file does not name count as without the outcome.

    Raises:
        DataFaultError: the file, a column or a value is not as it must be; the message names the row.
    """
    if not path.is_file():
        raise DataFaultError(f"there is no file {path}")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        require_columns(path, reader.fieldnames or (), ("student", "outcome", "date"))
        rows = [(number, row) for number, row in enumerate(reader, 2)]
    known = _identifiers(engine)
    happened: dict[str, date] = {}
    unknown = 0
    for number, row in rows:
        where = f"{path.name}, row {number}"
        said = (row["student"] or "").strip()
        student = _uuid(said) or known.get(said.removeprefix("mailto:"), "")
        outcome = (row["outcome"] or "").strip().lower()
        if outcome not in _YES | _NO:
            raise DataFaultError(f"{where}: outcome {outcome!r} is neither 1 nor 0")
        if student not in roster.school:
            unknown += 1
        elif outcome in _YES:
            try:
                happened[student] = date.fromisoformat((row["date"] or "").strip())
            except ValueError:
                raise DataFaultError(f"{where}: {row['date']!r} is no date such as 2026-11-20") from None
    if rows and unknown == len(rows):
        raise DataFaultError(f"{path.name}: none of its {len(rows):,} students is on the roster")
    return Labels(happened, unknown)


def _uuid(said: str) -> str:
    try:
        return str(UUID(said))
    except ValueError:
        return ""


def _identifiers(engine: Engine) -> dict[str, str]:
    """Student by mbox or account name; one that two students have names nobody."""
    found: dict[str, str] = {}
    asked = select(identities.c.kind, identities.c.value, identities.c.student_id).where(
        identities.c.student_id.is_not(None), identities.c.kind.in_(("mbox", "account"))
    )
    with engine.connect() as connection:
        for row in connection.execute(asked):
            name = row.value.rpartition(" ")[2].removeprefix("mailto:")
            found[name] = "" if found.get(name, row.student_id) != row.student_id else row.student_id
    return found
