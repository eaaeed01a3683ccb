"""What is read back from the store is what was accepted: the JSON value for value, the columns to the last digit."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.dev.front.process import Front
from infra.runtime import clickhouse
from infra.runtime.settings import ClickHouseSettings
from ingest.reading import AskedId, by_ids
from schemas.avro_registry import schema_registry
from schemas.codec import envelope_codec
from schemas.events import Envelope, Item
from streams.learner.calibration import Calibration
from streams.processor import Processor, ProcessorOptions, Record
from streams.rows import tables
from streams.rows.days import EARLIEST_US, LATEST_US
from streams.sink import Sink
from streams.store import ClickHouseStore

pytestmark = pytest.mark.clickhouse

PROVIDER = "values"
STORED_US = 1_790_000_000_000_000
CODEC = envelope_codec(schema_registry(""))

# As a provider may write them: a reader that parses and writes them again would change most of these.
NUMBERS = st.sampled_from(
    ["1.0", "-0", "-0.0", "1e400", "-1E-400", "1E+2", "0.1", "3.141592653589793238462643383279502884197",
     "123456789012345678901234567890", "9007199254740993", "18446744073709551616", "-9223372036854775809"]
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
STRINGS = st.builds(lambda text, plain: json.dumps(text, ensure_ascii=plain), TEXTS, st.booleans())
SCALARS = NUMBERS | STRINGS | st.sampled_from(["null", "true", "false", '"\\u0000"', '"\\ud83d\\ude00"', '"\\/"'])


def _array(parts: Sequence[str]) -> str:
    return f"[{','.join(parts)}]"


def _object(parts: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name} :{value}" for name, value in parts) + "}"


JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(_array) | st.lists(st.tuples(STRINGS, inner), max_size=3).map(_object)
    ),
    max_leaves=8,
)
# As ingest writes them, and as it does not: ids in capitals, another's id, odd authorities, spaces.
HEADS = st.sampled_from(
    ['{{"authority":"{key}","id":"{id}","stored":"2026-09-21T14:13:20.000000Z",'] * 4
    + ['{{"authority":"{key}","id":"{big}",', '{{"authority":"{key}","id":"{key}",',
       ' {{"authority":"{key}","id":"{id}",',
       '{{"authority":"a\\"b","id":"{id}",', '{{"authority":"","id":"{id}",', '{{"authority":"ä","id":"{id}",',
       '{{"authority":"\\\\","id":"{id}",', '{{"authority":"{key}", "id":"{id}",', '{{"id":"{id}",']
)  # fmt: skip
MOMENTS = st.integers(EARLIEST_US, LATEST_US) | st.sampled_from([EARLIEST_US, LATEST_US, STORED_US + 1])


@st.composite
def accepted(draw: st.DrawFn) -> Item:
    """A statement as the log carries it."""
    statement_id, registration = draw(st.uuids()), draw(st.uuids())
    head = draw(HEADS).format(key=f"{draw(st.uuids()).hex[:22]}.1", id=statement_id, big=str(statement_id).upper())
    statement = (
        f'{head}"actor":"{draw(st.uuids())}.1","verb":{{"id":"https://verbs.example/did"}},'
        f'"object":{{"id":"https://items.example/1"}},"context":{{"registration":"{registration}",'
        f'"extensions":{{"https://e.example/x":{draw(JSON)}}}}}}}'
    )
    return Item(
        statement_id=str(statement_id),
        student_id=str(draw(st.uuids())),
        provider_id=PROVIDER,
        verb="experienced",
        skills=draw(st.lists(TEXTS.filter(bool), max_size=3, unique=True).map(sorted)),
        timestamp=draw(MOMENTS),
        stored=STORED_US + draw(st.integers(0, 10**9)),
        digest=draw(st.integers(-(2**63), 2**63 - 1)),
        flags=0,
        statement=statement.encode(),
    )


def renamed(item: Item) -> Item:
    """The statement under an id that no example before it had: the store keeps what it was given."""
    new, old = str(uuid.uuid4()), item.statement_id
    text = item.statement.replace(old.encode(), new.encode()).replace(old.upper().encode(), new.upper().encode())
    return msgspec.structs.replace(item, statement_id=new, statement=text)


def values(statement: bytes) -> object:
    """All that a JSON text says: members in any order, those of equal names too, numbers as they are written."""
    return json.loads(statement, object_pairs_hook=_members, parse_int=_Number, parse_float=_Number)


class _Number(str):
    """Digits of a number, unlike a string of the same characters."""

    def __repr__(self) -> str:
        return f"number {self!s}"


def _members(pairs: list[tuple[str, object]]) -> object:
    return sorted(pairs, key=repr)


class Stored:
    """A worker's core and sink on a store of their own."""

    def __init__(self, of_store: ClickHouseSettings) -> None:
        self.client: Client = clickhouse.open_clickhouse(of_store)
        self.sink = Sink(lambda: clickhouse.open_clickhouse(of_store), threading.Event())
        options = ProcessorOptions("statements", 1, "America/Chicago", 1_000, 1_000, Calibration(), lambda: STORED_US)
        self._processor = Processor(CODEC.decode, ClickHouseStore(self.sink.read, 1), options)
        self._offset = 0

    def accept(self, items: list[Item]) -> None:
        """Into the log's form, out of it, and into the store."""
        batch = self._processor.process([Record(0, self._offset, CODEC.encode(Envelope("i", STORED_US, items)))])
        self._offset += 1
        assert not batch.dead
        for columns in tables.OF_STATEMENTS:
            assert not self.sink.insert(columns, batch.rows[columns])

    def close(self) -> None:
        self.client.close()
        self.sink.close()


