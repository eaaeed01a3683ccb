"""Rows of statements as they are read without FINAL, and statements by their ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from clickhouse_connect.driver.client import Client

from ingest.xapi.terms import VOIDED

NARROW: Final = "statement_id, toUnixTimestamp64Micro(stored) AS at, removed, json"
"""What is read of rows that lie scattered: each further column costs as much as these do."""
COLUMNS: Final = f"{NARROW}, student_id, timestamp, precedence"
"""What tells which of several rows of one id stands."""

# Keys are constants: of an array that is worked out in the query, the projection makes no use.
_VOIDING: Final = "FROM statement_references WHERE target IN ({ids}) AND voiding"
_PLAIN: Final = "SELECT statement_id, provider_id, removed, json FROM statements WHERE {found}"
_NAMED: Final = "SELECT target, provider_id, toUInt8(0), '' " + _VOIDING
_WHOLE: Final = (
    f"SELECT {COLUMNS}, provider_id, verb_iri = {{voiding}},"  # noqa: S608
    f" (statement_id, provider_id) IN (SELECT target, provider_id {_VOIDING})"
    f" FROM statements WHERE {{found}}"
)
_POINTED: Final = {"max_threads": 1, "min_table_rows_to_use_projection_index": 0}


class Row(NamedTuple):
    """One statement of a page; ``stored`` in µs."""

    statement_id: str
    stored: int
    json: bytes


class Raw(NamedTuple):
    """A row as it stands. Of equal keys that of the highest precedence counts, and not even that where it is removed:
    a copy that was taken out. Of NARROW the key is the id alone."""

    statement_id: str
    stored: int
    key: tuple[object, ...]
    precedence: int
    removed: bool
    json: bytes


def raw(row: Sequence[Any]) -> Raw:
    """A row of NARROW or COLUMNS."""
    statement_id, stored, removed, json = row[:4]
    student_id, timestamp, precedence = row[4:7] or (None, None, 0)
    key = (student_id, timestamp, statement_id)
    return Raw(str(statement_id), stored, key, precedence, bool(removed), as_bytes(json))


def repeated(rows: Sequence[Raw]) -> bool:
    """Whether an id stands in more than one of them."""
    return len({row.statement_id for row in rows}) < len(rows)


def standing(rows: Iterable[Raw]) -> list[Raw]:
    """What FINAL would leave of them, in the order of their first rows."""
    found: dict[tuple[object, ...], Raw] = {}
    for row in rows:
        known = found.get(row.key)
        if known is None or row.precedence > known.precedence:
            found[row.key] = row
    return [row for row in found.values() if not row.removed]


class AskedId(NamedTuple):
    """A statement as it is asked for: one that must be voided or must not be (Data 2.3.2).

    An empty ``provider_id`` asks for any provider's.
    """

    statement_id: str
    provider_id: str
    voided: bool


def pointed(client: Client) -> dict[str, int]:
    """Settings of reads that find few rows by a key, as far as this server knows them.

    A second thread costs more than it reads; and by itself a server looks into projections of large tables alone.
    """
    return {name: value for name, value in _POINTED.items() if name in client.server_settings}


def found_by(ids: Iterable[str]) -> str:
    """Condition by which statements are found; ids are written as they are, so they must be UUIDs."""
    listed = sorted(ids)
    return f"{_keyed(listed)} AND statement_id IN ({quoted(listed)})"


def quoted(ids: Iterable[str]) -> str:
    """UUIDs as they stand in a query; raises ValueError for what is none."""
    return ",".join(f"'{UUID(one)}'" for one in ids)


def voided_at_all(client: Client, ids: Iterable[str]) -> bool:
    """Whether a statement that voids names one of them; it may be another provider's, and void nothing."""
    listed = quoted(ids)
    if not listed:
        return False
    query = f"SELECT 1 {_VOIDING.format(ids=listed)} LIMIT 1"
    return bool(client.query(query, settings=pointed(client)).result_rows)


def by_ids(client: Client, asked: Collection[AskedId]) -> dict[AskedId, bytes]:
    """JSON of those statements that there are.

    One query tells of an id that stands once and that no voiding statement names; what the others need is read of
    them alone.
    """
    wanted = {one: one.statement_id.lower() for one in asked}
    ids = sorted(set(wanted.values()))
    rows: dict[str, list[tuple[str, bool, bytes]]] = {one: [] for one in ids}
    query = f"{_PLAIN.format(found=_keyed(ids))} UNION ALL {_NAMED.format(ids=quoted(ids))}"
    for statement_id, provider_id, removed, json in client.query(query, settings=pointed(client)).result_rows:
        # Another one may have the same key.
        if (held := rows.get(str(statement_id))) is not None:
            held.append((provider_id, bool(removed), as_bytes(json)))
    found, unsure = {}, []
    for one, statement_id in wanted.items():
        if len(rows[statement_id]) > 1:
            unsure.append(one)
            continue
        for provider_id, removed, json in rows[statement_id]:
            if json and not removed and not one.voided and one.provider_id in ("", provider_id):
                found[one] = json
    return found | _with_care(client, unsure) if unsure else found


def _with_care(client: Client, asked: Collection[AskedId]) -> dict[AskedId, bytes]:
    """The same of ids that stand in several rows, or may be voided."""
    ids = sorted({one.statement_id.lower() for one in asked})
    query = _WHOLE.format(ids=quoted(ids), found=found_by(ids), voiding="{voiding:String}")
    rows = client.query(query, parameters={"voiding": VOIDED}, settings=pointed(client)).result_rows
    held: dict[str, list[tuple[Raw, str, bool]]] = {}
    for row in rows:
        one = raw(row)
        held.setdefault(one.statement_id, []).append((one, str(row[7]), bool(row[9]) and not row[8]))
    found = {}
    for wanted in asked:
        mine = [
            (one, voided)
            for one, provider_id, voided in held.get(wanted.statement_id.lower(), ())
            if wanted.provider_id in ("", provider_id)
        ]
        stand = standing(one for one, _ in mine)
        # Of one id that was accepted twice, until the later one is taken out: the first.
        first = min(stand, key=lambda one: one.stored, default=None)
        if first is not None and {one.key: voided for one, voided in mine}[first.key] == wanted.voided:
            found[wanted] = first.json
    return found


def as_bytes(text: object) -> bytes:
    """JSON as the client gives it: bytes where it is no UTF-8, else text."""
    if isinstance(text, bytes):
        return text
    assert isinstance(text, str)
    return text.encode()


def _keyed(ids: Iterable[str]) -> str:
    keys = ",".join(f"toUInt32(cityHash64(toUUID('{UUID(one)}')))" for one in ids)
    return f"id_key IN ({keys})"
