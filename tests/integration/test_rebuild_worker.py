"""rebuild and replay as an operator types them, beside a live worker: state ends exact, and what changed is told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest
from clickhouse_connect.driver.client import Client

from infra.dev import processes
from infra.dev.ports import any_free
from tests.fixtures.envelopes import Mix, make_items
from tests.fixtures.workers import Lab

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

MIX = Mix(students=40, skills=6, items=30, attempts=0.6, filler=50)


def roundtrip(lab: Lab, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command; its exit code, and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.cli", *arguments],
        env={**os.environ, **lab.settings.environment(), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def fill(lab: Lab, count: int, seed: int) -> None:
    lab.publish(make_items(count, seed, MIX), size=10)
    lab.start_worker()
    lab.wait_for_the_end()


def assert_equals_the_reference(lab: Lab, but: Sequence[str] = ()) -> None:
    found, expected = lab.tables(), lab.reference()
    for table, rows in expected.items():
        if table not in but:
            assert found[table] == rows, table


def spoil(client: Client, table: str, change: str, where: str) -> None:
    client.command(f"INSERT INTO {table} SELECT * REPLACE ({change}) FROM {table} FINAL WHERE {where}")


def lose(client: Client, table: str, where: str) -> None:
    client.command(f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 2")


def a_student(client: Client) -> str:
    query = "SELECT student_id FROM skill_states FINAL GROUP BY 1 HAVING count() > 2 ORDER BY 1 LIMIT 1"
    return str(client.query(query).result_rows[0][0])


def test_a_rebuild_of_all_beside_live_traffic_agrees_and_loses_nothing(lab: Lab) -> None:
    fill(lab, 1_000, 1)
    stop = threading.Event()

    def post() -> None:
        seed = 100
        while not stop.is_set():
            lab.publish(make_items(40, seed, MIX), size=4)
            seed += 1
            stop.wait(0.2)

    posting = threading.Thread(target=post)
    posting.start()
    try:
        results = [roundtrip(lab, "rebuild", "--all") for _ in range(2)]
    finally:
        stop.set()
        posting.join()
    for code, told in results:
        assert code == 0, told
        assert "live and rebuilt agree" in told
    lab.wait_for_the_end()
    assert_equals_the_reference(lab)
    code, told = roundtrip(lab, "rebuild", "--all", "--check")
    assert (code, "live and rebuilt agree" in told) == (0, True), told


def test_a_student_that_a_worker_remembers_wrongly_is_right_again_through_the_log(lab: Lab) -> None:
    fill(lab, 600, 2)
    with lab.client() as client:
        student = a_student(client)
        processes.stop(lab.workers[-1], 20)
        spoil(client, "student_states", "rating + 2 AS rating", f"student_id = '{student}'")
        spoil(client, "skill_states", "rating - 1 AS rating", f"student_id = '{student}'")
    lab.start_worker()
    more = [item for item in make_items(900, 3, MIX) if item.student_id == student]
    assert not more, "seeds make students of their own"
    later = [item for item in make_items(600, 2, MIX) if item.student_id == student]
    moved = [make_later(item) for item in later]
    lab.publish(moved[: len(moved) // 2])
    lab.wait_for_the_end()  # the worker has read the wrong rows, and goes on from them
    code, told = roundtrip(lab, "rebuild", "--student", student)
    assert code == 1, told
    assert f"student_states · student {student} · rating: live " in told
    assert "corrected; the workers fold these students again" in told
    lab.publish(moved[len(moved) // 2 :])
    lab.wait_for_the_end()
    assert_equals_the_reference(lab)
    code, told = roundtrip(lab, "rebuild", "--student", student, "--check")
    assert (code, "live and rebuilt agree" in told) == (0, True), told


def make_later(item):
    """The same a month later, under an id of its own."""
    import uuid

    import msgspec

    month = 30 * 86_400_000_000
    fresh = str(uuid.uuid5(uuid.NAMESPACE_OID, item.statement_id))
    return msgspec.structs.replace(
        item, statement_id=fresh, timestamp=item.timestamp + month, stored=item.stored + month
    )


def test_a_replay_of_exact_state_changes_nothing(lab: Lab) -> None:
    fill(lab, 500, 4)
    lab.publish_bytes(1, b"no framing", {"provider-a": 3})
    lab.publish(list(make_items(500, 4, MIX))[:50])
    lab.wait_for_the_end()
    with lab.client() as client:
        before = [client.query(f"SELECT * FROM {table} FINAL ORDER BY ALL").result_rows for table in TABLES]
        code, told = roundtrip(lab, "replay", "--from", "1h")
        assert (code, "nothing changed" in told) == (0, True), told
        assert "553 statements" in told
        after = [client.query(f"SELECT * FROM {table} FINAL ORDER BY ALL").result_rows for table in TABLES]
    assert before == after


TABLES = (
    "ledger", "statements", "credits", "attempts", "outcomes", "removals", "student_days", "skill_states",
    "student_states",
)  # fmt: skip


def test_a_replay_restores_rows_that_are_missing_beside_a_worker_that_is_ahead(lab: Lab) -> None:
    fill(lab, 500, 5)
    lab.publish(list(make_items(500, 5, MIX))[:20])  # duplicates
    lab.wait_for_the_end()
    with lab.client() as client:
        lose(client, "statements", "cityHash64(statement_id) % 4 = 0")
        lose(client, "attempts", "cityHash64(statement_id) % 5 = 0")
        lose(client, "outcomes", "idx % 2 = 0")
        lose(client, "student_days", "cityHash64(student_id) % 3 = 0")
        lose(client, "skill_states", "cityHash64(student_id) % 3 = 0")
        lose(client, "student_states", "cityHash64(student_id) % 3 = 0")
    code, told = roundtrip(lab, "replay", "--from", "2h", "--check")
    assert (code, "nothing was changed" in told) == (1, True), told
    code, told = roundtrip(lab, "replay", "--from", "2h", "--show", "10000")
    assert code == 1, told
    for table in ("statements", "attempts", "outcomes"):
        assert f"\n{table} · " in f"\n{told}"
    assert "student_states · student " in told
    lab.publish(make_items(200, 6, MIX))
    lab.wait_for_the_end()
    assert_equals_the_reference(lab, but=["outcomes"])
    assert len(lab.tables()["outcomes"]) == len(lab.reference()["outcomes"])
    code, told = roundtrip(lab, "replay", "--from", "2h")
    assert (code, "nothing changed" in told) == (0, True), told


def test_what_an_operator_gets_wrong_is_told_in_a_line(lab: Lab) -> None:
    port = any_free()
    nowhere = {"ROUNDTRIP_CLICKHOUSE__HOST": "127.0.0.1", "ROUNDTRIP_CLICKHOUSE__PORT": str(port)}
    nobody = "8f2f3a1c-3b1e-4d63-9a55-0a6b7c1d2e3f"
    for arguments, expected in [
        (("rebuild",), "Give one of --all, --school ID and --student ID"),
        (("rebuild", "--all", "--school", "x"), "Give one of"),
        (("rebuild", "--student", "me"), "'me' is no id of a student"),
        (("rebuild", "--student", nobody), f"nothing is stored of student {nobody}"),
        (("rebuild", "--school", "nowhere"), "no student of school 'nowhere' is in the roster"),
        (("rebuild", "--all"), "nothing is stored"),
        (("replay", "--from", "yesterday"), "'yesterday' is no time"),
        (("replay", "--from", "1h", "--to", "2h"), "--to is not after --from"),
        (("replay", "--from", "2099-01-01"), "--from has not come yet"),
        (("replay", "--from", "1h"), "the log holds nothing of that time"),
    ]:
        code, told = roundtrip(lab, *arguments)
        assert code == 2, told
        assert expected in told
        assert "Traceback" not in told
        assert len(told.strip().splitlines()) == 1, told
    for arguments in (("rebuild", "--all"), ("replay", "--from", "1h")):
        code, told = roundtrip(lab, *arguments, environment=nowhere)
        assert (code, f"ClickHouse at 127.0.0.1:{port} does not answer" in told) == (2, True), told
        assert "Traceback" not in told
