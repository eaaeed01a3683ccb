"""Dead letters as an operator works with them, over a worker, real Kafka and the real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from infra.cli import app
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import envelope_codec
from schemas.events import Envelope, Item
from streams.letters.office import Office, open_office
from streams.letters.place import parse_place
from tests.fixtures.envelopes import Mix, make_items
from tests.fixtures.workers import Lab

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

MIX = Mix(students=20, skills=4, items=10, attempts=0.5, filler=20)
_BALANCE = """SELECT
    (SELECT sum(statements) FROM ledger FINAL),
    (SELECT count() FROM statements FINAL),
    (SELECT sumIf(statements, outcome = 'duplicate') FROM outcomes FINAL),
    (SELECT sumIf(statements, outcome = 'dead') FROM outcomes FINAL),
    (SELECT sum(statements) FROM dead_letter_decisions FINAL WHERE decision = 'replayed')"""


class Desk:
    """An operator's terminal beside a lab."""

    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lab = lab
        for name, value in lab.settings.environment().items():
            monkeypatch.setenv(name, value)

    def run(self, *arguments: str, fails: bool = False) -> str:
        result = CliRunner().invoke(app, ["dead-letters", *arguments])
        assert bool(result.exit_code) == fails, result.output + repr(result.exception)
        return result.output + (str(result.exception) if fails else "")

    def places(self, *arguments: str) -> list[str]:
        """Positions that `list` prints for this lab's log."""
        mine = f"{self._lab.settings.kafka.generation}/"
        return [line.split()[0] for line in self.run("list", *arguments).splitlines() if line.startswith(mine)]

    def balance(self) -> tuple[int, int, int, int]:
        """Accepted, stored, duplicates, dead; checks that nothing is missing or too much when nothing is in flight."""
        with self._lab.client() as client:
            accepted, stored, duplicates, dead, replayed = client.query(_BALANCE).result_rows[0]
        assert accepted == stored + duplicates + dead - replayed
        return accepted, stored, duplicates, dead - replayed


