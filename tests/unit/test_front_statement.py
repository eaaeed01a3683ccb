"""How the front reads a request: the kind of statement, and where data begin."""

from __future__ import annotations

import gzip

import pytest

from infra.dev.front.compression import choose_encoding, compressor, decompress, whole
from infra.dev.front.errors import QueryError, from_engine
from infra.dev.front.request import build, parse_multipart
from infra.dev.front.statement import parse

KNOWN = frozenset({"max_threads", "enable_http_compression"})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"SELECT 1", "read"),
        (b"  /* why */ -- who\n select 1", "read"),
        (b"WITH 1 AS one SELECT one", "read"),
        (b"(SELECT 1) UNION ALL (SELECT 2)", "read"),
        (b"SHOW TABLES", "command"),
        (b"CREATE TABLE t (n UInt8) ENGINE = Memory", "command"),
        (b"INSERT INTO t SELECT 1 FORMAT Null", "command"),
        (b"INSERT INTO t VALUES ('FORMAT Native')", "command"),
        (b"INSERT INTO t (`a b`, c) FORMAT Native\n\x01\x02", "insert"),
        (b"", "command"),
    ],
)
def test_statements_are_told_apart_by_their_first_word(text: bytes, kind: str) -> None:
    assert parse(text).kind == kind


def test_data_begin_after_one_line_end_whatever_they_look_like() -> None:
    statement = parse(b"INSERT INTO `format` (a, `FORMAT`) FORMAT Native \r\n\n\xff\x00 FORMAT CSV")
    assert statement.sql == "INSERT INTO `format` (a, `FORMAT`) "
    assert statement.format == "Native"
    assert statement.data == b"\n\xff\x00 FORMAT CSV"


def test_settings_of_an_insert_stay_with_the_statement() -> None:
    statement = parse(b"INSERT INTO t SETTINGS async_insert = 0 FORMAT CSV 1,2")
    assert (statement.sql, statement.data) == ("INSERT INTO t SETTINGS async_insert = 0 ", b"1,2")


def test_the_format_of_a_result_is_what_the_statement_ends_with() -> None:
    assert parse(b"SELECT 'FORMAT JSON' FORMAT CSV;").format == "CSV"
    assert parse(b"SELECT 'x FORMAT JSON'").format == ""


def test_query_and_body_are_one_statement() -> None:
    request = build([("query", "INSERT INTO t FORMAT CSV"), ("max_threads", "1")], {}, b"1\n2\n", [], KNOWN)
    assert request.statement.data == b"1\n2\n"
    assert request.settings == {"max_threads": "1"}


def test_parameters_of_the_interface_are_no_settings() -> None:
    values = [("session_id", "s"), ("wait_end_of_query", "1"), ("param_id", "7"), ("database", "d")]
    request = build(values, {}, b"SELECT {id:UInt8}", [], KNOWN)
    assert request.settings == {}
    assert request.parameters == {"id": "7"}
    assert request.wait_for_end
    assert request.database == "d"


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(QueryError, match="Unknown setting 'max_treads'") as refused:
        build([("max_treads", "1")], {}, b"SELECT 1", [], KNOWN)
    assert (refused.value.code, refused.value.status) == (115, 404)


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT * FROM x\r\n'
    b'--B\r\nContent-Disposition: form-data; name="x"; filename="x.tsv"\r\n\r\n1\r\n\r\n2\r\n--B--\r\n'
)


def test_a_form_carries_statement_and_external_tables() -> None:
    parts = parse_multipart(FORM, "multipart/form-data; boundary=B")
    request = build([("x_types", "UInt8,String"), ("x_format", "CSV")], {}, b"", parts, KNOWN)
    [table] = request.external
    assert (table.name, table.structure, table.format, table.data) == ("x", "_1 UInt8, _2 String", "CSV", b"1\r\n\r\n2")
    assert request.statement.sql == "SELECT * FROM x"


@pytest.mark.parametrize("body", [FORM[:-9], b"", FORM.replace(b"name=", b"nom=")])
def test_a_form_that_is_cut_off_is_an_error(body: bytes) -> None:
    with pytest.raises(QueryError, match="multipart"):
        parse_multipart(body, "multipart/form-data; boundary=B")


def test_errors_keep_number_name_and_words_of_the_engine() -> None:
    error = from_engine(
        "Streaming query failed: Code: 60. DB::Exception: No table t. (x) (UNKNOWN_TABLE) (version 1.2)"
    )
    assert (error.code, error.name, error.status) == (60, "UNKNOWN_TABLE", 404)
    assert error.message("26.9") == "Code: 60. DB::Exception: No table t. (x) (UNKNOWN_TABLE) (version 26.9)"


def test_what_the_engine_does_not_number_is_an_error_of_the_server() -> None:
    error = from_engine("something broke")
    assert (error.code, error.status) == (1001, 500)


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "deflate", ""])
def test_parts_that_were_packed_one_by_one_unpack_to_the_whole(encoding: str) -> None:
    stream = compressor(encoding)
    packed = stream.add(b"one" * 1000) + stream.add(b"two" * 1000) + stream.finish()
    assert decompress(packed, encoding) == b"one" * 1000 + b"two" * 1000
    assert decompress(whole([b"x", b"y"], encoding), encoding) == b"xy"


def test_bodies_of_several_packed_frames_are_read_to_the_end() -> None:
    assert decompress(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"


def test_a_body_that_is_not_what_its_header_says_is_an_error() -> None:
    with pytest.raises(QueryError, match="not gzip"):
        decompress(b"plain", "gzip")
    with pytest.raises(QueryError, match="Unknown Content-Encoding"):
        decompress(b"plain", "snappy")


def test_answers_are_packed_only_when_asked_for() -> None:
    assert choose_encoding("zstd, lz4;q=0.5, gzip", wanted=True) == "lz4"
    assert choose_encoding("gzip", wanted=True) == "gzip"
    assert choose_encoding("gzip", wanted=False) == ""
    assert choose_encoding("", wanted=True) == ""
