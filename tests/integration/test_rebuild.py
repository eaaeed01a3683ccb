"""Rows computed again from the statements in the real engine: equal to the live ones, or the difference is named."""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import msgspec
import pytest

from schemas import verbs
from schemas.events import CREDIT, REMOVAL, Item, Removal
from streams.learner.calibration import Calibration
from streams.rebuild import comparing, scope
from streams.rebuild.comparing import Comparison
from streams.rebuild.restoring import Restoring
from streams.rebuild.shadows import Shadows
from streams.rebuild.store import CommandStore
from streams.rows import tables
from tests.fixtures.envelopes import FIRST_DAY_US, Mix, make_items, seeded_uuid
from tests.fixtures.rebuilding import STATES, Filled, Interrupted

pytestmark = pytest.mark.clickhouse

MIX = Mix(students=30, skills=6, items=20, attempts=0.6, filler=20)


def school_year(seed: int, count: int = 600) -> list[Item]:
    """Statements late and out of order, some of them of a group of two."""
    items = list(make_items(count, seed, MIX))
    rng = random.Random(seed)
    students = sorted({item.student_id for item in items})
    rng.shuffle(items)
    told = []
    for item in items:
        told.append(item)
        if rng.random() < 0.1 and (other := rng.choice(students)) != item.student_id:
            told.append(msgspec.structs.replace(item, student_id=other, flags=CREDIT))
    return told


def taken_out(item: Item, reason: str, *, now: int) -> Item:
    """The item that takes a statement out of its student's record."""
    place = Removal(reason, seeded_uuid(random.Random(now)), item.stored, bool(item.flags & CREDIT), 0, 0, 0)
    return msgspec.structs.replace(item, flags=REMOVAL, stored=now, skills=[], statement=msgspec.json.encode(place))


def fill_in_parts(filled: Filled, items: list[Item], size: int = 100) -> None:
    for start in range(0, len(items), size):
        filled.fill(items[start : start + size])


def a_student(filled: Filled, skills: int = 2) -> str:
    """One with states."""
    query = f"SELECT student_id FROM skill_states FINAL GROUP BY 1 HAVING count() >= {skills} ORDER BY 1 LIMIT 1"
    return str(filled.client.query(query).result_rows[0][0])


def test_a_rebuild_of_all_equals_what_is_live(filled: Filled) -> None:
    items = school_year(1)
    fill_in_parts(filled, items)
    filled.fill([taken_out(item, "voided", now=FIRST_DAY_US + n) for n, item in enumerate(items[10:60])])
    filled.fill(school_year(2, 100))
    before = filled.states()
    assert filled.rebuild() == []
    assert filled.states() == before
    assert filled.folded_again == []
    assert filled.client.query("SHOW TABLES LIKE '%rebuilt'").result_rows == []


def test_what_was_moved_to_another_student_and_back_agrees(filled: Filled) -> None:
    items = school_year(3, 200)
    fill_in_parts(filled, items)
    mine = [item for item in items if item.primary][:30]
    filled.fill([taken_out(item, "unlinked", now=FIRST_DAY_US + n) for n, item in enumerate(mine)])
    assert filled.rebuild() == []
    filled.fill([msgspec.structs.replace(item, flags=CREDIT) for item in mine])
    before = filled.states()
    assert filled.rebuild() == []
    assert filled.states() == before
    assert filled.rebuild(student=mine[0].student_id) == []


@pytest.mark.parametrize("scope", ["all", "school", "student"])
def test_a_corrupted_row_is_named_and_repaired_and_its_student_folded_again(filled: Filled, scope: str) -> None:
    fill_in_parts(filled, school_year(4))
    before, student = filled.states(), a_student(filled)
    filled.sink.insert(tables.ROSTER, [(student, "north", 5, (), 1)])
    filled.spoil("skill_states", "rating + 1 AS rating", f"student_id = '{student}' AND skill_id = 'skill-1'")
    filled.spoil("student_days", "statements + 1 AS statements", f"student_id = '{student}'")
    filled.spoil("attempts", "0.25 AS outcome", f"student_id = '{student}'")
    filled.lose("student_states", f"student_id = '{student}'")
    spoilt = filled.states()
    chosen: dict[str, Any] = {"all": {}, "school": {"school": "north"}, "student": {"student": student}}[scope]
    found = filled.rebuild(check=True, **chosen)
    assert filled.states() == spoilt
    assert filled.folded_again == []
    assert {difference.table for difference in found} == set(STATES)
    assert {difference.student_id for difference in found} == {student}
    [rating] = [difference for difference in found if difference.column == "rating"]
    assert (rating.table, rating.key) == ("skill_states", "skill-1")
    assert float(rating.live) == float(rating.rebuilt) + 1
    assert [str(d).rpartition(": ")[2] for d in found if d.table == "student_states"] == ["live no row, rebuilt a row"]
    assert filled.rebuild(**chosen) == found
    assert filled.states() == before
    assert filled.folded_again == [student]
    assert filled.rebuild(**chosen) == []


