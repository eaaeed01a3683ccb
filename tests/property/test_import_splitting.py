"""Any dump in any form, in any pieces, gives its statements back byte by byte; also when it is gone on with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.importers import splitting
from ingest.importers.splitting import SplitError, Splitter, Value, known_of

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", "]}", '{"', ",\n"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
STATEMENTS = st.lists(
    st.dictionaries(st.text(max_size=5), VALUES, max_size=4).map(lambda one: {"id": "x", **one}), max_size=8
)
FORMS = st.sampled_from(["array", "lines", "result", "more first", "pretty", "pages", "concatenated"])


def dump(statements: list[Any], form: str) -> bytes:
    one = [json.dumps(each) for each in statements]
    if form == "lines":
        text = "".join(f"{each}\n" for each in one)
    elif form == "concatenated":
        text = "  ".join(one)
    elif form == "pretty":
        text = json.dumps(statements, indent=2)
    elif form == "result":
        text = json.dumps({"statements": statements, "more": "/xapi/more?]}"}, indent=1)
    elif form == "more first":
        text = json.dumps({"more": '"]', "statements": statements})
    elif form == "pages":
        pages = [statements[begin : begin + 2] for begin in range(0, len(statements), 2)]
        text = "\n".join(json.dumps({"statements": page, "more": ""}) for page in pages)
    else:
        text = json.dumps(statements)
    return text.encode()


def split(data: bytes, size: int, position: int = 0, state: Any = "between") -> list[Value]:
    splitter = Splitter(position, state)
    found: list[Value] = []
    for begin in range(position, len(data), size):
        found += splitter.feed(data[begin : begin + size])
    return found + list(splitter.finish())


@settings(deadline=None)
@given(STATEMENTS, FORMS, st.integers(1, 60))
def test_a_dump_gives_its_statements_in_any_form_and_any_pieces(statements: list[Any], form: str, size: int) -> None:
    assert [json.loads(one.raw) for one in split(dump(statements, form), size)] == statements


@settings(deadline=None)
@given(STATEMENTS, FORMS, st.integers(1, 60), st.data())
def test_a_dump_is_gone_on_with_after_any_statement(statements: list[Any], form: str, size: int, data: Any) -> None:
    text = dump(statements, form)
    whole = split(text, size)
    for number, one in enumerate(whole):
        rest = split(text, data.draw(st.integers(1, 60)), one.end, one.state)
        assert rest == whole[number + 1 :]


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 7))
def test_anything_is_split_without_a_failure_and_without_an_end(data: bytes, size: int) -> None:
    assert split(data, size) == split(data, size)


@settings(deadline=None)
@given(st.lists(st.sampled_from([*b'{}[]",\\\n a1:']), max_size=40).map(bytes), st.integers(1, 9))
def test_what_looks_like_json_is_split_without_a_failure(data: bytes, size: int) -> None:
    assert b"".join(one.raw for one in split(data, size)).count(b"a") <= data.count(b"a")


def test_a_broken_line_costs_no_other() -> None:
    found = split(b'{"id":"1"}\n{"id": "2\n{"id":"3"}\r\nnonsense\n\n{"id":"4"}', 5)
    assert [one.raw for one in found] == [b'{"id":"1"}', b'{"id": "2', b'{"id":"3"}', b"nonsense", b'{"id":"4"}']


def test_a_broken_element_costs_no_other() -> None:
    found = split(b'[{"id":"1"}, tru, 7, "a,]", {"id":"2" "x"}, [1,[2]], {"id":"3"}]', 3)
    assert [one.raw for one in found] == [
        b'{"id":"1"}', b"tru", b"7", b'"a,]"', b'{"id":"2" "x"}', b"[1,[2]]", b'{"id":"3"}',
    ]  # fmt: skip


def test_a_dump_that_was_cut_off_tells_so_and_gives_what_is_there() -> None:
    splitter = Splitter()
    assert [one.raw for one in splitter.feed(b'[{"id":"1"},{"id":')] == [b'{"id":"1"}']
    assert [one.raw for one in splitter.finish()] == [b'{"id":']
    assert splitter.inside


def test_a_byte_order_mark_is_no_part_of_the_first_statement() -> None:
    assert [one.raw for one in split(b'\xef\xbb\xbf[{"id":"1"}]', 1)] == [b'{"id":"1"}']


def test_a_value_without_an_end_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "MAX_VALUE_BYTES", 1_000)
    splitter = Splitter()
    with pytest.raises(SplitError, match="byte 0 does not end"):
        [value for _ in range(100) for value in splitter.feed(b'{"a":"' + b"x" * 100)]


def test_id_and_version_are_read_and_what_has_none_is_told() -> None:
    assert known_of(b'{"id":"1","version":"1.0.3","x":[1]}') == ("1", "1.0.3")
    assert known_of(b"{}") == (None, "")
    assert known_of(b"[1]") is None
    assert known_of(b'{"id":7}') is None
