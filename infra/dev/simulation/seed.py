"""The sample district's rows in the registry. What is there already stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, insert, select

from infra.dev.simulation.content import PROVIDERS, alignments
from infra.dev.simulation.district import District
from infra.dev.simulation.expected import line_items, work_alignments
from infra.dev.simulation.school_calendar import days_between
from infra.dev.simulation.skills import SKILLS
from schemas.registry import insight, tables

_WORK_AHEAD: Final = timedelta(days=60)


def seed(engine: Engine, district: District, *, until: date, today: date, now: int) -> int:
    """Write the district, its catalogue and its calendar until a day; returns the number of new rows.

    What is expected of classes is written for the sixty days after ``today`` at most. The providers themselves have to
    be there: verbs and alignments hang on them. ``now`` in µs since the epoch.
    """
    stamps = {"created_at": now, "updated_at": now}
    with engine.begin() as connection:
        return sum(
            add_missing(connection, table, rows)
            for table, rows in (
                (tables.schools, [school._asdict() for school in district.schools]),
                (tables.sections, [section._asdict() for section in district.sections]),
                (
                    tables.students,
                    [
                        {
                            "student_id": student.student_id,
                            "given_name": student.given_name,
                            "family_name": student.family_name,
                            "grade": student.grade,
                            "school_id": student.school_id,
                            "linked": True,
                            **stamps,
                        }
                        for student in district.students
                    ],
                ),
                (
                    tables.enrollments,
                    [
                        {"section_id": section_id, "student_id": student.student_id}
                        for student in district.students
                        for section_id in student.sections.values()
                    ],
                ),
                (tables.identities, [{**identity._asdict(), "created_at": now} for identity in district.identities]),
                (
                    tables.staff,
                    [
                        {name: getattr(m, name) for name in ("staff_id", "name", "email", "role")}
                        for m in district.staff
                    ],
                ),
                (
                    tables.staff_scopes,
                    [
                        {"staff_id": member.staff_id, "kind": kind, "value": value}
                        for member in district.staff
                        for kind, value in member.scopes
                    ],
                ),
                *_catalogue(),
                *_expected(district, min(until, today + _WORK_AHEAD), now),
                (
                    tables.calendar,
                    [{"school_id": "", **day._asdict()} for day in days_between(district.start, until)],
                ),
            )
        )


def _expected(district: District, until: date, now: int) -> Iterable[tuple[Table, list[dict[str, Any]]]]:
    items = list(line_items(district, until))
    yield (
        insight.line_items,
        [{name: value for name, value in i._asdict().items() if name != "skill"} | {"updated_at": now} for i in items],
    )
    yield tables.alignments, [alignment._asdict() for alignment in work_alignments(items)]


def _catalogue() -> Iterable[tuple[Table, list[dict[str, Any]]]]:
    yield (
        tables.skills,
        [
            {"skill_id": s.code, "name": s.name, "domain": s.domain, "subject": s.subject, "grade": s.grade}
            for s in SKILLS
        ],
    )
    yield (
        tables.prerequisites,
        [{"skill_id": s.code, "requires_id": required} for s in SKILLS for required in s.requires],
    )
    yield tables.alignments, [alignment._asdict() for alignment in alignments()]
    yield (
        tables.provider_verbs,
        [
            {"provider_id": provider.provider_id, "verb_iri": iri, "verb": verb}
            for provider in PROVIDERS
            for iri, verb in provider.verbs.items()
        ],
    )


def add_missing(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> int:
    """Insert the rows whose primary key the table does not hold; returns how many."""
    key = list(table.primary_key.columns)
    held = {tuple(row) for row in connection.execute(select(*key))}
    missing = [row for row in rows if tuple(row[column.name] for column in key) not in held]
    if missing:
        connection.execute(insert(table), missing)
    return len(missing)
