"""What Roundtrip needs of ClickHouse's HTTP interface, told by clickhouse-connect alone.

Run against the front, and against a server too when ROUNDTRIP_TEST_CLICKHOUSE_URL (http://user:password@host:port)
names one: the front has to pass what a server passes.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

from infra.dev.front.process import Front

pytestmark = pytest.mark.clickhouse

SERVER = os.environ.get("ROUNDTRIP_TEST_CLICKHOUSE_URL", "")


@pytest.fixture(params=["front", *(["server"] if SERVER else [])])
def dsn(request: pytest.FixtureRequest) -> str:
    if request.param == "server":
        return SERVER
    front: Front = request.getfixturevalue("clickhouse_front")
    return front.url


def connect(dsn: str, **options: Any) -> Client:
    return clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False, **options)


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    """A client whose database is the test's own."""
    name = f"contract_{uuid.uuid4().hex}"
    with connect(dsn, database="default") as admin:
        admin.command(f"CREATE DATABASE {name}")
        with connect(dsn, database=name) as client:
            yield client
        admin.command(f"DROP DATABASE {name}")


def test_the_handshake_tells_version_and_time_zone(client: Client) -> None:
    assert int(client.server_version.split(".")[0]) >= 25
    assert client.ping()
    assert client.command("SELECT timezone()")


def test_parameters_are_bound_by_the_server(client: Client) -> None:
    awkward = "it's a \\ back\tslash, a line\nend, a {brace} and ünïcode"
    day = date(2026, 11, 21)
    found = client.query(
        "SELECT {text:String}, {many:Array(String)}, {number:Int64}, {day:Date}, {none:Nullable(String)}",
        parameters={"text": awkward, "many": ["a'b", "c,d"], "number": -7, "day": day, "none": None},
    )
    assert found.result_rows == [(awkward, ["a'b", "c,d"], -7, day, None)]


def test_a_parameter_too_long_for_a_url_travels_in_a_form(client: Client) -> None:
    ids = [str(uuid.uuid4()) for _ in range(20_000)]
    found = client.query("SELECT length({ids:Array(String)}), {ids:Array(String)}[20000]", parameters={"ids": ids})
    assert found.result_rows == [(20_000, ids[-1])]


def test_settings_hold_for_their_request_alone(client: Client) -> None:
    shown = "SELECT getSetting('max_block_size')"
    assert client.query(shown, settings={"max_block_size": 7}).result_rows == [(7,)]
    assert client.query(shown).result_rows != [(7,)]


def test_a_setting_nobody_knows_is_an_error(client: Client) -> None:
    with pytest.raises(DatabaseError, match="nonsense") as refused:
        client.query("SELECT 1", settings={"nonsense": 1})
    assert refused.value.code == 115


COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "id": ("UUID", [uuid.UUID(int=1), uuid.UUID(int=2**128 - 1)]),
    "text": ("String", ["", "Ünïcode 漢字 \n\t'"]),
    "verb": ("LowCardinality(String)", ["answered", "played"]),
    "skills": ("Array(LowCardinality(String))", [[], ["fractions", "decimals"]]),
    "many": ("Array(String)", [["a"], []]),
    "u8": ("UInt8", [0, 255]),
    "u16": ("UInt16", [0, 65_535]),
    "u32": ("UInt32", [0, 2**32 - 1]),
    "u64": ("UInt64", [0, 2**64 - 1]),
    "i32": ("Int32", [-(2**31), 2**31 - 1]),
    "i64": ("Int64", [-(2**63), 2**63 - 1]),
    "f64": ("Float64", [0.1 + 0.2, -1e300]),
    "score": ("Nullable(Float64)", [None, 0.5]),
    "millis": (
        "DateTime64(3, 'UTC')",
        [datetime(2026, 11, 21, 8, 30, 1, 234000, UTC), datetime(1970, 1, 1, tzinfo=UTC)],
    ),
    "micros": (
        "DateTime64(6, 'UTC')",
        [datetime(2026, 11, 21, 8, 30, 1, 234567, UTC), datetime(2099, 1, 1, tzinfo=UTC)],
    ),
    "at": ("DateTime('UTC')", [datetime(2026, 11, 21, 8, 30, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)]),
    "day": ("Date", [date(2026, 11, 21), date(1970, 1, 1)]),
    "yes": ("Bool", [True, False]),
    "extra": ("Map(String, String)", [{}, {"k": "v"}]),
    "kind": ("Enum8('a' = 1, 'b' = 2)", ["a", "b"]),
}


