"""The simulation as it runs: registry seeded, history posted, taken up again, all with a store that only remembers."""

import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from infra.dev.accounts import account
from infra.dev.simulation.content import PROVIDERS
from infra.dev.simulation.preparation import Options, OtherDistrictError, prepare
from infra.dev.simulation.runner import run
from infra.dev.simulation.state import Progress, State
from infra.runtime.registry import migrate, open_registry
from infra.runtime.settings import IngestSettings, RegistrySettings, Settings
from schemas.registry import tables
from tests.fixtures.fake_lrs import FakeLrs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path, ingest=IngestSettings(catalogue_refresh_seconds=0.01))
    engine = open_registry(settings.registry_url())
    migrate(engine)
    engine.dispose()
    return settings


@pytest.fixture
def registry(settings: Settings) -> Iterator[Engine]:
    engine = open_registry(settings.registry_url())
    yield engine
    engine.dispose()


def options(lrs: FakeLrs, **more: object) -> Options:
    return Options(**({"size": 21, "history_days": 6, "once": True, "url": lrs.url, "patience": 20} | more))  # type: ignore[arg-type]


def test_a_second_preparation_changes_nothing(settings: Settings, registry: Engine):
    first = prepare(settings, Options(size=30))
    second = prepare(settings, Options())
    assert first[0] == second[0]
    assert first[1] == second[1]
    assert (first[2] > 1000, second[2]) == (True, 0)
    with registry.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.students)) == 30
        assert connection.scalar(select(func.count()).select_from(tables.providers)) == len(PROVIDERS)
        assert connection.scalar(select(func.count()).select_from(tables.provider_credentials)) == len(PROVIDERS)


def test_a_preparation_keeps_what_was_changed_by_hand(settings: Settings, registry: Engine):
    prepare(settings, Options(size=30))
    with registry.begin() as connection:
        connection.execute(update(tables.schools).values(name="Renamed"))
    prepare(settings, Options())
    with registry.connect() as connection:
        assert set(connection.execute(select(tables.schools.c.name)).scalars()) == {"Renamed"}


def test_a_data_directory_of_another_district_is_told_apart(settings: Settings):
    prepare(settings, Options(size=30))
    with pytest.raises(OtherDistrictError, match="students = 30, not 31"):
        prepare(settings, Options(size=31))


def test_a_registry_of_another_district_is_left_alone(settings: Settings, registry: Engine, tmp_path: Path):
    prepare(settings, Options(size=30))
    elsewhere = settings.model_copy(
        update={"data_dir": tmp_path / "elsewhere", "registry": RegistrySettings(url=settings.registry_url())}
    )
    with pytest.raises(OtherDistrictError, match="another sample district"):
        prepare(elsewhere, Options(size=30, seed=1))
    with registry.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.students)) == 30
    assert State(elsewhere.data_dir).plan() is None


def test_the_hidden_truth_is_kept_without_names(settings: Settings):
    district, _, _ = prepare(settings, Options(size=30))
    truth = State(settings.data_dir).truth()
    assert [one.student_id for one in truth] == [student.student_id for student in district.students]
    text = (settings.data_dir / "simulation" / "truth.json").read_text()
    assert not [s for s in district.students if s.family_name in text]


def test_secrets_are_kept_for_their_owner_alone_and_replaced_when_disabled(settings: Settings, registry: Engine):
    first = account(registry, settings.data_dir, "tester", "Tester")
    assert account(registry, settings.data_dir, "tester", "Tester") == first
    assert stat.S_IMODE((settings.data_dir / "provider-secrets.json").stat().st_mode) == 0o600
    with registry.begin() as connection:
        connection.execute(update(tables.provider_credentials).values(disabled=True))
    assert account(registry, settings.data_dir, "tester", "Tester").key != first.key


def test_history_is_posted_whole_and_by_a_second_start_not_again(
    settings: Settings, fake_lrs: FakeLrs, capsys: pytest.CaptureFixture[str]
):
    assert run(settings, options(fake_lrs)) == 0
    posted = dict(fake_lrs.statements)
    assert len(posted) > 500
    assert set(fake_lrs.providers.values()) == {provider.provider_id for provider in PROVIDERS}
    assert "end: posted" in capsys.readouterr().out

    fake_lrs.batches.clear()
    assert run(settings, options(fake_lrs, size=None, history_days=None)) == 0
    again = [s for _, told in fake_lrs.batches for s in told if s.get("id") in posted]
    assert len(again) <= 2  # the last window may end on a statement sent twice on purpose


def test_a_run_that_was_cut_off_goes_on_where_it_was_and_leaves_no_gap(settings: Settings, fake_lrs: FakeLrs):
    run(settings, options(fake_lrs))
    # Without what should be refused: that comes by chance, and this store takes everything.
    whole = {one: told for one, told in fake_lrs.statements.items() if not told["object"]["id"].endswith("/lessons/1")}
    State(settings.data_dir).keep_progress(Progress())
    fake_lrs.statements.clear()
    fake_lrs.repeated = 0

    fake_lrs.refuse = lambda told: (503, {}) if len(fake_lrs.statements) > 300 else None
    assert run(settings, options(fake_lrs, patience=0.5, window=100)) == 1
    assert 300 < len(fake_lrs.statements) < len(whole)

    fake_lrs.refuse = lambda told: None
    assert run(settings, options(fake_lrs, window=100)) == 0
    assert {one: fake_lrs.statements.get(one) for one in whole} == whole
    assert fake_lrs.repeated < 300


def test_live_traffic_goes_on_until_a_signal(settings: Settings, fake_lrs: FakeLrs):
    enough, ended = threading.Event(), threading.Event()

    def count() -> None:
        if len(fake_lrs.statements) > 40:
            enough.set()

    fake_lrs.refuse = lambda told: count()

    def stop() -> None:
        enough.wait(60)
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    code = run(settings, options(fake_lrs, history_days=0, once=False, rate=60.0))
    ended.set()
    stopper.join()
    assert code == 0
    assert len(fake_lrs.statements) > 40


def test_a_store_that_never_answers_ends_the_run_with_a_word(settings: Settings, capsys: pytest.CaptureFixture[str]):
    assert run(settings, Options(size=21, history_days=1, once=True, url="http://127.0.0.1:1/xapi", patience=0.2)) == 1
    assert "does not answer" in capsys.readouterr().out