@pytest.fixture
def desk(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(lab, monkeypatch)


def test_a_letter_is_repaired_and_replayed_and_counts_once(lab: Lab, desk: Desk, tmp_path: Path) -> None:
    good = list(make_items(40, 5, MIX))
    broken = msgspec.structs.replace(good[7], statement=good[7].statement.replace(b'"answered"', b"answered", 1)[:-1])
    lab.start_worker()
    lab.publish([*good[:7], broken, *good[8:]])
    lab.wait_for_the_end()
    assert desk.balance() == (40, 39, 0, 1)
    [place] = desk.places()
    shown = desk.run("show", place)
    assert "statement_undecodable" in shown
    assert f"roundtrip dead-letters replay {place} --file" in shown
    assert "would be put aside again" in desk.run("replay", place, fails=True)
    assert desk.balance() == (40, 39, 0, 1)

    file = tmp_path / "item.json"
    item = json.loads(desk.run("show", place, "--payload"))
    item["statement"] = json.loads(good[7].statement)
    file.write_text(json.dumps({**item, "provider_id": "somebody"}))
    assert "provider_id may not be changed" in desk.run("replay", place, "--file", str(file), fails=True)
    file.write_text(json.dumps(item))
    assert "goes to" in desk.run("replay", place, "--file", str(file), "--by", "ops")
    lab.wait_for_the_end()
    assert desk.balance() == (40, 40, 0, 0)
    assert desk.places() == []
    assert "replayed by ops" in desk.run("list", "--all")

    assert "had been replayed" in desk.run("replay", place, "--file", str(file))
    lab.wait_for_the_end()
    assert desk.balance() == (40, 40, 0, 0)
    assert "had been replayed" in desk.run("replay", place, "--file", str(file), "--again")
    lab.wait_until(lambda: desk.balance() == (40, 40, 1, -1))

    assert "was replayed" in desk.run("discard", place, "--reason", "too late", fails=True)


def test_many_letters_are_replayed_at_once_and_discarding_needs_a_reason(lab: Lab, desk: Desk) -> None:
    codec = envelope_codec(FileSchemaRegistry())
    good = list(make_items(30, 6, MIX))
    [first, second] = [list(make_items(5, seed, MIX)) for seed in (7, 8)]
    lab.start_worker()
    lab.publish(good)
    lab.publish([msgspec.structs.replace(good[3], digest=1), msgspec.structs.replace(good[4], digest=2)])
    whole = codec.encode(Envelope("ingest-test", first[0].stored, first))
    counts: dict[str, int] = {}
    for item in first:
        counts[item.provider_id] = counts.get(item.provider_id, 0) + 1
    lab.publish_bytes(1, whole[:-3], counts)
    lab.publish_bytes(2, b"no framing", {second[0].provider_id: 5})
    lab.wait_for_the_end()
    assert desk.balance() == (42, 30, 0, 12)
    assert len(desk.places("--reason", "conflict")) == 2
    undecodable = desk.places("--reason", "undecodable")
    assert "no framing" in desk.run("show", next(p for p in undecodable if p.split("/")[1] == "2"))
    assert "still cannot be decoded" in desk.run("replay", "--reason", "undecodable", "--yes", fails=True)
    assert desk.balance() == (42, 30, 0, 12)

    desk.run("discard", *undecodable, "--reason", " ", fails=True)
    desk.run("discard", *undecodable, "--reason", "the provider sends them again", "--by", "ops")
    assert desk.balance() == (42, 30, 0, 12)
    assert "discarded by ops" in desk.run("list", "--all")

    conflicts = desk.places()
    assert "goes to" in desk.run("replay", "--reason", "conflict", "--provider", good[3].provider_id, "--yes")
    lab.wait_for_the_end()
    assert desk.balance() == (42, 30, 0, 12)
    assert len(desk.places("--reason", "conflict")) == 2
    assert desk.places() != conflicts, "a conflict that is replayed as it is becomes another letter"


def test_a_whole_record_is_replayed_when_its_bytes_decode_now(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(lab, monkeypatch)
    items = list(make_items(12, 9, MIX))
    counts: dict[str, int] = {}
    for item in items:
        counts[item.provider_id] = counts.get(item.provider_id, 0) + 1
    lab.start_worker()
    lab.publish_bytes(3, b"of a newer version", counts)
    lab.wait_for_the_end()
    assert desk.balance() == (12, 0, 0, 12)
    [place] = desk.places()

    decoded = Office._decoded

    def upgraded(self: Office, value: bytes) -> list[Item]:
        return items if value == b"of a newer version" else decoded(self, value)

    monkeypatch.setattr(Office, "_decoded", upgraded)
    desk.run("replay", place)
    lab.wait_until(lambda: desk.balance() == (12, 12, 0, 0))
    assert lab.count("statements") == 12


def test_a_replay_that_died_before_it_was_published_is_taken_up_and_one_that_died_after_is_not_sent_twice(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(lab, monkeypatch)
    good = list(make_items(2, 11, MIX))
    lab.start_worker()
    lab.publish([msgspec.structs.replace(item, timestamp=-1) for item in good])
    lab.wait_for_the_end()
    before, after = map(parse_place, desk.places())

    def die(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    with lab.client() as client, open_office(lab.settings, client) as office:
        standing = {s.letter.place: s for s in office.letters()}
        mended = [
            msgspec.structs.replace(office.items(standing[place].letter)[0], timestamp=good[0].timestamp)
            for place in (before, after)
        ]
        with monkeypatch.context() as patch:
            patch.setattr(Office, "_publish", die)
            with pytest.raises(KeyboardInterrupt):
                office.replay(standing[before], mended[:1], by="ops")
        publish, sent = Office._publish, list[int]()

        def publish_and_die(*arguments: Any) -> int:
            sent.append(publish(*arguments))
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Office, "_publish", publish_and_die)
            with pytest.raises(KeyboardInterrupt):
                office.replay(standing[after], mended[1:], by="ops")
        lab.wait_until(lambda: lab.count("statements") == 1)

        standing = {s.letter.place: s for s in office.letters()}
        for place, item in zip((before, after), mended, strict=True):
            office.replay(standing[place], [item], by="ops")
    lab.wait_until(lambda: desk.balance() == (2, 2, 0, 0))
    with lab.client() as client:
        found = client.query("SELECT (partition, offset, idx), reason FROM dead_letter_decisions FINAL").result_rows
        where: dict[tuple[int, ...], str] = {row[0]: row[1] for row in found}
    assert where[after[1:4]].split("/")[2] == str(sent[0])
