"""An operator moves an actor to another student and takes it back, by ``roundtrip admin identity``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select
from typer.testing import CliRunner

from infra.cli import app
from infra.cli.context import UsageFault
from infra.runtime.registry import migrate, open_registry
from ingest.identity import moving
from ingest.identity.resolver import Request, Resolver
from ingest.identity.store import Wanted, find_or_make
from ingest.xapi.agents import exact
from schemas.registry.tables import identities, students

ADA = {"mbox": "mailto:ada@example.org"}
ROSTERED = "0b9b8a76-2f3e-4a51-9a55-0a6b7c1d2e3f"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("ROUNDTRIP_DATA_DIR", str(tmp_path))
    made = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    migrate(made)
    with made.begin() as connection:
        row = {"student_id": ROSTERED, "given_name": "Ada", "family_name": "L", "grade": 7, "linked": True}
        connection.execute(insert(students).values(row | {"created_at": 1, "updated_at": 1}))
    yield made
    made.dispose()


def acted(engine: Engine, kind: str = "mbox", value: str = "mailto:ada@example.org", acting: bool = True) -> str:
    """Someone acts for the first time; the student that was made for it."""
    [found] = find_or_make(engine, [Wanted(kind, value, f"{kind} {value}", b"{}", acting)], 1).values()
    return found.student_id or ""


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["admin", "identity", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def student_of(engine: Engine, value: str = "mailto:ada@example.org") -> str | None:
    with engine.connect() as connection:
        return connection.scalar(select(identities.c.student_id).where(identities.c.value == value))


def test_a_link_moves_an_actor_and_unlinking_moves_it_back_with_its_history(engine: Engine) -> None:
    made_for_it = acted(engine)
    assert ROSTERED in said("link", "ada@example.org", ROSTERED, "--why", "asked at the school", "--by", "counselor")
    assert student_of(engine) == ROSTERED
    assert "Ada L, grade 7" in said("show", "mailto:ada@example.org")
    assert "mailto:ada@example.org" in said("show", ROSTERED.upper())

    said("unlink", "ada@example.org", "--why", "a twin", "--by", "counselor")
    assert student_of(engine) == made_for_it
    lines = said("show", "ada@example.org").splitlines()
    assert [line.split("UTC ")[1] for line in lines[2:]] == [
        f"linked from {made_for_it} to {ROSTERED} by counselor: asked at the school",
        f"taken back from {ROSTERED} to {made_for_it} by counselor: a twin",
    ]


def test_two_links_are_taken_back_one_after_the_other(engine: Engine) -> None:
    first = acted(engine)
    other = acted(engine, value="mailto:eve@example.org")
    said("link", "ada@example.org", other, "--why", "one")
    said("link", "ada@example.org", ROSTERED, "--why", "two")
    said("unlink", "ada@example.org", "--why", "not two")
    assert student_of(engine) == other
    said("unlink", "ada@example.org", "--why", "nor one")
    assert student_of(engine) == first
    with pytest.raises(UsageFault, match="each link was taken back"):
        said("unlink", "ada@example.org", "--why", "more")


def test_who_came_from_no_student_goes_back_to_a_new_one(engine: Engine) -> None:
    assert acted(engine, acting=False) == ""
    said("link", "ada@example.org", ROSTERED, "--why", "known before it acts")
    said("unlink", "ada@example.org", "--why", "not")
    assert student_of(engine) not in (None, ROSTERED)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(students)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nobody@example.org"), "no identity 'nobody@example.org'"),
        (("show", "ada@example.org", "--kind", "openid"), "of kind openid"),
        (("show", "3" * 8 + "-0000-4000-8000-000000000000"), "there is no student"),
        (("link", "ada@example.org", "x", "--why", "w"), "there is no student x"),
        (("link", "a group", ROSTERED, "--why", "w"), "link its members"),
        (("link", "twice", ROSTERED, "--why", "w"), "say which with --kind"),
        (("unlink", "ada@example.org", "--why", "w"), "was never linked"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(engine: Engine, arguments: tuple[str, ...], words: str) -> None:
    acted(engine)
    acted(engine, "anonymous_group", "a group", acting=False)
    acted(engine, "openid", "twice")
    acted(engine, "account", "twice")
    with pytest.raises(UsageFault, match=words):
        said(*arguments)


def test_a_link_to_the_same_student_changes_nothing(engine: Engine) -> None:
    student = acted(engine)
    with pytest.raises(UsageFault, match="already"):
        said("link", "ada@example.org", student, "--why", "w")
    with engine.connect() as connection:
        assert moving.history(connection, moving.find(connection, "ada@example.org").identity_id) == []


def test_the_door_credits_the_new_student_once_it_has_read_the_link(engine: Engine) -> None:
    async def check() -> None:
        resolver = Resolver(engine, lambda: 10, 5.0)
        agent: dict[str, Any] = dict(ADA)
        before = (await resolver.resolve({exact(agent): Request(agent, True)}))[exact(agent)]
        assert before.students() != [ROSTERED]
        with engine.begin() as connection:
            moving.link(connection, moving.find(connection, "ada@example.org"), ROSTERED, 20, "me", "why")
        await resolver.refresh_links()
        known = resolver.cached(exact(agent), acting=True)
        assert known is not None
        assert known.students() == [ROSTERED]
        resolver.close()

    asyncio.run(check())
