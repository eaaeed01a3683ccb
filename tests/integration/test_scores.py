"""The score in the stream and its fit on a district's own history, in the real ClickHouse engine."""

from __future__ import annotations

import csv
import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Engine, delete, insert, select
from typer.testing import CliRunner

from infra.cli import app
from infra.cli.context import UsageFault
from infra.dev.front.process import Front
from infra.runtime import clickhouse, registry
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import ClickHouseSettings, RegistrySettings, Settings
from schemas.registry.insight import rankings
from schemas.registry.tables import calendar, schools, students
from streams.ranking.features import NAMES
from streams.ranking.scoring import Ranking, WeekWeights, loads
from streams.rankings import active_ranking, keep
from streams.roster import RosterSync
from streams.rows import tables
from streams.rows.days import as_number
from streams.scores import Scorer
from streams.sink import Sink
from tests.fixtures.course_folder import write_courses
from tests.fixtures.envelopes import seeded_uuid

pytestmark = pytest.mark.clickhouse

_RNG = random.Random(31)
STUDENTS = sorted(seeded_uuid(_RNG) for _ in range(160))
IDLE = frozenset(STUDENTS[::2])
NOW = datetime.now(UTC)
TODAY = NOW.date()
SCHOOL_DAYS = [day for n in range(84, 0, -1) if (day := TODAY - timedelta(days=n)).weekday() < 5]


