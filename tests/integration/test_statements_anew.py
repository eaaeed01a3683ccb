"""A store that holds statements gets the table anew: rows keep what they say, references are noticed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from clickhouse_connect.driver.client import Client

from infra.dev.front.process import Front
from infra.runtime import clickhouse
from infra.runtime.settings import ClickHouseSettings
from schemas.tables import migrations
from streams.rows.texts import row_text, whole_text

pytestmark = pytest.mark.clickhouse

BEFORE = 11
ID = "8f2f3a1c-3b1e-4d63-9a55-0a6b7c1d2e3f"
COLUMNS = (
    "student_id",
    "timestamp",
    "statement_id",
    "stored",
    "activity",
    "offset",
    "statement",
    "revision",
    "removed",
)
STUDENT = str(uuid.UUID(int=7))
TEXTS = (
    f'{{"authority":"key-of_authority.1","id":"{ID}","stored":"x","actor":"a"}}',
    f'{{"authority":"key.1","id":"{ID.upper()}","stored":"x"}}',
    f'{{"authority":"","id":"{ID}","stored":"x"}}',
    f'{{"authority":"a\\"b","id":"{ID}","stored":"x"}}',
    f' {{"authority":"key.1","id":"{ID}","stored":"x"}}',
    f'{{"authority":"key.1","id":"{uuid.UUID(int=3)}","id":"{ID}","x":1}}',
    f'{{"authority":"key.1","id":"{ID}" ,"stored":"x"}}',
    f'{{"authority":"key.1","id":"{ID}","ä":"","id":"{ID}","x":{{"authority":"k","id":"{ID}",}}}}',
    f'{{"id":"{ID}","authority":"key.1","stored":"x"}}',
)

Migrate = Callable[[], int]


@pytest.fixture
def store(clickhouse_front: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Client, Migrate]]:
    """A store at the version before, and what brings it up."""
    of_store = ClickHouseSettings(
        host=clickhouse_front.host, port=clickhouse_front.port, database=f"anew_{uuid.uuid4().hex[:8]}"
    )
    all_of_them = migrations()
    monkeypatch.setattr(clickhouse, "migrations", lambda: all_of_them[:BEFORE])
    clickhouse.migrate(of_store)
    monkeypatch.setattr(clickhouse, "migrations", lambda: all_of_them)
    with clickhouse.open_clickhouse(of_store) as client:
        yield client, lambda: clickhouse.migrate(of_store)
        client.command(f"DROP DATABASE {of_store.database}")


def put(client: Client, texts: list[str], **changes: object) -> None:
    """One row a text, of the same statement at other times."""
    rows = []
    for number, text in enumerate(texts):
        values = {
            "student_id": STUDENT, "timestamp": number, "statement_id": ID, "stored": number, "activity": "item",
            "offset": number, "statement": text, "revision": -1, "removed": 0, **changes,
        }  # fmt: skip
        rows.append([values[name] for name in COLUMNS])
    client.insert("statements", rows, column_names=COLUMNS)


def test_rows_keep_what_they_say_in_the_form_of_new_ones(store: tuple[Client, Migrate]) -> None:
    client, migrate = store
    put(client, list(TEXTS))
    put(client, [TEXTS[0]], timestamp=100, offset=5)
    put(client, [TEXTS[0]], timestamp=100, offset=5, revision=9, removed=1)
    rows = "SELECT toUnixTimestamp64Micro(timestamp), statement FROM statements FINAL ORDER BY timestamp"
    assert client.query(rows).result_rows == list(enumerate(TEXTS))
    migrate()
    assert client.query(rows).result_rows == [
        (number, row_text(text.encode(), ID).decode()) for number, text in enumerate(TEXTS)
    ]
    shown = client.query("SELECT json FROM statements FINAL ORDER BY timestamp").result_rows
    assert shown == [(whole_text(row_text(text.encode(), ID), ID).decode(),) for text in TEXTS]
    migrate()
    assert client.query("SELECT count() FROM statements").result_rows == [(len(TEXTS) + 2,)]


def test_references_are_kept_and_new_ones_are_noticed(store: tuple[Client, Migrate]) -> None:
    client, migrate = store
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    put(client, ["{}"], activity=one)
    migrate()
    put(client, ["{}"], activity=two, timestamp=1, stored=1)
    targets = client.query("SELECT toString(target) FROM statement_references FINAL ORDER BY stored").result_rows
    assert targets == [(one,), (two,)]
