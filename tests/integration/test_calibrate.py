"""calibrate and calibration as an operator types them, beside a live worker that takes a version up by itself."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infra.runtime.registry import open_registry
from streams import calibrations
from streams.calibrating import from_file, stored
from streams.learner.state import Attempt
from streams.rebuild.store import CommandStore
from tests.fixtures.envelopes import make_items
from tests.fixtures.workers import Lab
from tests.integration.test_rebuild_worker import MIX, fill, roundtrip

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


def test_a_version_is_fitted_measured_and_taken_into_use_beside_live_traffic(lab: Lab) -> None:
    fill(lab, 800, 1)
    code, told = roundtrip(lab, "calibrate", "--seed", "7", "--folds", "2")
    assert code == 0, told
    assert "calibration 1: " in told
    assert "on students that it was not fitted on: AUC 0." in told
    assert "Nothing runs under it yet, also when it is the first: roundtrip calibration use 1" in told
    with lab.client() as client:
        assert set(client.query("SELECT calibration FROM skill_states FINAL").result_rows) == {(0,)}
    stop = threading.Event()

    def post() -> None:
        seed = 100
        while not stop.is_set():
            lab.publish(make_items(40, seed, MIX), size=4)
            seed += 1
            stop.wait(0.3)

    posting = threading.Thread(target=post)
    posting.start()
    try:
        code, told = roundtrip(lab, "calibration", "use", "1")
    finally:
        stop.set()
        posting.join()
    assert code == 0, told
    assert "calibration 1 is in use: " in told
    lab.wait_for_the_end()
    with lab.client() as client:
        for table in ("skill_states", "student_states"):
            stamps = client.query(f"SELECT DISTINCT calibration, activation FROM {table} FINAL").result_rows
            assert stamps == [(1, 1)], table
    code, told = roundtrip(lab, "rebuild", "--all", "--check")
    assert (code, "live and rebuilt agree" in told) == (0, True), told
    assert "under another calibration" not in told
    code, told = roundtrip(lab, "calibration", "use", "1")
    assert (code, "calibration 1 is in use already" in told) == (2, True), told


def test_a_switch_that_is_killed_goes_on_with_the_same_command(lab: Lab) -> None:
    fill(lab, 600, 2)
    assert roundtrip(lab, "calibrate", "--folds", "0")[0] == 0
    dying = (
        "import os\n"
        "from streams.rebuild import switching\n"
        "switching.Switch._wait_for_workers = lambda self: os.kill(os.getpid(), 9)\n"
        "from infra.cli import main\n"
        "main()\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", dying, "calibration", "use", "1"],
        env={**lab.settings.environment(), "PATH": "/usr/bin:/bin"}, capture_output=True, timeout=300,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    lab.publish(make_items(300, 3, MIX))
    code, told = roundtrip(lab, "calibration", "list")
    assert "in use; states are being folded under" in " ".join(told.replace("│", " ").split()), told
    code, told = roundtrip(lab, "calibration", "use", "1")
    assert (code, "going on with the switch that was interrupted" in told) == (0, True), told
    lab.wait_for_the_end()
    code, told = roundtrip(lab, "rebuild", "--all", "--check")
    assert (code, "live and rebuilt agree" in told) == (0, True), told
    assert "under another calibration" not in told


def test_the_same_attempts_and_seed_give_the_same_version_and_two_can_be_compared(lab: Lab) -> None:
    fill(lab, 500, 4)
    for folds in ("2", "2"):
        assert roundtrip(lab, "calibrate", "--folds", folds)[0] == 0
    engine = open_registry(lab.settings.registry_url())
    first, second = calibrations.rows(engine)
    assert (first["fingerprint"], first["metrics"]) == (second["fingerprint"], second["metrics"])
    assert calibrations.calibration(engine, 1).dumps() == calibrations.calibration(engine, 2).dumps()
    engine.dispose()
    code, told = roundtrip(lab, "calibration", "diff", "1", "2")
    assert (code, "fitted on the same attempts" in told, "mean difference 0.000" in told) == (0, True, True), told
    code, told = roundtrip(lab, "calibration", "show", "2")
    assert code == 0, told
    for line in ("fold 2: ", "all folds: AUC", "skill · skill-"):
        assert line in told
    for arguments, expected in [
        (("calibration", "use", "9"), "there is no calibration 9"),
        (("calibration", "show", "0"), "there is no calibration 0"),
        (("calibrate", "--file", "nowhere.tsv"), "nowhere.tsv"),
    ]:
        code, told = roundtrip(lab, *arguments)
        assert (code, expected in told, "Traceback" in told) == (2, True, False), told


def test_attempts_are_read_student_by_student_however_few_at_a_time(lab: Lab) -> None:
    fill(lab, 300, 5)
    with lab.client() as client:
        store = CommandStore(client)
        whole = list(stored(store.read))
        assert [list(stored(store.read, page)) for page in (1, 7, 50)] == [whole] * 3
        assert len(whole) == lab.count("attempts")
    seen = [student for student, _ in whole]
    assert len(set(seen)) == sum(one != other for one, other in zip(seen, ["", *seen], strict=False))
    assert all(a[1].key < b[1].key for a, b in itertools.pairwise(whole) if a[0] == b[0])


def test_a_file_whose_lines_are_wrong_is_told_by_the_line(tmp_path: Path) -> None:
    path, head = tmp_path / "some.tsv", "user_id\titem_id\ttimestamp\tcorrect\tskill_id\n"
    path.write_text(head + "1\ti\t0\t1\ts\n1\ti2\t5\t0\t\n2\ti\t0\t1\ts\n")
    assert list(from_file(path))[:2] == [
        ("1", Attempt(0, "000000000002", "i", ["s"], 1.0)),
        ("1", Attempt(5_000_000, "000000000003", "i2", [], 0.0)),
    ]
    for rest, expected in [
        ("1\ti\t0\t1\ts\n2\ti\t0\t1\ts\n1\ti\t0\t1\ts\n", "line 4: user 1 was there before"),
        ("1\ti\t0\tyes\ts\n", "line 2: ValueError"),
        ("1\ti\t0\t3\ts\n", "line 2: correct is 3.0"),
    ]:
        path.write_text(head + rest)
        with pytest.raises(ValueError, match=expected):
            list(from_file(path))


def test_students_are_dealt_to_folds_by_their_id_alone() -> None:
    from streams.calibrating import fold_of

    rng = random.Random(1)
    students = [str(rng.random()) for _ in range(3_000)]
    shares = [sum(fold_of(one, 5, 3) == number for one in students) for number in range(3)]
    assert min(shares) > 800
    assert [fold_of(one, 5, 3) for one in students] != [fold_of(one, 6, 3) for one in students]