@pytest.mark.parametrize("compression", [False, "lz4", "zstd", "gzip"])
def test_every_type_of_column_comes_back_as_it_was_inserted(client: Client, dsn: str, compression: Any) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    client.command(f"CREATE TABLE every ({columns}) ENGINE = MergeTree ORDER BY u8")
    names = list(COLUMNS)
    with connect(dsn, database=client.database, compress=compression, tz_mode="aware") as packing:
        packing.insert("every", [values for _, values in COLUMNS.values()], column_names=names, column_oriented=True)
        found = packing.query("SELECT * FROM every ORDER BY u8", column_oriented=True)
    assert dict(zip(found.column_names, found.result_columns, strict=True)) == {
        name: values for name, (_, values) in COLUMNS.items()
    }


def test_an_insert_tells_how_many_rows_were_written(client: Client) -> None:
    client.command("CREATE TABLE told (n UInt64) ENGINE = MergeTree ORDER BY n")
    summary = client.insert("told", [[1], [2], [3]], column_names=["n"])
    assert summary.written_rows == 3
    assert summary.query_id()


def test_inserts_in_other_formats_and_from_selects_are_taken(client: Client) -> None:
    client.command("CREATE TABLE sums (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    client.raw_insert("sums", ["n", "s"], b"1,one\n2,two\n", fmt="CSV")
    client.raw_insert("sums", ["n", "s"], b'{"n": 3, "s": "three"}\n', fmt="JSONEachRow")
    client.command("INSERT INTO sums VALUES (4, 'FORMAT Native'), (5, 'five')")
    client.command("INSERT INTO sums SELECT number + 6, 'selected' FROM numbers(4)")
    assert client.query("SELECT sum(n), count() FROM sums").result_rows == [(45, 9)]


def test_rows_that_are_inserted_are_seen_by_the_next_query_of_anyone(client: Client, dsn: str) -> None:
    client.command("CREATE TABLE seen (n UInt64) ENGINE = MergeTree ORDER BY n")
    with connect(dsn, database=client.database) as other:
        for number in range(20):
            client.insert("seen", [[number]], column_names=["n"])
            assert other.query("SELECT count() FROM seen").result_rows == [(number + 1,)]


def test_a_million_rows_are_streamed_in_parts(client: Client) -> None:
    rows, blocks = 0, 0
    with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(1000000)") as stream:
        for block in stream:
            rows += len(block)
            blocks += 1
            assert len(block) < 200_000
    assert rows == 1_000_000
    assert blocks > 5


def test_an_empty_result_is_no_error(client: Client) -> None:
    client.command("CREATE TABLE empty (n UInt64) ENGINE = MergeTree ORDER BY n")
    assert client.query("SELECT n FROM empty").result_rows == []
    assert client.query("SELECT count(), max(n) FROM empty").result_rows == [(0, 0)]
    with client.query_row_block_stream("SELECT n FROM empty") as stream:
        assert list(stream) == []
    assert client.query("SELECT n FROM empty LIMIT 0").column_names == ("n",)


def test_results_in_the_format_that_was_asked_for(client: Client) -> None:
    assert client.raw_query("SELECT 1 AS a, 'x' AS b", fmt="CSVWithNames") == b'"a","b"\n1,"x"\n'
    assert client.raw_query("SELECT 1 AS a FORMAT JSONEachRow") in (b'{"a":1}\n', b'{"a":"1"}\n')
    assert b'"rows": 2' in client.raw_query("SELECT number FROM numbers(2)", fmt="JSON")
    assert client.command("SELECT 'one value'") == "one value"


def test_statements_about_tables_are_answered(client: Client) -> None:
    client.command("CREATE TABLE described (n UInt64 COMMENT 'a number') ENGINE = MergeTree ORDER BY n")
    assert client.command("EXISTS TABLE described") == 1
    assert client.query("SHOW TABLES").result_rows == [("described",)]
    assert client.query("DESCRIBE TABLE described").first_item["comment"] == "a number"
    client.command("ALTER TABLE described ADD COLUMN s String")
    client.command("OPTIMIZE TABLE described FINAL")
    client.command("DROP TABLE described")
    assert client.command("EXISTS TABLE described") == 0


def test_replacing_rows_and_projected_reads_work_as_the_schema_needs(client: Client) -> None:
    client.command(
        "CREATE TABLE states (student String, value Float64, version UInt64) "
        "ENGINE = ReplacingMergeTree(version) ORDER BY student"
    )
    for version in (2, 1, 3, 3):
        client.insert("states", [["s1", version / 10, version]], column_names=["student", "value", "version"])
    assert client.query("SELECT * FROM states FINAL").result_rows == [("s1", 0.3, 3)]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT * FROM nowhere", 60),
        ("SELECT nothing FROM system.one", 47),
        ("SELECT no_such_function(1)", 46),
        ("SELEC 1", 62),
        ("SELECT toInt32('x')", 6),
        ("SELECT {unset:String}", 456),
        ("SELECT * FROM no_database.t", 81),
        ("INSERT INTO nowhere VALUES (1)", 60),
        ("SELECT throwIf(1)", 395),
    ],
)
def test_errors_carry_the_number_of_clickhouse(client: Client, statement: str, code: int) -> None:
    with pytest.raises(DatabaseError) as failed:
        client.command(statement)
    assert failed.value.code == code


