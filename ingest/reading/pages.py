"""Pages of statements, by the keys of migration 5 (decision 18)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from ingest.reading.agents import Places
from ingest.reading.filters import Filter
from ingest.reading.references import referring
from ingest.reading.rows import COLUMNS, NARROW, Raw, Row, found_by, pointed, raw, repeated, standing, voided_at_all
from ingest.reading.windows import SPARE, Shares, Window, Windows
from ingest.xapi.matching import matches
from ingest.xapi.parse import DECODER
from ingest.xapi.terms import VOIDED

_SLACK: Final = 2
"""Rows of equal keys that a page may have before it is asked for in two parts."""
_GROWTH: Final = 16
"""By which a window may be larger than the one before it."""
_HASHES: Final = "arrayMap(one -> toUInt32(cityHash64(one)), {keys:Array(String)})"
_NOT_VOIDED: Final = (
    "(verb_iri = {voiding:String} OR (statement_id, provider_id) NOT IN"
    " (SELECT target, provider_id FROM statement_references WHERE voiding))"
)


class Asked(NamedTuple):
    """A filter as it is asked of the store. ``branches``: conditions of which one has to hold; ``parameters``: their
    values; ``shared``: what has to hold beside."""

    branches: list[str]
    shared: list[str]
    parameters: dict[str, Any]


def page(client: Client, wanted: Filter, provider_id: str, places: Places | None, shares: Shares) -> list[Row]:
    """Statements that match and are not voided, one more than the limit where there are more.

    An empty ``provider_id`` asks for any provider's; ``places`` are those of the filter's agent. ``shares`` is asked
    for the first window, and learns.
    """
    asked, kind = _asked(wanted, provider_id, places), _kind(wanted, provider_id)
    moment = partial(_moment, client, ascending=wanted.ascending)
    windows = Windows(_whole(wanted), moment, ascending=wanted.ascending)
    found: list[Row] = []
    after = wanted.after
    rows_at_once = None if _points(wanted) else shares.rows(kind, wanted.limit + 1 + _SLACK)
    while len(found) <= wanted.limit and (window := windows.next(rows_at_once)) is not None:
        hits: list[str] = []
        if wanted.looks_inside:
            hits, reached = referring(client, asked, window, _inside(wanted, places), ascending=wanted.ascending)
            if reached is not None:
                window = windows.narrow(window, reached)
        before, complete = len(found), False
        while len(found) <= wanted.limit and not complete:
            most = wanted.limit + 1 - len(found) + _SLACK
            read = partial(_read, client, asked, window, hits, after, most, ascending=wanted.ascending)
            rows = _rows(client, read)
            complete = len(rows) < most
            if not complete and (fewer := _whole_places(rows)):
                rows = fewer
            found += [
                Row(one.statement_id, one.stored, one.json)
                for one in standing(rows)
                if one.statement_id in hits or _holds(one, wanted, places)
            ]
            if rows:
                after = rows[-1].stored, rows[-1].statement_id
        if windows.rows is not None and rows_at_once is not None:
            part = 1.0 if complete else _passed(window, found[before], found[-1], ascending=wanted.ascending)
            shares.learn(kind, windows.rows * part, len(found) - before)
            # What this window told of this filter; at most _GROWTH as many.
            missing = SPARE * (wanted.limit + 1 - len(found)) / (len(found) - before + 1)
            rows_at_once = int(rows_at_once * min(max(missing, 1.0), _GROWTH))
    return found[: wanted.limit + 1]


def _kind(wanted: Filter, provider_id: str) -> Hashable:
    """What filters have in common that match about as many statements."""
    return provider_id, wanted.verb, bool(wanted.activity), bool(wanted.identity), wanted.related_activities


def _passed(window: Window, first: Row, last: Row, *, ascending: bool) -> float:
    """About which part of a window is passed when a page is full, as if its statements were evenly spread."""
    begin, end = (window.since, window.until) if ascending else (window.until, window.since)
    if begin is None:
        begin = first.stored
    assert end is not None
    return min(abs(last.stored - begin) / max(abs(end - begin), 1), 1.0)


def _moment(client: Client, window: Window, rows: int, *, ascending: bool) -> int | None:
    """When the n-th statement of a window was stored; the projection by time tells it."""
    where = " AND ".join(in_window(window)) or "1"
    order = "ASC" if ascending else "DESC"
    query = (
        f"SELECT toUnixTimestamp64Micro(stored) FROM statements WHERE {where}"  # noqa: S608
        f" ORDER BY stored {order} LIMIT 1 OFFSET {rows - 1}"
    )
    told = client.query(query, settings=pointed(client)).result_rows
    return int(told[0][0]) if told else None


def _asked(wanted: Filter, provider_id: str, places: Places | None) -> Asked:
    shared = []
    if provider_id:
        shared.append("provider_id = {provider:String}")
    own = []
    if wanted.verb:
        own.append("verb_iri = {verb:String}")
    if wanted.registration:
        own.append("registration = toUUID({registration:String})")
    if wanted.activity:
        own.append(
            "has(related, toUInt32(cityHash64({activity:String})))"
            if wanted.related_activities
            else "activity = {activity:String}"
        )
    agents = [""]
    if places is not None:
        agents = (
            [f"hasAny(related, {_HASHES})"]
            if wanted.related_agents
            else [
                "student_id IN {students:Array(UUID)} AND actor IN {keys:Array(String)}",
                "activity IN {keys:Array(String)}",
            ]
        )
    branches = [" AND ".join(part for part in (*own, agent) if part) for agent in agents]
    return Asked(
        branches,
        shared,
        {
            "provider": provider_id,
            "voiding": VOIDED,
            "verb": wanted.verb,
            "activity": wanted.activity,
            "registration": wanted.registration,
            "keys": places.keys if places else [],
            "students": places.students if places else [],
        },
    )


def _points(wanted: Filter) -> bool:
    """Whether the filter leads to few places of the table, whatever their time."""
    return bool(wanted.registration or (wanted.identity and not wanted.related_agents))


def _whole(wanted: Filter) -> Window:
    since, until = wanted.since, wanted.until
    if wanted.after is not None:
        # Statements of equal times may be left over: the moment itself is among them.
        at = wanted.after[0]
        if wanted.ascending:
            since = at - 1 if since is None else max(since, at - 1)
        else:
            until = at if until is None else min(until, at)
    return Window(since, until)


def _rows(client: Client, read: Callable[[str], list[Raw]]) -> list[Raw]:
    """Rows in order, as few columns as do: where one id stands twice, or may be voided, all columns that tell."""
    rows = read(NARROW)
    if repeated(rows) or voided_at_all(client, [row.statement_id for row in rows]):
        return read(COLUMNS)
    return rows


def _read(
    client: Client,
    asked: Asked,
    window: Window,
    hits: list[str],
    after: tuple[int, str] | None,
    most: int,
    columns: str,
    *,
    ascending: bool,
) -> list[Raw]:
    order = "ASC" if ascending else "DESC"
    parameters = {**asked.parameters, "most": most}
    shared = [*asked.shared, *in_window(window)]
    if columns == COLUMNS:
        shared.append(_NOT_VOIDED)
    if after is not None:
        sign = ">" if ascending else "<"
        shared.append(f"(toUnixTimestamp64Micro(stored), statement_id) {sign} ({{at:Int64}}, toUUID({{id:String}}))")
        parameters["at"], parameters["id"] = after
    branches = list(asked.branches)
    if hits:
        branches.append(found_by(hits))
    # Put together from the constants above: what was asked for is in the parameters.
    queries = [
        " ".join(
            (
                f"SELECT {columns} FROM statements WHERE",  # noqa: S608
                " AND ".join(part for part in (branch, *shared) if part) or "1",
                f"ORDER BY stored {order}, statement_id {order} LIMIT {{most:UInt32}}",
            )
        )
        for branch in branches
    ]
    query = queries[0]
    if len(queries) > 1:
        union = " UNION ALL ".join(f"SELECT * FROM ({one})" for one in queries)  # noqa: S608
        ordered = f"ORDER BY at {order}, statement_id {order} LIMIT {{most:UInt32}}"
        query = f"SELECT * FROM ({union}) {ordered}"  # noqa: S608
    return [raw(row) for row in client.query(query, parameters=parameters, settings=pointed(client)).result_rows]


def in_window(window: Window) -> list[str]:
    """Conditions on ``stored``."""
    found = []
    if window.since is not None:
        found.append(f"stored > fromUnixTimestamp64Micro({window.since}, 'UTC')")
    if window.until is not None:
        found.append(f"stored <= fromUnixTimestamp64Micro({window.until}, 'UTC')")
    return found


def _whole_places(rows: list[Raw]) -> list[Raw]:
    """Rows but those of the last place, of which more may follow; empty where all are of one place."""
    last = rows[-1].stored, rows[-1].statement_id
    return [row for row in rows if (row.stored, row.statement_id) != last]


def _inside(wanted: Filter, places: Places | None) -> Any:
    """What tells of a decoded statement whether it matches by itself."""
    keys = frozenset(places.keys) if places else frozenset()
    is_agent = keys.__contains__ if places is not None else None
    return lambda statement: matches(statement, wanted.matching, is_agent)


def _holds(row: Raw, wanted: Filter, places: Places | None) -> bool:
    """Hashes choose candidates; whether they are what was asked for is told by the statement."""
    if not (wanted.related_agents or wanted.related_activities):
        return True
    return bool(_inside(wanted, places)(DECODER.decode(row.json)))
