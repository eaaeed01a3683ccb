"""The questions that pages ask, one .sql file each.

A file is plain SQL for ClickHouse with server-side parameters, ``{name:Type}``, under a header of comments: the
question in words, ``scope:`` (who may ask, see Scope), for tables of groups ``suppress:``, and for what is costly
``good for:``, the seconds for which an answer may be given again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from dashboards.access import Area

_FOLDER: Final = Path(__file__).parent
SCOPE_OF_STUDENTS: Final = "scope_students"


class Scope(StrEnum):
    """Who may ask a question, and what narrows its answer."""

    EVERYONE = "everyone"  # anyone signed in: freshness
    STUDENTS = "students"  # rows of the students in the viewer's scopes: reads the table "allowed"
    STUDENT = "student"  # one student, {student:UUID}, after a decision on that student
    AGGREGATES = "aggregates"  # counts over groups
    PROVIDERS = "providers"  # narrowed by scope_all_providers and scope_providers
    OPERATIONS = "operations"  # how the platform runs

    @property
    def area(self) -> Area | None:
        """The area of facts that a viewer's role must be open to."""
        if self is Scope.EVERYONE:
            return None
        return Area.STUDENTS if self is Scope.STUDENT else Area(self.value)


@dataclass(frozen=True)
class Suppression:
    """Columns of a table of groups: the group, its size, and the counts to be made cells of."""

    group: str
    size: str
    counts: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """One file."""

    name: str
    question: str
    scope: Scope
    sql: str
    suppress: Suppression | None = None
    good_for_s: float = 0.0

    @property
    def parameters(self) -> frozenset[str]:
        """Names of its server-side parameters."""
        return frozenset(re.findall(r"\{(\w+):", self.sql))


@cache
def load() -> dict[str, Query]:
    """All questions by name. Raises ValueError for a file that does not keep the rules of its scope."""
    narrowing = (_FOLDER / f"{SCOPE_OF_STUDENTS}.sql").read_text()
    found = [
        _parse(path.stem, path.read_text(), narrowing)
        for path in sorted(_FOLDER.glob("*.sql"))
        if path.stem != SCOPE_OF_STUDENTS
    ]
    return {query.name: query for query in found}


def _parse(name: str, text: str, narrowing: str) -> Query:
    header = [line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")]
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
    fields = dict(line.split(": ", 1) for line in header[1:])
    scope = Scope(fields["scope"])
    if scope is Scope.STUDENTS:
        if not re.search(r"\ballowed\b", body):
            raise ValueError(f"{name}.sql has scope students and does not read the table allowed")
        narrowed = "\n".join(line for line in narrowing.splitlines() if not line.startswith("--"))
        with_rest = re.sub(r"^WITH\s+", ", ", body) if body.startswith("WITH") else body
        body = f"WITH allowed AS (\n{narrowed}\n)\n{with_rest}"
    elif scope is Scope.STUDENT and "{student:UUID}" not in body:
        raise ValueError(f"{name}.sql has scope student and no parameter student")
    elif scope is Scope.PROVIDERS and "{scope_providers:" not in body:
        raise ValueError(f"{name}.sql has scope providers and is not narrowed by scope_providers")
    suppress = None
    if "suppress" in fields:
        parts = dict(part.split("=", 1) for part in fields["suppress"].split())
        suppress = Suppression(parts["group"], parts["size"], tuple(parts["counts"].split(",")))
    return Query(name, header[0], scope, body, suppress, float(fields.get("good for", 0)))
