"""A walk through pages, held to the store's content: every statement once and in order, whatever the rows are like.

The content is small and random: some statements refer to others, some void others, their own provider's or not.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Hashable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from infra.dev.front.process import Front
from infra.runtime.clickhouse import migrate, open_clickhouse
from infra.runtime.settings import ClickHouseSettings
from ingest.reading.agents import Places
from ingest.reading.filters import Filter, cursor, from_cursor
from ingest.reading.pages import page
from ingest.reading.windows import Shares
from ingest.xapi.terms import VOIDED

pytestmark = pytest.mark.clickhouse

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
VERBS = ("https://verbs.example/answered", "https://verbs.example/viewed")
COLUMNS = (
    *("student_id", "timestamp", "statement_id", "stored", "provider_id", "verb_iri", "activity", "actor"),
    *("registration", "offset", "statement", "revision", "removed"),
)
KEYS = [f"{'agent' + str(number):x<22}.1" for number in range(5)]
STUDENTS = [str(uuid.UUID(int=number + 1)) for number in range(5)]


class _Guessing(Shares):
    """Whatever it learns: pages are looked for in windows of few statements, or of more than there are."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice

    def rows(self, kind: Hashable, needed: int) -> int:
        return self._dice.choice([1, 7, 40, super().rows(kind, needed)])


class Content:
    """Rows in the store, and what a reader is to see of them."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.seen: list[dict[str, Any]] = []
        self._dice = random.Random(seed)

    def fill(self, statements: int, parts: int) -> None:
        """Statements with few moments of storing, so that many share one; some rows come twice, some are taken out."""
        inserts: list[list[list[Any]]] = [[] for _ in range(parts)]
        dice = self._dice
        for offset in range(statements):
            number = dice.randrange(len(KEYS))
            row = dict(
                zip(
                    COLUMNS,
                    (
                        STUDENTS[number], BEGAN + timedelta(seconds=dice.randrange(50)),
                        str(uuid.UUID(int=dice.getrandbits(128), version=4)),
                        BEGAN + timedelta(seconds=dice.randrange(statements // 4)), dice.choice(["p1", "p2"]),
                        dice.choice(VERBS), f"https://items.example/{dice.randrange(4)}", KEYS[number],
                        str(uuid.UUID(int=dice.randrange(3))), offset, "", -1, 0,
                    ),
                    strict=True,
                )
            )  # fmt: skip
            refers = bool(self.seen) and dice.random() < 0.15
            if refers:
                row["activity"] = dice.choice(self.seen)["statement_id"]
                row["verb_iri"] = dice.choice([VOIDED, VERBS[0]])
            row["statement"] = _json(row)
            copies = [row, {**row, "offset": offset + 10_000}] if dice.random() < 0.2 else [row]
            removed = not refers and dice.random() < 0.1
            if removed:
                copies.append({**row, "revision": offset, "removed": 1})
            for one in copies:
                dice.choice(inserts).append([one[name] for name in COLUMNS])
            if not removed:
                self.seen.append(row)
        for rows in inserts:
            if rows:
                self.client.insert("statements", rows, column_names=COLUMNS)

    def expected(self, wanted: Filter, provider_id: str) -> list[str]:
        """Ids in the order of the walk, by values that the test knows and the order of UUIDs that the store has."""
        known = {row["statement_id"]: row for row in self.seen if not provider_id or row["provider_id"] == provider_id}
        voided = {(row["activity"], row["provider_id"]) for row in self.seen if row["verb_iri"] == VOIDED}
        matching = [
            statement_id
            for statement_id, row in known.items()
            if (row["verb_iri"] == VOIDED or (statement_id, row["provider_id"]) not in voided)
            and _matches(row, wanted, known)
            and (wanted.since is None or _us(row["stored"]) > wanted.since)
            and (wanted.until is None or _us(row["stored"]) <= wanted.until)
        ]
        order = "ASC" if wanted.ascending else "DESC"
        ordered = self.client.query(
            "SELECT DISTINCT statement_id, stored FROM statements WHERE statement_id IN {ids:Array(UUID)}"
            f" ORDER BY stored {order}, statement_id {order}",
            parameters={"ids": matching},
        ).result_rows
        return [str(row[0]) for row in ordered]


@pytest.fixture
def client(clickhouse_front: Front) -> Iterator[Client]:
    settings = ClickHouseSettings(
        host=clickhouse_front.host, port=clickhouse_front.port, database=f"walk_{uuid.uuid4().hex[:8]}"
    )
    migrate(settings)
    with open_clickhouse(settings) as made:
        yield made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_statement_comes_once_and_in_order(client: Client, seed: int) -> None:
    content = Content(client, seed)
    content.fill(80, parts=3)
    dice = random.Random(seed)
    for _ in range(6):
        number = dice.randrange(len(KEYS))
        wanted = Filter(
            limit=dice.choice([5, 13]),
            ascending=dice.random() < 0.5,
            verb=dice.choice(["", *VERBS]),
            activity=dice.choice(["", "https://items.example/1"]),
            registration=dice.choice(["", "", str(uuid.UUID(int=1))]),
            identity=dice.choice(["", KEYS[number].partition(".")[0]]),
            since=dice.choice([None, _us(BEGAN) + 4_000_000]),
            until=dice.choice([None, _us(BEGAN) + 15_000_000]),
            related_activities=dice.random() < 0.3,
        )
        provider_id = dice.choice(["", "p1"])
        places = Places([KEYS[number]], [STUDENTS[number]]) if wanted.identity else None
        walked = _walk(client, wanted, provider_id, places, _Guessing(dice))
        assert walked == content.expected(wanted, provider_id), wanted


def _matches(row: dict[str, Any], wanted: Filter, known: dict[str, dict[str, Any]]) -> bool:
    """By itself, or because of a statement that it refers to, however far; references lead back in time alone."""
    if (
        wanted.verb in ("", row["verb_iri"])
        and wanted.activity in ("", row["activity"])
        and wanted.registration in ("", row["registration"])
        and (not wanted.identity or row["actor"].startswith(f"{wanted.identity}."))
    ):
        return True
    target = known.get(row["activity"])
    return target is not None and _matches(target, wanted, known)


def _walk(client: Client, wanted: Filter, provider_id: str, places: Places | None, shares: Shares) -> list[str]:
    found: list[str] = []
    while True:
        rows = page(client, wanted, provider_id, places, shares)
        kept = rows[: wanted.limit]
        found += [row.statement_id for row in kept]
        if len(rows) <= wanted.limit:
            return found
        after = kept[-1].stored, kept[-1].statement_id
        wanted = from_cursor(cursor(msgspec.structs.replace(wanted, after=after)))


def _json(row: dict[str, Any]) -> str:
    """As ingest writes it: what it sets itself stands first."""
    told = {
        "authority": f"{'authority':x<22}.1",
        "id": row["statement_id"],
        "stored": row["stored"],
        "timestamp": row["timestamp"],
        "version": "1.0.0",
        "actor": row["actor"],
        "context": {"registration": row["registration"]},
        "object": {"id": row["activity"], **({"objectType": "StatementRef"} if "/" not in row["activity"] else {})},
        "verb": {"id": row["verb_iri"]},
    }
    return msgspec.json.encode(told).decode()


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
