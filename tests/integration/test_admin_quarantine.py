"""``roundtrip admin quarantine``, ``repair``, ``verb`` and ``activity``: what an operator does without a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, insert, select
from typer.testing import CliRunner

from infra.cli import app
from infra.cli.context import UsageFault
from infra.runtime import quarantine
from infra.runtime.providers import add_provider
from infra.runtime.registry import migrate, open_registry
from schemas.registry.lrs import provider_changes, quarantined
from schemas.registry.tables import alignments, provider_verbs, skills

ITEM = str(uuid4())
VALID = {
    "actor": {"mbox": "mailto:ada@school.example"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
    "object": {"id": "https://items.example/7"},
}
WRONG = VALID | {"object": {"id": "item-7"}}
FAULT = {"rule": "iri", "section": "1.0.3 Data 4.3", "path": "$.object.id", "message": "is no IRI", "fix": "Send one."}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("ROUNDTRIP_DATA_DIR", str(tmp_path))
    made = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    migrate(made)
    with made.begin() as connection:
        add_provider(connection, "quiz", "Quiz maker", 1)
        connection.execute(insert(skills).values(skill_id="frac-1", name="Halves", domain="F", subject="math"))
        connection.execute(
            insert(quarantined).values(
                item_id=ITEM,
                provider_id="quiz",
                credential="key",
                request_id="r-1",
                idx=3,
                received_at=1,
                version="1.0.3",
                statement=json.dumps(WRONG),
                faults=json.dumps([FAULT]),
            )
        )
    yield made
    made.dispose()


def said(*arguments: str, stdin: str = "") -> str:
    result = CliRunner().invoke(app, ["admin", *arguments], catch_exceptions=False, input=stdin)
    assert result.exit_code == 0, result.output
    return result.output


def item(engine: Engine) -> quarantine.Item:
    with engine.connect() as connection:
        return quarantine.item(connection, ITEM)


def test_what_waits_is_listed_without_names_and_shown_with_them(engine: Engine) -> None:
    told = said("quarantine", "list", "quiz")
    assert f"{ITEM}  1970-01-01 00:00:00 UTC  $.object.id: is no IRI" in told
    assert "1 waiting, 0 repaired, 0 replayed, 0 discarded" in told
    assert "ada@" not in told
    shown = said("quarantine", "show", ITEM)
    for one in ("ada@school.example", "request r-1, place 3", "1.0.3 Data 4.3", "Send one."):
        assert one in shown


def test_a_repair_is_checked_before_it_is_kept(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageFault, match="still breaks a rule"):
        said("quarantine", "repair", ITEM, "-", "--why", "a try", stdin=json.dumps(WRONG))
    with pytest.raises(UsageFault, match=r"\$\.object\.id"):
        said("quarantine", "replay", ITEM)
    assert item(engine).repaired is None
    said("quarantine", "repair", ITEM, "-", "--why", "the address", "--by", "Kim", stdin=json.dumps(VALID))
    found = item(engine)
    assert json.loads(found.repaired or "") == VALID
    assert (found.status, found.decided_by, found.reason) == ("waiting", "Kim", "the address")


def test_what_is_discarded_is_not_decided_again(engine: Engine) -> None:
    said("quarantine", "discard", ITEM, "--why", "a test of theirs")
    assert "a test of theirs" in said("quarantine", "show", ITEM)
    assert ITEM in said("quarantine", "list", "quiz", "--status", "discarded")
    with pytest.raises(UsageFault, match="was discarded already"):
        said("quarantine", "discard", ITEM, "--why", "again")


def test_rules_are_added_listed_and_disabled(engine: Engine) -> None:
    with pytest.raises(UsageFault, match="needs a value"):
        said("repair", "add", "quiz", "$.object.id", "replace")
    with pytest.raises(UsageFault, match="no provider nobody"):
        said("repair", "add", "nobody", "$.object.id", "remove")
    added = said(
        "repair", "add", "quiz", "$.object.id", "replace", "--found", '"item-*"', "--value", '"https://x.example/*"'
    )
    rule = added.split(":")[0]
    assert "mended 0" in said("repair", "list", "quiz")
    said("repair", "disable", rule, "--by", "Kim")
    assert "disabled" in said("repair", "list", "quiz")
    with engine.connect() as connection:
        changes = connection.execute(select(provider_changes.c.changed_by, provider_changes.c.what)).all()
    assert ("Kim", 'rule disabled: replace "item-*" by "https://x.example/*" at $.object.id') in map(tuple, changes)


def test_a_verb_of_a_provider_is_mapped_and_unmapped(engine: Engine) -> None:
    iri = "https://quiz.example/verbs/solved"
    with pytest.raises(UsageFault, match="no canonical verb"):
        said("verb", "map", "quiz", iri, "solved")
    said("verb", "map", "quiz", iri, "answered")
    assert iri in said("verb", "list", "quiz")
    said("verb", "unmap", "quiz", iri)
    with engine.connect() as connection:
        assert connection.execute(select(provider_verbs)).all() == []


def test_an_activity_of_a_provider_is_aligned_once(engine: Engine) -> None:
    iri = "https://quiz.example/items/1"
    with pytest.raises(UsageFault, match="not in the catalogue"):
        said("activity", "align", "quiz", iri, "frac-9")
    assert "is evidence" in said("activity", "align", "quiz", iri, "frac-1")
    assert "was already" in said("activity", "align", "quiz", iri, "frac-1")
    assert iri in said("activity", "list", "quiz")
    said("activity", "unalign", "quiz", iri, "frac-1")
    with engine.connect() as connection:
        assert connection.execute(select(alignments)).all() == []