def test_rows_that_follow_from_nothing_are_taken_away(filled: Filled) -> None:
    fill_in_parts(filled, school_year(5, 200))
    before, student, nobody = filled.states(), a_student(filled), seeded_uuid(random.Random(1))
    filled.spoil("skill_states", "'skill-of-nobody' AS skill_id", f"student_id = '{student}' AND skill_id = 'skill-1'")
    filled.spoil("student_days", "toDate('2020-02-02') AS day", f"student_id = '{student}'")
    for table in STATES:
        filled.spoil(table, f"toUUID('{nobody}') AS student_id", f"student_id = '{student}'")
    assert {str(d).rpartition(": ")[2] for d in filled.rebuild()} == {"live a row, rebuilt no row"}
    assert filled.states() == before


def test_lost_rows_come_back(filled: Filled) -> None:
    fill_in_parts(filled, school_year(6))
    before = filled.states()
    filled.lose("attempts", "cityHash64(statement_id) % 3 = 0")
    filled.lose("student_days", "cityHash64(student_id) % 3 = 0")
    filled.lose("skill_states", "cityHash64(student_id) % 2 = 0")
    assert filled.rebuild() != []
    assert {t: [r[:-1] for r in rows] for t, rows in filled.states().items() if t == "attempts"} == {
        "attempts": [r[:-1] for r in before["attempts"]]
    }
    assert [row[:-4] for row in filled.states()["skill_states"]] == [row[:-4] for row in before["skill_states"]]
    assert filled.states()["student_days"] == before["student_days"]
    assert filled.states()["student_states"] == before["student_states"]
    assert filled.rebuild() == []


def test_what_was_decided_twice_in_one_record_is_the_same_after_replays(filled: Filled) -> None:
    items = school_year(3, 60)
    filled.fill(items)
    item = items[0]
    decisions = [taken_out(item, reason, now=FIRST_DAY_US) for reason in ("unlinked", "voided")]
    records = filled.records(decisions)
    batch = filled.processor.process(records)
    filled.write(batch)
    before = filled.contents("removals")
    assert len(batch.rows[tables.REMOVALS]) == 2
    assert len(before) == 1
    for _ in range(2):
        restoring = Restoring(filled.sink.read, filled.put, filled.generation)
        restoring.restore(records, batch)
        assert not restoring.lines
        assert filled.contents("removals") == before


def test_a_rebuild_that_was_killed_goes_on_where_it_was(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "MOST_STUDENTS", 4)
    fill_in_parts(filled, school_year(7))
    before, student = filled.states(), a_student(filled)
    filled.spoil("skill_states", "0.5 AS mastery", f"student_id = '{student}'")
    with pytest.raises(Interrupted):
        filled.rebuild(stop_after=3)
    assert not filled.resumed
    filled.rebuild()
    assert filled.resumed
    students = len({row[0] for row in before["student_days"]})
    assert sum(step.students for step in filled.told) < students
    assert filled.states() == before
    assert filled.folded_again == [student], "also when it was found before the interruption"
    filled.rebuild()
    assert not filled.resumed


