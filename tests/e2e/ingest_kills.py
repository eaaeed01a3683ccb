"""Kills ingest with -9 while two processes of it are posted to, and compares what was answered with what is kept.

``python -m tests.e2e.ingest_kills --kills 100`` starts a broker, a store, a worker and two ingest processes on one data
directory. Posters send new batches (of one student or many), batches of theirs again, and batches whose ids another
poster uses at the same moment for other contents. One ingest process after the other is killed and started again.

In the end: each batch that was answered 200 is in the log and in the store as it was sent; one that was not is there
whole or not at all; no id stands for two contents, and of contents that fought for one id at most one was answered 200.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from infra.dev import health, processes
from infra.dev.ports import any_free
from infra.dev.posting import Connection
from infra.runtime.kafka import statements_topic
from infra.runtime.settings import Settings
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import envelope_codec
from tests.bench.servers import Servers, servers, wait_until
from tests.fixtures.log_reader import read_log

POSTERS: Final = 6
STUDENTS: Final = 40
_SIZES: Final = (1, 1, 2, 5, 20, 60)
_PATIENCE_SECONDS: Final = 240.0


@dataclass
class Batch:
    """Statements by id, each with the content that it was sent with (a word of its own), and the answers."""

    contents: dict[str, str]
    statuses: list[int] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether it was ever answered 200."""
        return 200 in self.statuses

    def body(self) -> bytes:
        """The request's JSON."""
        return msgspec.json.encode([_statement(one, content) for one, content in self.contents.items()])


@dataclass
class Run:
    """What was sent. ``fights``: batches over the same ids, each with contents of its own."""

    seed: int
    batches: list[Batch] = field(default_factory=list)
    fights: list[list[Batch]] = field(default_factory=list)
    kills: int = 0
    over: bool = False

    def judge(self, kept: dict[str, set[str]]) -> list[str]:
        """What is wrong, when the log or the store holds these contents of each id."""
        said = []
        for batch in self.batches:
            there = sum(content in kept.get(one, ()) for one, content in batch.contents.items())
            if batch.accepted and there < len(batch.contents):
                said.append(f"answered 200 and not kept: {len(batch.contents) - there} of {batch.contents}")
            if there not in (0, len(batch.contents)):
                said.append(f"half there, {there} of {len(batch.contents)}: {batch.statuses}, {batch.contents}")
            if unknown := set(batch.statuses) - {0, 200, 409, 503}:
                said.append(f"answered {unknown}")
            if 409 in batch.statuses and not any(batch in fight for fight in self.fights):
                said.append(f"409 where nobody else used the ids: {batch.contents}")
        said += [f"{len(contents)} contents under the id {one}" for one, contents in kept.items() if len(contents) > 1]
        for fight in self.fights:
            if sum(batch.accepted for batch in fight) > 1:
                said.append(f"several won the ids of {fight}")
        return said

    def told(self) -> str:
        """The figures."""
        answers = Counter(status for batch in self.batches for status in batch.statuses)
        won = sum(any(batch.accepted for batch in fight) for fight in self.fights)
        return (
            f"{self.kills} kills; {len(self.batches)} batches of {sum(len(one.contents) for one in self.batches)} "
            f"statements; answers {dict(sorted(answers.items()))} (0: none); "
            f"{len(self.fights)} fights for ids, {won} won"
        )


class Door:
    """One ingest process of several, at a port of its own."""

    def __init__(self, running: Servers, name: str) -> None:
        port = any_free()
        own = running.settings.ingest.model_copy(update={"port": port})
        self._settings: Settings = running.settings.model_copy(update={"ingest": own})
        self._log = running.settings.data_dir / f"{name}.log"
        self.url = f"http://127.0.0.1:{port}/xapi"
        self._ready = health.http(f"http://127.0.0.1:{port}/health/ready")
        self._child: Any = None

    def start(self) -> None:
        """Start it; returns when it is ready."""
        environment = {**_environment(), **self._settings.environment()}
        self._child = processes.spawn([sys.executable, "-m", "infra.cli", "ingest"], self._log, environment)
        alive = self._child.poll
        told = self._log.read_text
        wait_until(self._ready, _PATIENCE_SECONDS, lambda: alive() is None, told)

    def kill(self) -> None:
        """kill -9."""
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        """Let it end in order."""
        processes.stop(self._child, 20.0)


