"""The registry is the same in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from infra.runtime.registry import alembic_config, migrate, open_registry
from schemas.registry import insight as insight
from schemas.registry import lrs as lrs
from schemas.registry import tables
from schemas.registry.base import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated registry, once a database product."""
    url = (
        f"sqlite:///{tmp_path / 'registry.sqlite3'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    engine = open_registry(url)
    migrate(engine)
    yield engine
    engine.dispose()


def test_the_migrations_lead_to_the_tables_as_they_are_declared(registry: Engine) -> None:
    assert set(inspect(registry).get_table_names()) - {"alembic_version"} == set(metadata.tables)
    with registry.begin() as connection:
        command.check(alembic_config(connection))


def test_migrating_again_changes_nothing(registry: Engine) -> None:
    with registry.begin() as connection:
        connection.execute(insert(tables.schools).values(school_id="s", name="S", lowest_grade=6, highest_grade=8))
    migrate(registry)
    with registry.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.schools)) == 1


def test_one_identifier_is_one_identity(registry: Engine) -> None:
    row = {"kind": "mbox", "value": "mailto:a@example.org", "created_at": 1}
    with registry.begin() as connection:
        connection.execute(insert(tables.identities).values(identity_id="a" * 22, **row))
    with pytest.raises(IntegrityError), registry.begin() as connection:
        connection.execute(insert(tables.identities).values(identity_id="b" * 22, **row))


def test_a_kind_of_identifier_that_xapi_does_not_know_is_refused(registry: Engine) -> None:
    with pytest.raises(IntegrityError), registry.begin() as connection:
        connection.execute(
            insert(tables.identities).values(identity_id="c" * 22, kind="phone", value="1", created_at=1)
        )


def test_a_reference_to_nothing_is_refused(registry: Engine) -> None:
    with pytest.raises(IntegrityError), registry.begin() as connection:
        connection.execute(insert(tables.enrollments).values(section_id="none", student_id="none"))


def test_one_calibration_is_active_and_any_number_are_not(registry: Engine) -> None:
    row = {"created_at": 1, "attempts": 1, "parameters": "{}"}
    with registry.begin() as connection:
        for version, active in ((1, False), (2, False), (3, True)):
            connection.execute(insert(tables.calibrations).values(version=version, active=active, **row))
    with pytest.raises(IntegrityError), registry.begin() as connection:
        connection.execute(insert(tables.calibrations).values(version=4, active=True, **row))