@pytest.mark.parametrize("killed_at", ["exchange", "settle", "carry_over", "drop"])
def test_killed_in_the_middle_of_the_exchange_it_loses_nothing(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    fill_in_parts(filled, school_year(8, 200))
    student, late = a_student(filled), school_year(9, 40)
    filled.spoil("skill_states", "0.5 AS mastery", f"student_id = '{student}'")

    def killed(*_: object) -> None:
        filled.fill(late)  # the worker lives on, and writes into whichever tables bear the names
        raise Interrupted

    with monkeypatch.context() as patch:
        if killed_at == "exchange":  # after two of the four tables
            exchanged, command = count(), CommandStore.command
            patch.setattr(
                CommandStore,
                "command",
                lambda store, sql: (
                    killed() if sql.startswith("EXCHANGE") and next(exchanged) == 2 else command(store, sql)
                ),
            )
        else:
            calls, real = count(), getattr(Shadows, killed_at)
            survived = 1 if killed_at == "drop" else 0  # what an earlier one left is dropped at the beginning
            patch.setattr(Shadows, killed_at, lambda *told: real(*told) if next(calls) < survived else killed())
        with pytest.raises(Interrupted):
            filled.rebuild()
    filled.rebuild()
    assert filled.resumed
    assert student in filled.folded_again
    assert filled.client.query("SHOW TABLES LIKE '%rebuilt'").result_rows == []
    assert filled.rebuild(check=True) == []


def test_what_is_gone_stays_gone_when_a_worker_wakes_up_after_the_exchange(filled: Filled) -> None:
    attempt = next(item for item in school_year(5) if item.skills)
    asleep = filled.processor.process(filled.records([attempt]))
    filled.write(asleep)
    assert filled.contents("skill_states")
    filled.fill([taken_out(attempt, "voided", now=FIRST_DAY_US)])
    assert filled.rebuild() == []
    filled.write(asleep, tell=False)
    assert not any(filled.states().values())


def test_what_is_written_meanwhile_is_carried_over(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "MOST_STUDENTS", 4)
    items = school_year(10, 900)
    fill_in_parts(filled, items[:300])
    waiting = iter([items[n : n + 30] for n in range(300, len(items), 30)])
    real_part, real_exchange = Comparison.correct, Shadows.exchange

    def busy_part(comparison: Comparison, part: scope.Part) -> object:
        filled.fill(next(waiting, []))
        return real_part(comparison, part)

    def busy_exchange(shadows: Shadows, known: list[str]) -> None:
        filled.fill(next(waiting))  # after the last look before the exchange
        real_exchange(shadows, known)

    monkeypatch.setattr(Comparison, "correct", busy_part)
    monkeypatch.setattr(Shadows, "exchange", busy_exchange)
    assert filled.rebuild() == []
    assert filled.folded_again, "who was late in the old tables is folded again"
    monkeypatch.undo()
    for rest in waiting:
        filled.fill(rest)
    assert filled.rebuild(check=True) == []
    assert len(filled.contents("attempts")) == len(
        {(i.student_id, i.timestamp, i.statement_id) for i in items if i.verb == verbs.ANSWERED}
    )


def test_a_batch_that_is_half_written_is_no_difference(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "PAUSE_SECONDS", 0.0)
    items = school_year(11)
    fill_in_parts(filled, items[:300])
    batch = filled.processor.process(filled.records(items[300:]))
    for number in range(len(tables.OF_STATEMENTS) + 1):
        filled.write(batch, tell=False, only=tables.OF_STATEMENTS[number - 1 : number] if number else ())
        assert filled.rebuild(check=True) == [], f"after {number} tables"
    filled.write(batch)
    assert filled.rebuild() == []
    assert sum(len(step.left) for step in filled.told) == 0


def test_rows_of_an_earlier_generation_are_carried_into_this_one(filled: Filled) -> None:
    items = school_year(12, 500)
    fill_in_parts(filled, items[:300])
    filled.restart(generation=2)
    assert filled.rebuild(check=True) == []
    assert filled.rebuild() == []
    assert set(filled.contents("student_states", "generation, watermark")) == {(2, -1)}
    fill_in_parts(filled, items[300:], 50)
    assert filled.rebuild(check=True) == []
    assert filled.rebuild() == []


def test_students_under_another_calibration_are_folded_again_and_are_no_difference(filled: Filled) -> None:
    fill_in_parts(filled, school_year(13, 200))
    filled.calibration = Calibration(4, skills={"skill-1": 0.7})
    assert filled.rebuild() == []
    assert sum(step.outdated for step in filled.told) > 0
    assert set(filled.contents("skill_states", "calibration")) == {(4,)}
    assert filled.rebuild() == []
    assert sum(step.outdated for step in filled.told) == 0


def test_whom_nobody_knows_is_told(filled: Filled) -> None:
    for whom, told in [(scope.Scope(), "nothing is stored"), (scope.Scope("o'hara \\ $x"), "in the roster")]:
        with pytest.raises(scope.NobodyError, match=told):
            scope.size(filled.sink.read, whom)
    with pytest.raises(scope.NobodyError, match="nothing is stored of student"):
        scope.size(filled.sink.read, scope.Scope(student=seeded_uuid(random.Random(3))))