def _environment() -> dict[str, str]:
    """This process's environment without settings of the platform."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ROUNDTRIP_")}


def run(kills: int, seed: int, seconds: float = 3600.0) -> tuple[Run, list[str]]:
    """One run, with fewer kills where they would take longer; what was sent, and what is wrong."""
    made = Run(seed)
    with servers() as running:
        running.start_worker()
        doors = [Door(running, f"ingest-{number}") for number in range(2)]
        try:
            for door in doors:
                door.start()
            asyncio.run(_fight(made, doors, running, kills, seconds))
        finally:
            for door in doors:
                door.stop()
        said = made.judge(_in_log(running))
        said += [f"store: {one}" for one in made.judge(_in_store(running))]
    return made, said


async def _fight(made: Run, doors: list[Door], running: Servers, kills: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        for number in range(POSTERS):
            tasks.create_task(_post(made, doors, running, random.Random(made.seed * 100 + number)))
        rng = random.Random(made.seed)
        for number in range(kills):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(rng.uniform(0.05, 0.6))
            door = doors[number % len(doors)]
            await asyncio.to_thread(door.kill)
            made.kills += 1
            await asyncio.to_thread(door.start)
        await asyncio.sleep(0.5)
        made.over = True


async def _post(made: Run, doors: list[Door], running: Servers, rng: random.Random) -> None:
    account = running.account
    connections = [Connection(door.url, account.key, account.secret, timeout=30.0) for door in doors]
    mine: list[Batch] = []
    while not made.over:
        chance = rng.random()
        if chance < 0.15 and mine:
            # Again: whatever became of it, equal content is taken.
            await _send(rng.choice(connections), rng.choice(mine))
        elif chance < 0.35:
            ids = _ids(rng)
            fight = [Batch({one: uuid.UUID(int=rng.getrandbits(128)).hex for one in ids}) for _ in range(3)]
            made.batches += fight
            made.fights.append(fight)
            others = [Connection(door.url, account.key, account.secret, timeout=30.0) for door in (*doors, *doors)]
            await asyncio.gather(*(_send(other, one) for other, one in zip(others, fight, strict=False)))
            for other in others:
                other.close()
        else:
            batch = Batch({one: uuid.UUID(int=rng.getrandbits(128)).hex for one in _ids(rng)})
            made.batches.append(batch)
            mine.append(batch)
            await _send(rng.choice(connections), batch)
    for connection in connections:
        connection.close()


async def _send(connection: Connection, batch: Batch) -> None:
    """Post once: a client that gives up is what leaves a batch unanswered."""
    try:
        batch.statuses.append((await connection.request("POST", "/statements", batch.body())).status)
    except (OSError, EOFError):
        batch.statuses.append(0)
        await asyncio.sleep(0.05)


def _ids(rng: random.Random) -> list[str]:
    return [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(rng.choice(_SIZES))]


def _statement(one: str, content: str) -> dict[str, Any]:
    return {
        "id": one,
        "actor": {"account": {"homePage": "https://school.example", "name": f"s{int(one[:8], 16) % STUDENTS}"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
        "object": {"id": f"https://p.example/items/{int(one[9:13], 16) % 50}"},
        "result": {"response": content, "success": True},
        "timestamp": "2025-11-20T10:00:00Z",
    }


def _in_log(running: Servers) -> dict[str, set[str]]:
    """Contents of each id in what was committed to the log."""
    codec = envelope_codec(FileSchemaRegistry())
    kept: dict[str, set[str]] = {}
    for record in read_log(running.settings.kafka, [statements_topic(running.settings.kafka)]):
        for item in codec.decode(record.value).items:
            kept.setdefault(item.statement_id, set()).add(_content(item.statement))
    return kept


def _in_store(running: Servers) -> dict[str, set[str]]:
    """Contents of each id in the store, once the worker has written all of the log."""
    ids = set(_in_log(running))
    client = running.store()
    asked = "SELECT toString(statement_id), json FROM statements FINAL"

    def written() -> bool:
        return int(client.query("SELECT count() FROM statements FINAL").result_rows[0][0]) >= len(ids)

    wait_until(written, _PATIENCE_SECONDS, pause=0.5)
    kept: dict[str, set[str]] = {}
    for one, statement in client.query(asked).result_rows:
        kept.setdefault(one, set()).add(_content(statement))
    return kept


def _content(statement: bytes | str) -> str:
    found = msgspec.json.decode(statement)["result"]["response"]
    assert isinstance(found, str)
    return found


def main() -> int:
    """The command; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how often a process is killed")
    parser.add_argument("--seed", type=int, default=1, help="of the plan; times are as they come")
    parser.add_argument("--seconds", type=float, default=3600.0, help="kill for so long at most")
    given = parser.parse_args()
    began = time.monotonic()
    made, said = run(given.kills, given.seed, given.seconds)
    for one in said[:20]:
        print(one)
    print(f"{made.told()}; {time.monotonic() - began:.0f} s; {len(said)} faults")
    return 1 if said or made.kills < given.kills else 0


if __name__ == "__main__":
    sys.exit(main())
