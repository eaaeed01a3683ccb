"""What the benchmarks do with their figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tests.bench.__main__ import main
from tests.bench.figures import Figure, Run, load, ratio, table
from tests.bench.machine import this_machine
from tests.bench.workload import Mix, envelopes, items


def test_a_rate_is_better_when_higher_and_a_time_when_lower() -> None:
    assert ratio(Figure("b", "n", 300, "rows/s"), Figure("b", "n", 100, "rows/s")) == 3
    assert ratio(Figure("b", "n", 10, "ms"), Figure("b", "n", 30, "ms")) == 3
    assert Figure("b", "n", 20, "×", goal=15).reached
    assert not Figure("b", "n", 20, "ms", goal=15).reached
    assert Figure("b", "n", 20, "ms").reached is None


def test_a_run_is_kept_and_compared_with(tmp_path: Path) -> None:
    before = Run("2026-11-21T10:00:00Z", this_machine(), [Figure("core", "mix", 20_000, "statements/s")])
    assert load(before.save(tmp_path)) == before
    console = Console(width=160, record=True, file=(tmp_path / "shown").open("w"))
    console.print(table([Figure("core", "mix", 30_000, "statements/s", 25_000), Figure("new", "one", 1, "ms")], before))
    console.file.close()
    shown = console.export_text()
    assert "✓ 25,000 statements/s" in shown
    assert "1.50 ×" in shown


def test_an_earlier_run_that_is_none_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(SystemExit):
        main(["--compare", str(tmp_path / "run.json")])
    assert "cannot be compared with" in capsys.readouterr().err


def test_the_statements_are_a_kilobyte_of_json_and_as_many_attempts_as_asked_for() -> None:
    made = list(items(2_000, Mix(attempts=0.3, students=200)))
    assert made == list(items(2_000, Mix(attempts=0.3, students=200)))
    assert 900 < sum(len(item.statement) for item in made) / len(made) < 1_150
    assert 0.25 < sum(bool(item.skills) for item in made) / len(made) < 0.35
    assert len({item.statement_id for item in made}) == len(made)
    filled = [envelope for _, envelope in envelopes(2_000, Mix(), partitions=4)]
    assert sum(len(envelope.items) for envelope in filled) == 2_000
