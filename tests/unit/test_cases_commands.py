"""What operators type about cases."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert
from typer.testing import CliRunner

from infra.cli.cases import app
from infra.cli.context import UsageFault
from infra.runtime import cases
from infra.runtime.registry import migrate, open_registry
from infra.runtime.settings import Settings
from schemas.cases import Action, Ask, Signal
from schemas.cases_rules import follow
from schemas.registry.tables import schools, staff, staff_scopes, students

TODAY = date(2026, 11, 20)
ADA, BEN = "5a3c1f70-0000-4000-8000-00000000000a", "5a3c1f70-0000-4000-8000-00000000000b"
CASES = {ADA: "7b3c1f70-0000-4000-8000-00000000000a", BEN: "7b3c1f70-0000-4000-8000-00000000000b"}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two students with a case each, both Rosa's; Tom may see Ada alone, Mei both."""
    monkeypatch.setenv("ROUNDTRIP_DATA_DIR", str(tmp_path))
    made = open_registry(Settings(data_dir=tmp_path).registry_url())
    migrate(made)
    with made.begin() as connection:
        connection.execute(insert(schools).values(school_id="north", name="North", lowest_grade=6, highest_grade=8))
        for name, scopes in (
            ("rosa", [("school", "north")]),
            ("tom", [("caseload", ADA)]),
            ("mei", [("school", "north")]),
        ):
            person = {"staff_id": name, "name": name.capitalize(), "email": f"{name}@x.example", "role": "counselor"}
            connection.execute(insert(staff).values(person))
            connection.execute(insert(staff_scopes), [{"staff_id": name, "kind": k, "value": v} for k, v in scopes])
        for number, (student, case_id) in enumerate(CASES.items()):
            connection.execute(
                insert(students).values(
                    student_id=student, school_id="north", grade=7, linked=True, created_at=1, updated_at=1
                )
            )
            signal = Signal("inactivity", TODAY - timedelta(days=9 - number))
            cases.store(connection, follow(student, None, None, [signal], TODAY, 10, case_id), "", 1)
    for case_id in CASES.values():
        cases.act(made, case_id, Ask(Action.CLAIMED, "rosa", TODAY), 2)
    yield made
    made.dispose()


def typed(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


def test_open_cases_are_listed_the_oldest_first_with_owner_and_reason(engine: Engine) -> None:
    lines = typed("list").splitlines()
    assert [line.split()[0] for line in lines] == list(CASES.values())
    assert lines[0].endswith("claimed  Rosa  No activity")
    assert typed("list", "--owner", "tom@x.example") == "no open cases\n"
    assert typed("list", "--owner", "-") == "no open cases\n"
    assert len(typed("list", "--school", "north", "--state", "claimed").splitlines()) == 2
    assert typed("list", "--state", "cleared") == "no cases\n"
    assert "1 more" in typed("list", "--limit", "1")


def test_a_case_is_shown_with_its_warnings_and_all_that_happened(engine: Engine) -> None:
    for what in (CASES[ADA], ADA):
        text = typed("show", what)
        assert "No activity of 2026-11-11: open" in text
        assert "raised       the rules: No activity." in text
        assert "claimed      Rosa: -" in text


def test_what_is_not_there_is_said(engine: Engine) -> None:
    for words, said in (
        (("show", "case-1"), "case-1 is no id"),
        (("show", "00000000-0000-4000-8000-000000000000"), "there is no case"),
        (("list", "--state", "lost"), "one of raised, claimed"),
        (("list", "--owner", "nobody"), "there is nobody"),
        (("reassign", "rosa", "rosa", "--why", "x"), "the same person"),
        (("reassign", "rosa", "tom", "--why", " "), "--why must say why"),
    ):
        with pytest.raises(UsageFault, match=said):
            typed(*words)


def test_who_leaves_hands_over_to_those_who_may_see_the_students(engine: Engine) -> None:
    told = typed("reassign", "rosa", "tom", "--why", "on leave", "--yes", "--by", "sam", exit_code=1)
    assert f"{CASES[ADA]}: Tom has it" in told
    assert "Tom may not see this student" in told
    assert "Mei has it" in typed("reassign", "rosa@x.example", "mei@x.example", "--why", "on leave", "--yes")
    assert typed("reassign", "rosa", "mei", "--why", "on leave") == "Rosa has no open case\n"
    assert "assigned     sam: on leave" in typed("show", ADA)
    with engine.connect() as connection:
        owners = {key: case.owner for key, case in cases.open_cases(connection, [ADA, BEN]).items()}
    assert owners == {ADA: "tom", BEN: "mei"}
