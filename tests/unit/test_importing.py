"""An import: what it reads, what it posts, what it does with what is refused, and where it goes on."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from infra.dev.bar import Bar
from infra.runtime.registry import migrate, open_registry
from ingest.importers.posting import Poster, PostingError
from ingest.importers.progress import Imports, Progress
from ingest.importers.pulling import Pages
from ingest.importers.refusals import Refusals
from ingest.importers.sources import Files, Found, Position, Source, SourceError
from ingest.importers.xapi import Import, Stopped
from ingest.xapi.terms import VOIDED


def statement(number: int, **changes: Any) -> dict[str, Any]:
    target = {"id": f"https://x.example/{number}"}
    return {"id": str(uuid.UUID(int=number)), "version": "1.0.0", "object": target, **changes}


class Door:
    """Takes batches without a bad statement; tells which are bad, the first reasons of them, or nothing at all."""

    def __init__(self, *bad: int, told: int = 100, tells: bool = True) -> None:
        self.bad = {str(uuid.UUID(int=number)) for number in bad}
        self.told = told
        self.tells = tells
        self.taken: list[dict[str, Any]] = []
        self.versions: list[str] = []
        self.moods: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.moods:
            return httpx.Response(self.moods.pop(), headers={"Retry-After": "0"})
        batch = json.loads(request.content)
        faulty = [number for number, one in enumerate(batch) if one.get("id") in self.bad]
        if not faulty:
            self.taken += batch
            self.versions += [request.headers["x-experience-api-version"]] * len(batch)
            return httpx.Response(200, json=[one["id"] for one in batch])
        faults = [{"rule": "verb", "path": f"$[{number}].verb", "message": "no verb"} for number in faulty[: self.told]]
        body = {"error": "refused", "faults": faults, "faulty": faulty} if self.tells else {"error": "refused"}
        return httpx.Response(400, json=body)


async def post(door: Door, count: int, *, whole: bool = False) -> list[Any]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(door)) as client:
        poster = Poster(client, "http://door/xapi/statements", patience=10.0)
        return await poster.post([json.dumps(statement(n)).encode() for n in range(count)], "1.0.3", whole=whole)


@pytest.mark.parametrize("door", [Door(2, 5), Door(2, 5, told=1), Door(2, 5, tells=False)])
async def test_what_is_refused_is_told_and_all_others_are_accepted(door: Door) -> None:
    refused = await post(door, 8)
    assert [one.number for one in refused] == [2, 5]
    assert sorted(one["id"] for one in door.taken) == [statement(n)["id"] for n in (0, 1, 3, 4, 6, 7)]
    if door.tells:
        assert [one.faults[0]["path"] for one in refused] == ["$.verb", "$.verb"]


async def test_where_one_is_refused_and_all_are_wanted_none_is_accepted() -> None:
    door = Door(2)
    assert [one.number for one in await post(door, 8, whole=True)] == [2]
    assert not door.taken


async def test_a_door_that_is_busy_is_waited_for() -> None:
    door = Door()
    door.moods = [503, 429, 502]
    assert await post(door, 3) == []
    assert len(door.taken) == 3


async def test_a_door_that_knows_no_such_credential_ends_the_import() -> None:
    door = Door()
    door.moods = [401]
    with pytest.raises(PostingError, match="answers 401"):
        await post(door, 3)


class Desk:
    """Runs imports of one source into a door that forgets nothing."""

    def __init__(self, folder: Path, door: Door) -> None:
        self.door = door
        self.engine = open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")
        migrate(self.engine)
        with self.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO providers (provider_id, name, created_at) VALUES ('p', 'P', 1)")
        self.imports = Imports(self.engine, "a source", "p")
        self.beside = folder / "out.refused.jsonl"

    async def run(self, source: Source, *, stop: bool = False, batch: int = 4, fail_after: int = -1) -> Progress:
        left = [fail_after]

        def answer(request: httpx.Request) -> httpx.Response:
            left[0] -= 1
            return httpx.Response(401) if left[0] == -1 else self.door(request)

        before = self.imports.load()
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            poster = Poster(client, "http://door/xapi/statements", patience=1.0)
            refusals = Refusals(self.beside, before.refused_bytes)
            job = Import(
                source, poster, self.imports, refusals, before, batch=batch, default_version="1.0.3", stop=stop
            )
            ended = await job.run()
            assert job.read == ended.accepted + ended.refused
            return ended

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.beside.read_text().splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    made = Desk(tmp_path, Door(3, 10))
    yield made
    made.engine.dispose()


def write(path: Path, numbers: range, pack: Callable[[bytes], bytes] = bytes) -> Path:
    path.write_bytes(pack(json.dumps([statement(number) for number in numbers]).encode()))
    return path


async def test_counts_add_up_and_what_is_refused_stands_beside_with_its_reasons(desk: Desk, tmp_path: Path) -> None:
    ended = await desk.run(Files(write(tmp_path / "dump.json", range(20))))
    assert (ended.accepted, ended.refused, ended.finished) == (18, 2, True)
    assert [one["statement"]["id"] for one in desk.lines()] == [statement(n)["id"] for n in (3, 10)]
    assert desk.lines()[0]["faults"][0]["message"] == "no verb"


async def test_an_import_goes_on_where_it_was_and_counts_nothing_twice(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    write(folder / "1.json.gz", range(10), gzip.compress)
    write(folder / "2.json", range(10, 20))
    for requests in (1, 2, 3):
        with pytest.raises(PostingError):
            await desk.run(Files(folder), fail_after=requests)
        # A line that was written and is not known to be: the process was killed in between.
        with desk.beside.open("ab") as file:
            file.write(b'{"half')
    ended = await desk.run(Files(folder))
    assert (ended.accepted, ended.refused) == (18, 2)
    assert len(desk.lines()) == 2
    assert {one["id"] for one in desk.door.taken} == {statement(n)["id"] for n in range(20)} - desk.door.bad


async def test_an_import_that_is_to_stop_stops_at_what_is_refused(desk: Desk, tmp_path: Path) -> None:
    source = write(tmp_path / "dump.json", range(20))
    with pytest.raises(Stopped, match="no verb"):
        await desk.run(Files(source), stop=True)
    assert desk.imports.load().accepted == 0
    desk.door.bad.clear()
    assert (await desk.run(Files(source), stop=True)).accepted == 20


async def test_what_was_mended_is_imported_from_the_file_of_what_was_refused(desk: Desk, tmp_path: Path) -> None:
    await desk.run(Files(write(tmp_path / "dump.json", range(20))))
    desk.door.bad.clear()
    mended = desk.beside.rename(tmp_path / "mended.refused.jsonl")
    desk.imports = Imports(desk.engine, "the mended ones", "p")
    assert (await desk.run(Files(mended))).accepted == 2


async def test_statements_go_under_the_version_that_they_were_stored_under(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "dump.jsonl"
    versions = ["1.0.0", "2.0.0", "2.0.0", "1.0.3"]
    lines = [json.dumps(statement(20 + n, version=version)) for n, version in enumerate(versions)]
    bare: dict[str, Any] = {"actor": {}, "verb": {}}
    path.write_text("\n".join([*lines, json.dumps(bare)]))
    await desk.run(Files(path))
    assert desk.door.versions == ["1.0.3", "2.0.0", "2.0.0", "1.0.3", "1.0.3"]
    first = desk.door.taken[-1]["id"]
    desk.imports.forget()
    await desk.run(Files(path))
    assert desk.door.taken[-1]["id"] == first, "a statement without an id has the same one each time"


async def read_all(source: Source) -> list[Found]:
    return [one async for one in source.read(Position())]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'[{"id":"1"}', "cut off"), (gzip.compress(b"[]" * 9_000)[:-9], "ended")],
    ids=["an array without an end", "half a gzip"],
)
async def test_a_file_that_was_cut_off_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "dump").write_bytes(content)
    with pytest.raises(SourceError, match=words):
        await read_all(Files(tmp_path / "dump"))


async def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        Files(tmp_path / "nothing")


class Other:
    """An LRS with pages; its links can be forgotten."""

    def __init__(self) -> None:
        void = {"verb": {"id": VOIDED}, "object": {"objectType": "StatementRef", "id": str(uuid.UUID(int=99))}}
        self.statements = [statement(n, stored=f"2026-01-01T00:00:{n:02}Z", verb={"id": "did"}) for n in range(10)]
        self.statements[5] |= void
        self.forgets = False
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        parameters = {name: values[0] for name, values in parse_qs(urlsplit(str(request.url)).query).items()}
        if "voidedStatementId" in parameters:
            return httpx.Response(200, json=statement(99, stored="2025-01-01T00:00:00Z"))
        if "cursor" in parameters and self.forgets:
            return httpx.Response(404)
        begin = int(parameters.get("cursor", 0))
        if "since" in parameters:
            begin = next(n for n, one in enumerate(self.statements) if one["stored"] > parameters["since"][:19])
        page = self.statements[begin : begin + 3]
        more = f"/xapi/statements?cursor={begin + 3}" if begin + 3 < len(self.statements) else ""
        return httpx.Response(200, json={"statements": page, "more": more})


async def pull(desk: Desk, other: Other, fail_after: int = -1) -> Progress:
    async with httpx.AsyncClient(transport=httpx.MockTransport(other)) as client:
        pages = Pages(client, "https://other.example/xapi", limit=3, patience=1.0)
        return await desk.run(pages, batch=2, fail_after=fail_after)


async def test_another_lrs_is_read_page_by_page_voided_statements_included(desk: Desk) -> None:
    desk.door.bad.clear()
    other = Other()
    ended = await pull(desk, other)
    numbers = [uuid.UUID(one["id"]).int for one in desk.door.taken]
    assert numbers == [0, 1, 2, 3, 4, 99, 5, 6, 7, 8, 9]
    assert (ended.accepted, ended.refused) == (11, 0)
    assert "ascending=true" in other.asked[0]


@pytest.mark.parametrize("forgets", [False, True], ids=["its links hold", "its links are forgotten"])
async def test_a_pull_goes_on_where_it_was(desk: Desk, forgets: bool) -> None:
    desk.door.bad.clear()
    other = Other()
    with pytest.raises(PostingError):
        await pull(desk, other, fail_after=4)
    other.forgets = forgets
    if forgets:
        with pytest.raises(SourceError):
            await pull(desk, other)  # the page after the one that is read again has a forgotten link, too
        other.forgets = False
    ended = await pull(desk, other)
    assert {uuid.UUID(one["id"]).int for one in desk.door.taken} == {*range(10), 99}
    assert ended.finished
    if not forgets:
        assert ended.accepted == 11


async def test_a_link_to_another_host_gets_no_credential(desk: Desk) -> None:
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(
            lambda request: httpx.Response(200, json={"statements": [], "more": "https://elsewhere.example/x"})
        )
    ) as client:
        with pytest.raises(SourceError, match="another host"):
            await desk.run(Pages(client, "https://other.example/xapi", limit=3, patience=1.0))


def test_how_far_something_of_unknown_length_is_is_told_without_a_share(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.dev.bar.LINE_EVERY", 0.0)
    with Bar("import", 0) as unknown, Bar("import", 8) as known:
        unknown.show(3, "3 accepted")
        known.show(2, "2 accepted")
    assert capsys.readouterr().out == "import · 3 accepted\nimport 25% · 2 accepted\n"