def test_a_database_that_is_not_there_is_an_error(dsn: str) -> None:
    with connect(dsn, database="default") as client:
        client.database = "no_such_database"
        with pytest.raises(DatabaseError) as failed:
            client.query("SELECT 1")
    assert failed.value.code == 81


def test_data_that_do_not_fit_the_table_are_refused_whole(client: Client) -> None:
    client.command("CREATE TABLE strict (n UInt64) ENGINE = MergeTree ORDER BY n")
    with pytest.raises(DatabaseError):
        client.raw_insert("strict", ["n"], b"1\n2\nthree\n", fmt="TabSeparated")
    with pytest.raises(DatabaseError):
        client.raw_insert("strict", ["n"], b"these are no Native bytes", fmt="Native")
    assert client.query("SELECT count() FROM strict").result_rows == [(0,)]


def test_an_error_in_the_middle_of_a_stream_is_not_taken_for_its_end(client: Client) -> None:
    query = "SELECT throwIf(number = 3000000), toString(number) FROM numbers(5000000)"
    with pytest.raises(StreamFailureError, match="395"), client.query_row_block_stream(query) as stream:
        for _ in stream:
            pass


def test_external_tables_live_as_long_as_their_query(client: Client) -> None:
    wanted = ExternalData(file_name="wanted.tsv", data=b"1\n3\n", fmt="TabSeparated", structure=["n UInt64"])
    query = "SELECT number FROM numbers(5) WHERE number IN (SELECT n FROM wanted)"
    assert client.query(query, external_data=wanted).result_rows == [(1,), (3,)]
    with pytest.raises(DatabaseError) as gone:
        client.query(query)
    assert gone.value.code == 60


def test_readers_and_a_writer_do_not_wait_for_a_long_query(client: Client, dsn: str) -> None:
    client.command("CREATE TABLE busy (n UInt64) ENGINE = MergeTree ORDER BY n")
    ended = threading.Event()

    def ask_long() -> None:
        with connect(dsn, database=client.database) as other:
            other.query("SELECT sum(sleepEachRow(1)) FROM numbers(3) SETTINGS max_block_size = 1")
        ended.set()

    asking = threading.Thread(target=ask_long)
    asking.start()
    try:
        time.sleep(0.3)
        for number in range(5):
            client.insert("busy", [[number]], column_names=["n"])
        assert client.query("SELECT count() FROM busy").result_rows == [(5,)]
        assert not ended.is_set(), "the long query was over before the short ones: nothing is shown"
    finally:
        asking.join()


def test_many_clients_at_once_each_get_their_own_answer(client: Client, dsn: str) -> None:
    client.command("CREATE TABLE shared (who UInt32, n UInt32) ENGINE = MergeTree ORDER BY (who, n)")
    wrong: list[object] = []

    def work(who: int) -> None:
        with connect(dsn, database=client.database) as own:
            for number in range(15):
                own.insert("shared", [[who, number]], column_names=["who", "n"])
                asked = own.query("SELECT count(), {who:UInt32} FROM shared WHERE who = {who:UInt32}", {"who": who})
                if asked.result_rows != [(number + 1, who)]:
                    wrong.append((who, number, asked.result_rows))

    workers = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []
    assert client.query("SELECT count() FROM shared").result_rows == [(120,)]
