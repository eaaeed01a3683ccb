"""Rows of statements as they are read without FINAL, and one statement by its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from ingest.xapi.terms import VOIDED

COLUMNS: Final = (
    "statement_id, toUnixTimestamp64Micro(stored) AS at, student_id, timestamp, precedence, removed, statement"
)
KEY_OF: Final = "toUInt32(cityHash64(toUUID({id:String})))"

_BY_ID: Final = f"""
SELECT {COLUMNS}, verb_iri = {{voiding:String}},
       provider_id IN (SELECT provider_id FROM statement_references
                       WHERE target = toUUID({{id:String}}) AND voiding)
FROM statements WHERE id_key = {KEY_OF} AND statement_id = toUUID({{id:String}})"""  # noqa: S608  what was asked for is in the parameters
# The projection leads to the one place; the bloom filter of the streams' look-ups would be asked of each granule first.
_SETTINGS: Final = " SETTINGS ignore_data_skipping_indices = 'by_id'"


class Row(NamedTuple):
    """One statement of a page; ``stored`` in µs."""

    statement_id: str
    stored: int
    json: bytes


class Raw(NamedTuple):
    """A row as it stands. Of equal keys that of the highest precedence counts, and not even that where it is removed:
    a copy that was taken out."""

    statement_id: str
    stored: int
    key: tuple[object, ...]
    precedence: int
    removed: bool
    json: bytes


def raw(row: Sequence[Any]) -> Raw:
    """A row of COLUMNS."""
    statement_id, stored, student_id, timestamp, precedence, removed, json = row[:7]
    key = (student_id, timestamp, statement_id)
    return Raw(str(statement_id), stored, key, precedence, bool(removed), as_bytes(json))


def standing(rows: Iterable[Raw]) -> list[Raw]:
    """What FINAL would leave of them, in the order of their first rows."""
    found: dict[tuple[object, ...], Raw] = {}
    for row in rows:
        known = found.get(row.key)
        if known is None or row.precedence > known.precedence:
            found[row.key] = row
    return [row for row in found.values() if not row.removed]


def by_id(client: Client, statement_id: str, provider_id: str, *, voided: bool) -> bytes | None:
    """JSON of a statement that must be voided or must not be (Data 2.3.2); None where there is none.

    An empty ``provider_id`` asks for any provider's.
    """
    mine = " AND provider_id = {provider:String}" if provider_id else ""
    found = client.query(
        _BY_ID + mine + _SETTINGS, parameters={"id": statement_id.lower(), "provider": provider_id, "voiding": VOIDED}
    ).result_rows
    is_voided = {raw(row).key: bool(row[8]) and not row[7] for row in found}
    rows = sorted(standing(map(raw, found)), key=lambda row: row.stored)
    # Of one id that was accepted twice, until the later one is taken out: the first.
    return rows[0].json if rows and is_voided[rows[0].key] == voided else None


def as_bytes(text: object) -> bytes:
    """JSON as the client gives it: bytes where it is no UTF-8, else text."""
    if isinstance(text, bytes):
        return text
    assert isinstance(text, str)
    return text.encode()
