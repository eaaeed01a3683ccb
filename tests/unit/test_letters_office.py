"""What goes into the log when a letter is replayed: which items, to which partition, counted how."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from kafka.errors import KafkaTimeoutError

from infra.runtime.settings import KafkaSettings
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import envelope_codec
from schemas.events import CREDIT, REMOVAL, DeadLetter, Envelope, Item
from schemas.partitioning import partition_of
from streams.dead_letters import CUT_BYTES
from streams.ledger import told_counts, told_replay
from streams.letters.decisions import REPLAYED, Count, Decision
from streams.letters.log import Letter
from streams.letters.office import Office, Standing
from streams.letters.payload import RepairError
from streams.letters.place import Place, place_of
from streams.processor import Record
from tests.fixtures.envelopes import FIRST_DAY_US, Mix, make_items

PARTITIONS = 4
CODEC = envelope_codec(FileSchemaRegistry())
ITEMS = list(make_items(12, 3, Mix(students=8, skills=2, items=4, attempts=0.5, filler=0)))


class Log:
    """Records of the log, and what was replayed into it."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int, int], bytes] = {}
        self.replayed: dict[int, dict[Place, int]] = {}

    def record(self, topic: str, partition: int, offset: int) -> Record | None:
        value = self.held.get((topic, partition, offset))
        return None if value is None else Record(partition, offset, value)

    def replays(self, _topic: str, partition: int, _since: int) -> dict[Place, int]:
        return self.replayed.get(partition, {})

    def end(self, _topic: str, partition: int) -> int:
        return 500 + partition


class Decisions:
    def __init__(self) -> None:
        self.written: list[tuple[str, dict[Place, Count], str, int]] = []
        self.accepted: list[tuple[int, int, int]] = []

    def write(
        self, decision: str, counts: dict[Place, Count], *, reason: str, by: str, at: int, times: int = 1
    ) -> None:
        self.written.append((decision, dict(counts), reason, times))

    def accept(self, generation: int, partition: int, until: int, **_: Any) -> None:
        self.accepted.append((generation, partition, until))


class Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[int, Envelope, list[tuple[str, bytes]]]] = []
        self.away = False

    def send(self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]) -> Any:
        if self.away:
            raise KafkaTimeoutError
        assert topic == "statements"
        self.sent.append((partition, CODEC.decode(value), headers))
        return SimpleNamespace(get=lambda timeout: SimpleNamespace(offset=100 + len(self.sent)))


class Desk:
    def __init__(self) -> None:
        self.log, self.decisions, self.producer = Log(), Decisions(), Producer()
        self.office = Office(
            cast(Any, self.log), cast(Any, self.decisions), lambda: cast(Any, self.producer), CODEC,
            KafkaSettings(partitions=PARTITIONS), lambda: 7,
        )  # fmt: skip


def standing(
    payload: bytes,
    reason: str = "statement_invalid",
    index: int = 0,
    message: str = "",
    statements: dict[str, int] | None = None,
    decision: Decision | None = None,
) -> Standing:
    event = DeadLetter("statements", 1, 2, 30, index, "a", "", FIRST_DAY_US, reason, message, payload, 5)
    counted = Count({ITEMS[0].provider_id: 1} if statements is None else statements, FIRST_DAY_US)
    return Standing(Letter(place_of(event), event), counted, decision)


def of_item(item: Item, **more: Any) -> Standing:
    return standing(msgspec.json.encode(item), **more)