@pytest.fixture(scope="module")
def settings(clickhouse_front: Front, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("scores")
    made = Settings(
        data_dir=folder,
        clickhouse=ClickHouseSettings(host=clickhouse_front.host, port=clickhouse_front.port, database="scores_only"),
        registry=RegistrySettings(url=f"sqlite:///{folder / 'registry.sqlite3'}"),
    )
    clickhouse.migrate(made.clickhouse)
    return made


@pytest.fixture(scope="module")
def sink(settings: Settings) -> Iterator[Sink]:
    made = Sink(partial(open_clickhouse, settings.clickhouse), threading.Event())
    yield made
    made.close()


@pytest.fixture(scope="module")
def engine(settings: Settings, sink: Sink) -> Iterator[Engine]:
    """A grade in which one half does much every school day, and the other half little on few of them."""
    made = registry.open_registry(settings.registry_url())
    registry.migrate(made)
    with made.begin() as connection:
        connection.execute(insert(schools).values(school_id="high", name="High", lowest_grade=9, highest_grade=12))
        connection.execute(insert(calendar), [{"school_id": "", "day": day, "in_session": True} for day in SCHOOL_DAYS])
        placed = {"school_id": "high", "grade": 9, "linked": True, "created_at": 1, "updated_at": 5}
        connection.execute(insert(students), [{"student_id": one, **placed} for one in STUDENTS])
    RosterSync(sink, made).sync()
    rng = random.Random(4)
    rows = [
        (
            one, as_number(day), 9, 2 if one in IDLE else 9, 1, 1, 0, int(one not in IDLE), int(one in IDLE), 0,
            ("provider-a",), 1, 1, 1, STUDENTS.index(one) % 2, 1,
        )
        for one in STUDENTS for day in SCHOOL_DAYS if one not in IDLE or rng.random() < 0.3
    ]  # fmt: skip
    assert not sink.insert(tables.STUDENT_DAYS, rows)
    yield made
    made.dispose()


@pytest.fixture(autouse=True)
def _no_versions(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(delete(rankings))


def in_use(engine: Engine, version: int = 1) -> Ranking:
    """A version by which days missed raise, and activity lowers."""
    weights = [1.0 if name == "missed_days" else -1.0 if name == "activity_7" else 0.0 for name in NAMES]
    zeros, ones = [0.0] * len(NAMES), [1.0] * len(NAMES)
    ranking = Ranking("fails", 90, list(NAMES), [WeekWeights(2, -1.0, zeros, ones, weights)], version)
    keep(engine, ranking, seed=1, fingerprint="00", metrics={}, now_us=version, use=True)
    return ranking


def scorer(sink: Sink, engine: Engine, days: int = 0) -> Scorer:
    noon = int((NOW + timedelta(days=days)).timestamp() * 1e6)
    moments = iter(range(0, 10**6, 100))
    return Scorer(sink, engine, "UTC", clock=lambda: noon, seconds=lambda: float(next(moments)))


def test_without_a_version_in_use_nothing_is_scored(sink, engine):
    assert scorer(sink, engine).score([0, 1]) == 0


def test_each_student_is_scored_once_a_school_day_with_reasons_that_add_up(settings, sink, engine):
    in_use(engine)
    one = scorer(sink, engine)
    assert one.score([0]) == len(STUDENTS) // 2
    assert one.score([0]) == 0  # that day is done
    assert one.score([0, 1]) == len(STUDENTS) // 2
    with open_clickhouse(settings.clickhouse) as client:
        query = "SELECT toString(student_id), day, chance, names, reasons, contributions FROM scores FINAL"
        found = client.query(query).result_rows
    assert {row[0] for row in found} == set(STUDENTS)
    assert {row[1] for row in found} == {SCHOOL_DAYS[-1]}
    chances = {row[0]: row[2] for row in found}
    assert min(chances[one] for one in IDLE) > max(chances[one] for one in set(STUDENTS) - IDLE)
    for _, _, value, names, reasons, contributions in found:
        assert value == pytest.approx(1 / (1 + 2.718281828459045 ** -sum(contributions)))
        assert len(names) == len(reasons) == len(contributions) == len(NAMES) + 1
    worst = max(found, key=lambda row: row[2])
    assert any("school days missed" in words for words in worst[4][:2])


def test_another_version_scores_the_day_again_and_the_one_before_is_told_apart(sink, engine, settings):
    in_use(engine)
    one = scorer(sink, engine)
    assert one.score([0]) == len(STUDENTS) // 2
    in_use(engine, version=2)
    assert one.score([0]) == len(STUDENTS) // 2
    with open_clickhouse(settings.clickhouse) as client:
        versions = client.query("SELECT DISTINCT version FROM scores ORDER BY version").result_rows
    assert versions == [(1,), (2,)]


def command(settings: Settings, *arguments: str) -> str:
    environment = {
        "ROUNDTRIP_CLICKHOUSE__HOST": settings.clickhouse.host,
        "ROUNDTRIP_CLICKHOUSE__PORT": str(settings.clickhouse.port),
        "ROUNDTRIP_CLICKHOUSE__DATABASE": settings.clickhouse.database,
        "ROUNDTRIP_KAFKA__BOOTSTRAP_SERVERS": "localhost:1",
        "ROUNDTRIP_REGISTRY__URL": settings.registry_url(),
        "ROUNDTRIP_DATA_DIR": str(settings.data_dir),
    }
    result = CliRunner(env=environment).invoke(app, ["calibrate", "warnings", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_score_is_fitted_on_the_districts_own_history_and_labels(settings, engine, tmp_path):
    labels = tmp_path / "labels.csv"
    rng = random.Random(9)
    with labels.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "outcome", "date"])
        for one in STUDENTS:
            had = rng.random() < (0.85 if one in IDLE else 0.15)
            writer.writerow([one, int(had), SCHOOL_DAYS[-20]])
    said = ("--labels", str(labels), "--outcome", "fails a core course", "--within-days", "60", "--use")
    told = command(settings, *said)
    assert "fails a core course within 60 days; 160 students" in told
    assert "In use" in told
    with engine.connect() as connection:
        row = connection.execute(select(rankings)).mappings().one()
    metrics = json.loads(row["metrics"])
    assert metrics["all"]["auc"] > 0.75
    assert metrics["groups"]["Grade"]["grade 9"]["n"] == 160
    assert (row["outcome"], row["within_days"], row["active"]) == ("fails a core course", 60, True)
    assert loads(row["parameters"]) == active_ranking(engine)
    again = command(settings, *said)
    with engine.connect() as connection:
        prints = connection.execute(select(rankings.c.fingerprint, rankings.c.active)).all()
    assert [print.active for print in prints] == [False, True]
    assert len({print.fingerprint for print in prints}) == 1
    assert again.split(";")[1:] == told.split(";")[1:]


def test_the_score_is_fitted_on_a_folder_of_courses(settings, engine, tmp_path):
    told = command(settings, "--data", str(write_courses(tmp_path)), "--train", "2020B")
    assert "withdraws from the course or fails it" in told
    assert "Not in use yet: roundtrip calibrate warnings --version 1" in told
    assert active_ranking(engine) is None
    command(settings, "--version", "1")
    assert active_ranking(engine).version == 1
    with pytest.raises(UsageFault, match="no ranking 7"):
        command(settings, "--version", "7")
