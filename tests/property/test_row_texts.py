"""The text in a statement's row leaves out the id where the row tells it, and nothing else; compiled or not."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.runtime.compiled import compiled
from streams.rows.arrival import Arrival, read, statement_row
from streams.rows.tables import STATEMENTS
from streams.rows.texts import row_text, whole_text
from tests.fixtures.envelopes import FIRST_DAY_US, make_item

ID = "8f2f3a1c-3b1e-4d63-9a55-0a6b7c1d2e3f"
REST = '"stored":"2026-09-21T14:13:20.000000Z","actor":"a"}'
AUTHORITIES = st.sampled_from(
    ["", "bench-authority-key-01.1", "a_.-9Z", 'a\\"', "\\\\", "ä", " ", '","id":"']
) | st.text(max_size=30)
IDS = st.sampled_from([ID, ID.upper(), ID[:-1] + "A", ID.replace("-", ""), ID[:-1], ID + "0", ""])
PIECES = st.sampled_from(
    ['{"authority":"', '","id":"', '",', '", ', '","ID":"', '{"id":"', ' {"authority":"', "{", '"']
)


def test_a_statement_as_ingest_writes_it_loses_its_id_and_the_brace() -> None:
    text = row_text(f'{{"authority":"key.1","id":"{ID}",{REST}'.encode(), ID)
    assert text == f'"authority":"key.1",{REST}'.encode()
    assert whole_text(text, ID) == f'{{"id":"{ID}","authority":"key.1",{REST}'.encode()


@given(AUTHORITIES, IDS, IDS, st.lists(PIECES, min_size=3, max_size=3), st.binary(max_size=20))
@example("key.1", ID, ID, ['{"authority":"', '","id":"', '",'], b"")
def test_only_the_id_is_left_out_and_only_where_it_stands_as_the_column_shows_it(
    authority: str, inside: str, known: str, pieces: list[str], rest: bytes
) -> None:
    statement = f"{pieces[0]}{authority}{pieces[1]}{inside}{pieces[2]}".encode(errors="replace") + rest
    text = row_text(statement, known)
    if text == statement:
        return
    assert inside == known == known.lower()
    usual = f'{{"authority":"{authority}","id":"{known}",'.encode()
    assert statement == usual + rest
    assert text == f'"authority":"{authority}",'.encode() + rest


@pytest.mark.skipif(compiled("streams._arrivals") is None, reason="the extension was not compiled")
@given(
    AUTHORITIES, IDS, st.sampled_from([ID, ID.upper()]), st.lists(PIECES, min_size=3, max_size=3), st.binary(max_size=9)
)
@example("key.1", ID, ID, ['{"authority":"', '","id":"', '",'], b"")
@example("key.1", ID.upper(), ID.upper(), ['{"authority":"', '","id":"', '",'], b"")
def test_the_extension_leaves_out_the_same(
    authority: str, inside: str, known: str, pieces: list[str], rest: bytes
) -> None:
    statement = f"{pieces[0]}{authority}{pieces[1]}{inside}{pieces[2]}".encode(errors="replace") + rest
    item = msgspec.structs.replace(make_item(known, str(uuid.UUID(int=2)), FIRST_DAY_US), statement=b"{}")
    arrival = read(0, 7, 0, make_item(known, str(uuid.UUID(int=2)), FIRST_DAY_US))
    assert isinstance(arrival, Arrival)
    for cut in range(len(statement) + 1):
        one = msgspec.structs.replace(arrival, item=msgspec.structs.replace(item, statement=statement[:cut]))
        ((row, *_), _) = compiled("streams._arrivals").rows([one], 1)
        assert row == statement_row(one, 1)
        assert row[STATEMENTS.names.index("statement")] == row_text(statement[:cut], known)