def counts(items: Iterable[Item]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in items:
        found[item.provider_id] = found.get(item.provider_id, 0) + 1
    return found


def test_an_item_goes_to_its_students_partition_and_is_not_counted_again() -> None:
    desk, letter = Desk(), of_item(ITEMS[0])
    sent = desk.office.replay(letter, desk.office.ready(letter), by="ops")
    [(partition, envelope, headers)] = desk.producer.sent
    assert partition == partition_of(ITEMS[0].student_id, PARTITIONS)
    assert envelope.items == [ITEMS[0]]
    assert told_counts(headers) == {}
    replay = told_replay(headers)
    assert (replay.partition, replay.offset, replay.index, replay.counts) == (2, 30, 0, {ITEMS[0].provider_id: 1})
    assert sent.where == f"1/{partition}/101/0"
    assert [(written[0], written[2]) for written in desk.decisions.written] == [(REPLAYED, ""), (REPLAYED, sent.where)]


def test_another_student_is_another_partition() -> None:
    desk, letter = Desk(), of_item(ITEMS[0])
    other = next(i.student_id for i in ITEMS if partition_of(i.student_id, 4) != partition_of(ITEMS[0].student_id, 4))
    desk.office.replay(letter, desk.office.ready(letter, msgspec.json.encode({"student_id": other})), by="ops")
    assert desk.producer.sent[0][0] == partition_of(other, PARTITIONS)


def test_what_was_cut_is_taken_from_its_record_while_the_log_has_it() -> None:
    desk = Desk()
    letter = standing(b"x" * CUT_BYTES, index=1, message=f"broken (the first {CUT_BYTES} of 900000 bytes)")
    with pytest.raises(RepairError, match="no longer in the log"):
        desk.office.ready(letter)
    desk.log.held["statements", 2, 30] = CODEC.encode(Envelope("i", 5, ITEMS[:3]))
    assert desk.office.ready(letter) == [ITEMS[1]]


def test_a_row_that_was_refused_is_replayed_from_its_record_and_else_from_itself() -> None:
    desk = Desk()
    row = {name: value for name, value in msgspec.structs.asdict(ITEMS[0]).items() if name != "flags"}
    letter = standing(msgspec.json.encode(row), reason="refused_by_statements")
    assert desk.office.ready(letter) == [msgspec.structs.replace(ITEMS[0], flags=0)]
    desk.log.held["statements", 2, 30] = CODEC.encode(Envelope("i", 5, [ITEMS[5]]))
    assert desk.office.ready(letter) == [ITEMS[5]]
    with pytest.raises(RepairError, match="roundtrip rebuild"):
        desk.office.ready(standing(b"{}", reason="refused_by_skill_states"))


def test_a_whole_record_is_shared_out_to_the_partitions_of_its_students() -> None:
    desk = Desk()
    letter = standing(CODEC.encode(Envelope("i", 5, ITEMS)), "undecodable", -1, statements=counts(ITEMS))
    desk.office.replay(letter, desk.office.ready(letter), by="ops")
    assert sorted(item.statement_id for _, envelope, _ in desk.producer.sent for item in envelope.items) == sorted(
        item.statement_id for item in ITEMS
    )
    for partition, envelope, headers in desk.producer.sent:
        assert {partition_of(item.student_id, PARTITIONS) for item in envelope.items} == {partition}
        assert (told_counts(headers), told_replay(headers).counts) == ({}, counts(envelope.items))


def test_a_record_whose_count_could_not_be_read_is_counted_when_it_is_replayed() -> None:
    desk = Desk()
    letter = standing(CODEC.encode(Envelope("i", 5, ITEMS[:1])), "undecodable", -1, statements={"": 0})
    desk.office.replay(letter, desk.office.ready(letter), by="ops")
    [(_, _, headers)] = desk.producer.sent
    assert (told_counts(headers), told_replay(headers).counts) == ({ITEMS[0].provider_id: 1}, {})


def test_members_of_groups_and_our_own_events_are_replayed_and_count_for_nothing() -> None:
    for flags, statement in ((CREDIT, ITEMS[0].statement), (REMOVAL, b"{}")):
        desk = Desk()
        letter = of_item(msgspec.structs.replace(ITEMS[0], flags=flags, statement=statement), statements={"a": 0})
        desk.office.replay(letter, desk.office.ready(letter), by="ops")
        [(_, _, headers)] = desk.producer.sent
        assert (told_counts(headers), told_replay(headers).counts) == ({}, {})


def test_asked_again_nothing_is_sent_unless_it_is_wanted_and_then_it_is_taken_off_twice() -> None:
    decided = Decision(REPLAYED, "1/2/99/0", "ops", 5, 1)
    desk, letter = Desk(), of_item(ITEMS[0], decision=decided)
    assert desk.office.replay(letter, [ITEMS[0]], by="ops") == (letter.letter.place, "1/2/99/0", True)
    assert not desk.producer.sent
    assert not desk.decisions.written
    desk.office.replay(letter, [ITEMS[0]], by="ops", again=True)
    assert len(desk.producer.sent) == 1
    assert [written[3] for written in desk.decisions.written] == [2, 2]


def test_kafka_away_leaves_a_decision_that_is_taken_up_later() -> None:
    desk, letter = Desk(), of_item(ITEMS[0])
    desk.producer.away = True
    with pytest.raises(KafkaTimeoutError):
        desk.office.replay(letter, [ITEMS[0]], by="ops")
    desk.producer.away = False
    undone = letter._replace(decision=Decision(REPLAYED, "", "ops", 7, 1))
    desk.office.replay(undone, [ITEMS[0]], by="ops")
    assert len(desk.producer.sent) == 1
    assert {written[3] for written in desk.decisions.written} == {1}


def test_what_had_been_published_before_the_end_is_not_published_again() -> None:
    desk = Desk()
    undone = of_item(ITEMS[0], decision=Decision(REPLAYED, "", "ops", 7, 1))
    partition = partition_of(ITEMS[0].student_id, PARTITIONS)
    desk.log.replayed[partition] = {undone.letter.place: 77}
    assert desk.office.replay(undone, [ITEMS[0]], by="ops").where == f"1/{partition}/77/0"
    assert desk.producer.sent == []


def test_an_acceptance_is_about_what_the_log_holds_now() -> None:
    desk = Desk()
    assert desk.office.accept(2, reason="told", by="ops") == 501
    assert desk.decisions.accepted == [(1, 2, 501)]
