"""Statements that match because of what they refer to (Communication 2.1.3: StatementRefs, recursive)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from clickhouse_connect.driver.client import Client

from ingest.reading.rows import COLUMNS, found_by, pointed, raw, standing
from ingest.reading.windows import Window
from ingest.xapi.parse import DECODER

AT_ONCE: Final = 300
"""Referring statements that are followed at once."""
_DEPTH: Final = 64
"""References in a row that are followed."""


class Scoped(Protocol):
    """What has to hold of each statement beside the filter."""

    @property
    def shared(self) -> list[str]:
        """Conditions."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Their values."""


def referring(
    client: Client, asked: Scoped, window: Window, inside: Callable[[dict[str, Any]], bool], *, ascending: bool
) -> tuple[list[str], int | None]:
    """Ids of statements of the window that refer, however far, to one that matches by itself, voided or not.

    Where there are more than AT_ONCE, the second is the moment (µs) up to which these are all, in the page's order.
    """
    found = _references(client, asked, window, AT_ONCE + 1, ascending=ascending)
    reached = None
    if len(found) > AT_ONCE:
        reached = found[-2][2]
        beyond = found[-1][2]
        if reached == beyond:
            # More at one moment than are followed at once: all of that moment.
            found = [one for one in found if one[2] != reached]
            found += _references(client, asked, Window(reached - 1, reached), 1 << 30, ascending=ascending)
        else:
            found = found[:-1]
    targets = {statement_id: target for statement_id, target, _ in found}
    return _matching(client, asked, targets, inside), reached


def _references(
    client: Client, asked: Scoped, window: Window, most: int, *, ascending: bool
) -> list[tuple[str, str, int]]:
    conditions = [*asked.shared]
    if window.since is not None:
        conditions.append(f"stored > fromUnixTimestamp64Micro({window.since}, 'UTC')")
    if window.until is not None:
        conditions.append(f"stored <= fromUnixTimestamp64Micro({window.until}, 'UTC')")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "ASC" if ascending else "DESC"
    query = (
        f"SELECT DISTINCT statement_id, target, toUnixTimestamp64Micro(stored) FROM statement_references {where}"  # noqa: S608
        f" ORDER BY stored {order}, statement_id {order} LIMIT {most}"
    )
    rows = client.query(query, parameters=asked.parameters).result_rows
    return [(str(statement_id), str(target), int(stored)) for statement_id, target, stored in rows]


def _matching(
    client: Client, asked: Scoped, targets: dict[str, str], inside: Callable[[dict[str, Any]], bool]
) -> list[str]:
    """Those of ``targets`` (statement to what it refers to) from which a statement that matches can be reached."""
    waiting = dict(targets)
    judged: dict[str, bool] = {}
    leads: dict[str, str] = {}
    for _ in range(_DEPTH):
        unknown = sorted({target for target in waiting.values() if target not in judged})
        for statement_id, statement in _statements(client, asked, unknown):
            judged[statement_id] = inside(statement)
            target = statement["object"]
            if isinstance(target, dict) and target.get("objectType") == "StatementRef":
                leads[statement_id] = target["id"].lower()
        for missing in unknown:
            judged.setdefault(missing, False)
        waiting = {
            origin: leads[target] for origin, target in waiting.items() if not judged[target] and target in leads
        }
        if not waiting or all(target in judged for target in waiting.values()):
            break
    return [origin for origin, target in targets.items() if _reaches(target, judged, leads)]


def _reaches(target: str, judged: dict[str, bool], leads: dict[str, str]) -> bool:
    seen: set[str] = set()
    current: str | None = target
    while current is not None and current not in seen:
        if judged.get(current):
            return True
        seen.add(current)
        current = leads.get(current)
    return False


def _statements(client: Client, asked: Scoped, ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for start in range(0, len(ids), AT_ONCE):
        where = " AND ".join((found_by(ids[start : start + AT_ONCE]), *asked.shared))
        query = f"SELECT {COLUMNS} FROM statements WHERE {where}"  # noqa: S608
        rows = client.query(query, parameters=asked.parameters, settings=pointed(client)).result_rows
        found += [(one.statement_id, DECODER.decode(one.json)) for one in standing(map(raw, rows))]
    return found