@pytest.fixture(scope="module")
def store(clickhouse_front: Front) -> Iterator[Stored]:
    of_store = ClickHouseSettings(
        host=clickhouse_front.host, port=clickhouse_front.port, database=f"values_{uuid.uuid4().hex}"
    )
    clickhouse.migrate(of_store)
    stored = Stored(of_store)
    yield stored
    stored.client.command(f"DROP DATABASE {of_store.database}")
    stored.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(items=st.lists(accepted(), min_size=1, max_size=20, unique_by=lambda item: item.statement_id))
def test_a_statement_is_read_back_as_it_was_accepted(store: Stored, items: list[Item]) -> None:
    items = [renamed(item) for item in items]
    store.accept(items)
    listed = ",".join(f"'{item.statement_id}'" for item in items)
    found = store.client.query(
        "SELECT toString(statement_id), toString(student_id), provider_id, verb, skills,"
        " toUnixTimestamp64Micro(timestamp), toUnixTimestamp64Micro(stored), digest, toString(registration)"
        f" FROM statements FINAL WHERE statement_id IN ({listed})"
    ).result_rows
    assert {row[0]: row[1:] for row in found} == {
        item.statement_id: (
            item.student_id,
            item.provider_id,
            item.verb,
            item.skills,
            item.timestamp,
            item.stored,
            item.digest,
            item.statement.partition(b'"registration":"')[2][:36].decode(),
        )
        for item in items
    }
    texts = store.client.query(f"SELECT toString(statement_id), json FROM statements WHERE statement_id IN ({listed})")
    back = {key: text if isinstance(text, bytes) else text.encode() for key, text in texts.result_rows}
    told = {item.statement_id: repr(values(item.statement)) for item in items}
    assert {key: repr(values(text)) for key, text in back.items()} == told
    asked = AskedId(items[0].statement_id, PROVIDER, voided=False)
    assert by_ids(store.client, [asked]) == {asked: back[items[0].statement_id]}


def test_it_is_still_so_when_parts_were_merged(store: Stored) -> None:
    asked = "SELECT * FROM statements ORDER BY statement_id"
    before = store.client.query(asked).result_rows
    store.client.command("OPTIMIZE TABLE statements FINAL")
    assert store.client.query(asked).result_rows == before
