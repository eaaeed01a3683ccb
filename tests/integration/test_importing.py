"""``roundtrip import xapi`` as a process of its own, against the real door: killed, gone on with, and asked twice."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from schemas.registry.lrs import statement_imports
from tests.fixtures.door import Door
from tests.fixtures.live import Running, running

pytestmark = pytest.mark.kafka

COUNT = 3_000


def statement(number: int) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
        "actor": {"mbox": f"mailto:student{number % 50}@school.example"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
        "object": {"id": f"https://items.example/{number}"},
        "timestamp": "2025-03-01T10:00:00Z",
        "stored": "2025-03-01T10:00:01Z",
        "authority": {"account": {"homePage": "https://other.example", "name": "somebody"}},
        "version": "1.0.0",
    }


async def start(door: Door, service: Running, source: Path, *options: str) -> asyncio.subprocess.Process:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ROUNDTRIP_")},
        **door.settings.environment(),
        "ROUNDTRIP_IMPORT_KEY": "key-p1",
        "ROUNDTRIP_IMPORT_SECRET": "secret",
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.cli", "import", "xapi", str(source), "--provider", "p1"),
        *("--endpoint", f"{service.url}/xapi", *options),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(240):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


def accepted(door: Door) -> int:
    with door.engine.connect() as connection:
        return connection.scalar(select(statement_imports.c.accepted)) or 0


async def test_an_import_that_is_killed_goes_on_and_its_counts_add_up(door: Door, tmp_path: Path) -> None:
    broken = {**statement(COUNT), "verb": {"id": "no IRI"}}
    source = tmp_path / "dump.jsonl"
    source.write_text("".join(f"{json.dumps(one)}\n" for one in [*map(statement, range(COUNT)), broken]) + "{half")
    async with running(door.settings) as service:
        for least in (20, 400):
            process = await start(door, service, source, "--batch", "20")
            async with asyncio.timeout(120):
                while accepted(door) < least:
                    assert process.returncode is None, (await ended(process))[1]
                    await asyncio.sleep(0.01)
            process.kill()
            await process.communicate()
            assert accepted(door) < COUNT, "it was killed on the way"
        code, told = await ended(await start(door, service, source, "--batch", "200"))
        again, told_again = await ended(await start(door, service, source))
    assert (code, again) == (1, 0), told
    assert f"{COUNT + 2:,} read = {COUNT:,} accepted + 2 refused" in told
    assert "imported before" in told_again
    beside = tmp_path / "dump.jsonl.refused.jsonl"
    refused = [json.loads(line) for line in beside.read_text().splitlines()]
    assert [one["place"].split(",")[0] for one in refused] == ["dump.jsonl", "dump.jsonl"]
    assert refused[0]["statement"]["id"] == broken["id"]
    assert refused[0]["faults"][0]["path"] == "$.verb.id"
    assert refused[1]["statement"] == "{half"
    items = await asyncio.to_thread(door.items)
    assert {one.statement_id for one in items} == {statement(number)["id"] for number in range(COUNT)}
    kept = json.loads(items[0].statement)
    assert kept["timestamp"] == "2025-03-01T10:00:00Z"
    assert kept["stored"] != "2025-03-01T10:00:01Z"


async def test_what_cannot_begin_is_told_in_one_line(door: Door, tmp_path: Path) -> None:
    async with running(door.settings) as service:
        code, told = await ended(await start(door, service, tmp_path / "nothing.json"))
        assert (code, "there is no such file" in told) == (1, True), told
        code, told = await ended(await start(door, service, tmp_path, "--key", "key-p2"))
        assert (code, "is of provider p2" in told) == (2, True), told
