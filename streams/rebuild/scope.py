"""Whose rows: all students, those of a school, or one; in ranges that bound what is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import Template
from uuid import UUID

from streams.kept import Reader, listed
from streams.rebuild.judging import REBUILT
from streams.rebuild.reading import rows_of

MOST_STUDENTS = 500
MOST_STATEMENTS = 20_000
"""Of a range; a student with more is a range of its own."""
BEFORE_ALL = str(UUID(int=0))


class NobodyError(ValueError):
    """There is no such student or school, or nobody at all."""


@dataclass(frozen=True)
class Scope:
    """Nothing set: all students. ``students`` are a few hundred at most."""

    school: str = ""
    student: str = ""
    students: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.student:
            return f"student {self.student}"
        return f"school {self.school}" if self.school else "all"

    @property
    def everyone(self) -> bool:
        """Whether it is all students."""
        return not (self.school or self.student or self.students)


@dataclass(frozen=True)
class Part:
    """Students that come next to each other, with the number of their statements."""

    students: tuple[str, ...]
    statements: int

    @property
    def until(self) -> str:
        """The last of them."""
        return self.students[-1]


_OF_SCHOOL = "student_id IN (SELECT student_id FROM roster FINAL WHERE school_id = '$school')"
_ENROLLED = "SELECT 1 FROM roster WHERE $condition LIMIT 1"
_SIZE = "SELECT uniqCombined64(student_id) FROM ($students)"
_STUDENTS = "SELECT student_id FROM $table WHERE $condition"
_NEXT = (
    "SELECT student_id, sum(n) FROM ($branches) GROUP BY student_id ORDER BY student_id LIMIT $most"
    " SETTINGS optimize_aggregation_in_order = 1"
)
_BRANCH = (
    "(SELECT student_id, $counted AS n FROM $table WHERE student_id > '$after' AND $condition"
    " GROUP BY student_id ORDER BY student_id LIMIT $most)"
)


def _condition(scope: Scope) -> str:
    if scope.student:
        return f"student_id = '{UUID(scope.student)}'"
    if scope.students:
        return f"student_id IN ({listed(scope.students)})"
    if scope.school:
        school = scope.school.replace("\\", "\\\\").replace("'", "\\'")
        return Template(_OF_SCHOOL).substitute(school=school)
    return "1"


_TABLES = ("statements", "credits", *(columns.table for columns in REBUILT))


def size(read: Reader, scope: Scope) -> int:
    """About how many students there are; raises NobodyError when there is none."""
    condition = _condition(scope)
    if scope.school and not any(rows_of(read, _ENROLLED, condition=condition)):
        raise NobodyError(f"no student of school {scope.school!r} is in the roster")
    told = [Template(_STUDENTS).substitute(table=table, condition=condition) for table in _TABLES]
    [(students,)] = rows_of(read, _SIZE, students=" UNION ALL ".join(told))
    if not students:
        raise NobodyError("nothing is stored" if scope.everyone else f"nothing is stored of {scope}")
    return int(students)


def parts(read: Reader, scope: Scope, after: str = BEFORE_ALL) -> Iterator[Part]:
    """Ranges of students beyond ``after``, in the order of ClickHouse, as long as there are any."""
    while True:
        branches = [
            Template(_BRANCH).substitute(
                counted="count()" if table == "statements" else "0",
                table=table,
                after=after,
                condition=_condition(scope),
                most=MOST_STUDENTS,
            )
            for table in _TABLES
        ]
        found = list(rows_of(read, _NEXT, branches=" UNION ALL ".join(branches), most=MOST_STUDENTS))
        if not found:
            return
        waiting: list[str] = []
        statements = 0
        for student, count in found:
            if waiting and statements + count > MOST_STATEMENTS:
                yield Part(tuple(waiting), statements)
                waiting, statements = [], 0
            waiting.append(student)
            statements += count
        yield Part(tuple(waiting), statements)
        after = found[-1][0]
