"""``roundtrip evaluate``: what it prints and writes, and what it says about data that it cannot use."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli.context import UsageFault
from infra.cli.evaluate import app
from infra.runtime import quality
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings
from infra.runtime.written import lines
from schemas.reports import decode
from streams.evaluating import known

HEADING = "user_id\titem_id\ttimestamp\tcorrect\tskill_id"


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDTRIP_DATA_DIR", str(tmp_path / "state"))


def typed(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*words: object) -> str:
    with pytest.raises(UsageFault) as caught:
        typed(*words)
    return str(caught.value)


def answers(path: Path, students: range, seed: int) -> None:
    """Made-up answers: some students are better than others, some items harder."""
    chance = random.Random(seed)
    rows = [HEADING]
    for student in students:
        ability = chance.gauss(0.5, 0.2)
        for number in range(25):
            item = chance.randrange(12)
            right = int(chance.random() < ability - 0.02 * item + 0.1)
            rows.append(f"{student}\t{item}\t{1_600_000_000 + 60 * number}\t{right}\t{item % 3}")
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "made-up"
    found.mkdir()
    answers(found / "train.tsv", range(60), 1)
    answers(found / "test.tsv", range(60, 90), 2)
    return found


def test_the_main_table_is_printed_and_the_report_written_as_html_and_json(folder, tmp_path):
    out = tmp_path / "out"
    printed = typed("skills", "--data", folder, "--out", out, "--store").output
    report = decode((out / "report.json").read_bytes())
    assert report.sections[0].tables[0].columns[0].title in printed
    assert "%" in printed
    assert report.headlines[0] in printed
    assert report.title in (out / "report.html").read_text()
    assert 0 <= report.measures["ece"] <= 1
    engine = open_registry(Settings(data_dir=tmp_path / "state").registry_url())
    with engine.connect() as connection:
        kept = quality.newest(connection, "skills")
    engine.dispose()
    assert kept is not None
    assert (kept.source, kept.report) == ("made-up", report)


def test_the_same_seed_gives_the_same_measures(folder, tmp_path):
    found = []
    for name in ("a", "b"):
        typed("skills", "--data", folder, "--out", tmp_path / name)
        measures = decode((tmp_path / name / "report.json").read_bytes()).measures
        found.append({key: value for key, value in measures.items() if not key.endswith("_us")})
    assert found[0] == found[1]


def test_a_missing_file_is_named(folder):
    (folder / "test.tsv").unlink()
    assert "test.tsv" in refused("skills", "--data", folder)


def test_a_missing_column_is_named(folder):
    path = folder / "train.tsv"
    path.write_text(path.read_text().replace("correct", "right", 1))
    said = refused("skills", "--data", folder)
    assert "train.tsv" in said
    assert "correct" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["skills"], "--data names the folder"),
        (["skills", "--data", "nowhere"], "nowhere is not a folder"),
        (["warnings", "--data", "."], "--train and --test name the presentations"),
        (["warnings", "--labels", "x.csv", "--data", "."], "--labels goes with --from-store"),
        (["warnings", "--from-store", "--data", "."], "leave --data out"),
        (["skills", "--from-store"], "no stack runs on"),
        (["warnings", "--data", ".", "--train", "2013B", "--test", "2013J"], "courses"),
        (["known", "--data", "."], "knowledge_tracing is not a folder"),
    ],
)
def test_what_is_missing_is_said_in_words(words, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert said in refused(*words)


def test_known_figures_stand_beside_ours():
    skills = lines(known.skills_table({"auc": 0.79, "ece": 0.007}))
    assert "0.790" in skills[-1]
    assert any("0.762" in line and "Gervet" in line for line in skills)
    warnings = lines(known.warnings_table({"week8.no_clicks.auc": 0.789}))
    assert any(line.startswith("week 8, no clicks, AUC") and "0.774" in line and "0.789" in line for line in warnings)
