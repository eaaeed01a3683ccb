"""A replay over HTTP: catalogue first, each student's order kept, whatever the store answers meanwhile."""

from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import func, select

from infra.dev.replay.replay import Options, run
from infra.runtime.registry import migrate, open_registry
from infra.runtime.settings import IngestSettings, Settings
from schemas.registry import tables
from tests.fixtures.answers import write_many_answers
from tests.fixtures.fake_lrs import FakeLrs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path, ingest=IngestSettings(catalogue_refresh_seconds=0.01))
    engine = open_registry(settings.registry_url())
    migrate(engine)
    engine.dispose()
    return settings


def in_order(lrs: FakeLrs) -> bool:
    times = defaultdict(list)
    for _, batch in lrs.batches:
        for statement in batch:
            times[statement["actor"]["account"]["name"]].append(statement["timestamp"])
    return all(found == sorted(set(found)) for found in times.values())


def test_every_response_is_posted_once_and_in_order(settings: Settings, fake_lrs: FakeLrs, tmp_path: Path):
    told = write_many_answers(tmp_path, users=13, each=40)
    assert run(settings, Options(tmp_path, url=fake_lrs.url, batch=25, connections=3)) == 0
    assert (len(fake_lrs.statements), fake_lrs.repeated) == (told, 0)
    assert in_order(fake_lrs)


def test_skills_and_alignments_are_registered_first_and_once(settings: Settings, fake_lrs: FakeLrs, tmp_path: Path):
    write_many_answers(tmp_path, users=3, each=40)
    for _ in range(2):
        assert run(settings, Options(tmp_path, url=fake_lrs.url)) == 0
    engine = open_registry(settings.registry_url())
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.skills)) == 9
        assert (connection.scalar(select(func.count()).select_from(tables.alignments)) or 0) > 40
    engine.dispose()
    assert fake_lrs.repeated == len(fake_lrs.statements) == 120


def test_an_outage_in_the_middle_changes_no_order_and_loses_nothing(
    settings: Settings, fake_lrs: FakeLrs, tmp_path: Path
):
    told = write_many_answers(tmp_path, users=8, each=30)
    requests = iter(range(1000))
    fake_lrs.refuse = lambda _: (503, {"Retry-After": "0.05"}) if next(requests) % 3 else None
    assert run(settings, Options(tmp_path, url=fake_lrs.url, batch=10, connections=2)) == 0
    assert (len(fake_lrs.statements), fake_lrs.repeated) == (told, 0)
    assert in_order(fake_lrs)


def test_a_refusal_for_good_stops_the_replay_with_its_reason(
    settings: Settings, fake_lrs: FakeLrs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_many_answers(tmp_path, users=8, each=30)
    fake_lrs.refuse = lambda told: (400, {}) if len(fake_lrs.statements) > 50 else None
    assert run(settings, Options(tmp_path, url=fake_lrs.url, batch=10)) == 1
    assert "refused with 400" in capsys.readouterr().out


def test_a_rate_holds_the_replay_back(settings: Settings, fake_lrs: FakeLrs, tmp_path: Path):
    write_many_answers(tmp_path, users=4, each=30)
    assert run(settings, Options(tmp_path, url=fake_lrs.url, batch=10, rate=400.0)) == 0
    assert len(fake_lrs.statements) == 120


def test_a_folder_without_the_data_is_told_in_words(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(settings, Options(tmp_path)) == 1
    assert "no test.tsv beside a q_mat.npz" in capsys.readouterr().out
