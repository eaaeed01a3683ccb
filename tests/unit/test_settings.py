"""The tree of settings: from the environment, checked, and handed on to child processes as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.runtime.settings import KafkaSettings, Settings


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ROUNDTRIP_")]:
        monkeypatch.delenv(name)


def test_a_variable_sets_one_field_and_leaves_its_section_at_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDTRIP_KAFKA__PARTITIONS", "8")

    settings = Settings()

    assert settings.kafka.partitions == 8
    assert settings.kafka.replication_factor == KafkaSettings().replication_factor


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROUNDTRIP_KAFKA__PARTITIONS", "0"),
        ("ROUNDTRIP_KAFKA__PARTITIONS", "many"),
        ("ROUNDTRIP_LOG__FORMAT", "xml"),
        ("ROUNDTRIP_KAFKA__PARTITION", "8"),
    ],
)
def test_a_value_out_of_bounds_or_an_unknown_name_in_a_section_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ValidationError, match=variable.rpartition("__")[2].lower()):
        Settings()


def test_a_child_process_gets_the_same_settings_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ROUNDTRIP_DATA_DIR": "elsewhere",
        "ROUNDTRIP_KAFKA__SASL_PASSWORD": "hunter2",
        "ROUNDTRIP_CLICKHOUSE__SECURE": "true",
        "ROUNDTRIP_STREAMS__BATCH_SECONDS": "0.25",
    }.items():
        monkeypatch.setenv(name, value)
    parent = Settings()
    handed_on = parent.environment()
    for name in handed_on:
        monkeypatch.delenv(name)
    assert Settings() != parent

    for name, value in handed_on.items():
        monkeypatch.setenv(name, value)

    assert Settings() == parent


def test_settings_at_their_defaults_need_no_environment() -> None:
    assert Settings().environment() == {}


def test_a_secret_is_not_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDTRIP_CLICKHOUSE__PASSWORD", "hunter2")

    assert "hunter2" not in repr(Settings())


def test_the_registry_is_sqlite_in_the_data_directory_unless_a_url_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROUNDTRIP_DATA_DIR", str(tmp_path))
    assert Settings().registry_url() == f"sqlite:///{tmp_path}/registry.sqlite3"

    monkeypatch.setenv("ROUNDTRIP_REGISTRY__URL", "postgresql+psycopg://db/roundtrip")
    assert Settings().registry_url() == "postgresql+psycopg://db/roundtrip"
