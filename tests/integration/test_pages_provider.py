"""The provider page as those who manage a provider use it: quarantine, credentials, mode, mappings, sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, select
from streamlit.testing.v1 import AppTest

from dashboards import people
from dashboards.broker import LagReader
from dashboards.session import Context, Services
from dashboards.store import Store
from infra.runtime import mappings, providers, quarantine
from schemas.registry.lrs import provider_changes, quarantined, repairs, sandboxed
from schemas.registry.tables import provider_credentials, provider_verbs, skills, token_clients, token_issuers
from schemas.registry.tables import providers as table
from tests.fixtures.pages_store import DistrictStore

pytestmark = pytest.mark.clickhouse
PROVIDER = "provider-practice"
STATEMENT = {
    "actor": {"mbox": "mailto:hidden@school.example", "name": "Hidden Name"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
    "object": {"id": "item-7", "objectType": "Activity"},
}
FAULT = {
    "rule": "iri",
    "section": "1.0.3 Data 4.3",
    "path": "$.object.id",
    "message": "is no IRI with a scheme",
    "fix": "Send an absolute IRI with its scheme.",
    "value": "item-7",
}


@pytest.fixture
def managed(district_store: DistrictStore) -> Iterator[DistrictStore]:
    """Two statements wait, and nothing else has been changed."""
    _, engine, _ = district_store
    with engine.begin() as connection:
        for number in (7, 8):
            text = json.dumps(STATEMENT | {"object": {"id": f"item-{number}"}}, separators=(",", ":"))
            connection.execute(
                insert(quarantined).values(
                    item_id=str(uuid4()), provider_id=PROVIDER, credential="key", request_id="r-1", idx=number,
                    received_at=number, version="1.0.3", statement=text, faults=json.dumps([FAULT]),
                )
            )  # fmt: skip
    yield district_store
    with engine.begin() as connection:
        for kept in (quarantined, repairs, provider_changes, sandboxed, provider_verbs):
            connection.execute(delete(kept))
        connection.execute(delete(provider_credentials).where(provider_credentials.c.provider_id == PROVIDER))
        connection.execute(table.update().values(mode="strict", rate_per_second=None, daily_quota=None))


@pytest.fixture
def open_view(managed: DistrictStore) -> Callable[..., AppTest]:
    """A view of the page by itself, as somebody: a test cannot type an address."""
    settings, engine, district = managed

    def run(view: str, who: str = "operator") -> AppTest:
        member = people.staff_member(engine, staff_id=district.staff[who])
        assert member is not None
        services = Services(settings, engine, Store(settings, engine, remember_s=0), LagReader(settings))
        page = AppTest.from_function(_script, default_timeout=60)
        page.session_state["context"] = Context(services, member)
        page.query_params["provider"] = PROVIDER
        page.query_params["view"] = view
        return page.run()

    return run


def _script() -> None:
    import streamlit as st

    from dashboards.screens import provider

    provider.page(st.session_state["context"])


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].stack_trace
    parts: list[str] = []

    def walk(node: Any) -> None:
        for child in getattr(node, "children", {}).values():
            walk(child)
            for name in ("body", "label", "value"):
                found = getattr(getattr(child, "proto", None), name, None)
                if isinstance(found, str):
                    parts.append(found)

    walk(page.main)
    return "\n".join(parts)


def waiting(managed: DistrictStore, status: str = "waiting") -> list[quarantine.Item]:
    with managed[1].connect() as connection:
        return quarantine.items(connection, PROVIDER, status)


def changes(managed: DistrictStore) -> list[str]:
    with managed[1].connect() as connection:
        own = provider_changes.c
        return [f"{row.changed_by}: {row.what}" for row in connection.execute(select(own.changed_by, own.what))]


def test_a_kept_statement_is_shown_with_its_fault_and_without_who_it_is_about(managed, open_view):
    page = open_view("quarantine")
    [item] = [one for one in waiting(managed) if one.idx == 8]
    text = shown(page) + page.text_area(key=f"edit-{item.item_id}").value
    for said in ("$.object.id", "is no IRI with a scheme", "Send an absolute IRI", "item-8", "⟨1⟩"):
        assert said in text
    assert "hidden@school.example" not in text
    assert "Hidden Name" not in text


def test_a_statement_is_edited_until_it_keeps_all_rules_and_then_replayed(managed, open_view):
    page = open_view("quarantine")
    [item] = [one for one in waiting(managed) if one.idx == 8]
    editor = page.text_area(key=f"edit-{item.item_id}")
    editor.set_value(editor.value.replace("item-8", "https://items.example/8")).run()
    assert "It keeps all rules now" in shown(page)
    page.text_input(key=f"why-{item.item_id}").set_value("the whole address").run()
    page.button(key=f"replay-{item.item_id}").click().run()
    assert not page.exception
    [ready] = [one for one in waiting(managed) if one.repaired]
    repaired = json.loads(ready.repaired or "")
    assert repaired["object"]["id"] == "https://items.example/8"
    assert repaired["actor"] == STATEMENT["actor"]
    assert (ready.reason, "operator" in (ready.decided_by or "")) == ("the whole address", True)


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"actor": "⟨1⟩"}'])
def test_whatever_is_typed_is_told_what_is_wrong_with_it(managed, open_view, text):
    page = open_view("quarantine")
    [item] = [one for one in waiting(managed) if one.idx == 8]
    page.text_area(key=f"edit-{item.item_id}").set_value(text).run()
    assert "It keeps all rules now" not in shown(page)


def test_an_edit_becomes_a_rule_that_says_how_much_it_mends(managed, open_view):
    page = open_view("quarantine")
    [item] = [one for one in waiting(managed) if one.idx == 8]
    editor = page.text_area(key=f"edit-{item.item_id}")
    editor.set_value(editor.value.replace("item-8", "https://items.example/8")).run()
    assert "2 of 2 statements" in shown(page)
    [add] = [button for button in page.button if str(button.key).startswith("rule-add-")]
    add.click().run()
    with managed[1].connect() as connection:
        [rule] = quarantine.rules(connection, PROVIDER)
    assert (rule.path, rule.action) == ("$.object.id", "replace")
    assert (rule.found, rule.value) == ('"item-*"', '"https://items.example/*"')
    assert "rule added" in changes(managed)[0]


def test_a_statement_is_discarded_with_a_reason(managed, open_view):
    page = open_view("quarantine")
    [item] = [one for one in waiting(managed) if one.idx == 8]
    assert page.button(key=f"discard-{item.item_id}").disabled
    page.text_input(key=f"discard-why-{item.item_id}").set_value("a test of theirs").run()
    page.button(key=f"discard-{item.item_id}").click().run()
    [gone] = waiting(managed, "discarded")
    assert (gone.item_id, gone.reason) == (item.item_id, "a test of theirs")


def test_a_credential_is_issued_and_its_secret_shown_once(managed, open_view):
    page = open_view("credentials")
    page.text_input(key="issue-label").set_value("Grade 7 course").run()
    page.checkbox(key="issue-sandbox").check().run()
    page.button(key="issue-do").click().run()
    issued = page.session_state["provider-issued"]
    assert issued.secret in "".join(code.value for code in page.code)
    page.button(key="issued-done").click().run()
    assert issued.secret not in "".join(code.value for code in page.code)
    with managed[1].connect() as connection:
        own = provider_credentials.c
        row = connection.execute(select(provider_credentials).where(own.key == issued.key)).one()
    assert (row.label, bool(row.sandbox)) == ("Grade 7 course", True)
    assert issued.secret not in "".join(changes(managed))


def test_a_credential_is_rotated_both_work_for_a_while(managed, open_view):
    with managed[1].begin() as connection:
        old = providers.issue_credential(connection, PROVIDER, 1, label="course")
    page = open_view("credentials")
    page.selectbox(key="rotate-key").set_value(old.key).run()
    page.button(key="rotate-do").click().run()
    new = page.session_state["provider-issued"]
    assert "A new credential" in shown(page)
    with managed[1].connect() as connection:
        own = provider_credentials.c
        ends = dict(connection.execute(select(own.key, own.expires_at).where(own.provider_id == PROVIDER)).all())
    assert ends[old.key] > 0
    assert ends[new.key] is None
    assert any("rotated" in one for one in changes(managed))


def test_a_credential_is_revoked_with_a_reason(managed, open_view):
    with managed[1].begin() as connection:
        old = providers.issue_credential(connection, PROVIDER, 1, label="course")
    page = open_view("credentials")
    page.selectbox(key="revoke-key").set_value(old.key).run()
    page.text_input(key="revoke-why").set_value("it was published").run()
    page.button(key="revoke-do").click().run()
    with managed[1].connect() as connection:
        own = provider_credentials.c
        assert connection.execute(select(own.disabled).where(own.key == old.key)).scalar_one()
    assert any("it was published" in one for one in changes(managed))


def test_the_mode_is_changed_after_a_second_click(managed, open_view):
    page = open_view("credentials")
    page.button_group(key="mode-strict").set_value("quarantine").run()
    page.button(key="mode-do").click().run()
    with managed[1].connect() as connection:
        mode = connection.execute(select(table.c.mode).where(table.c.provider_id == PROVIDER)).scalar_one()
    assert mode == "quarantine"


def test_a_verb_gets_a_meaning(managed, open_view, monkeypatch):
    iri, asked = "https://quiz.example/verbs/solved", Store.query

    def with_a_verb(store: Store, viewer: Any, name: str, **parameters: Any) -> Any:
        unknown = name == "provider_unmapped_verbs"
        return [{"verb_iri": iri, "statements": 3}] if unknown else asked(store, viewer, name, **parameters)

    monkeypatch.setattr(Store, "query", with_a_verb)
    page = open_view("mapping")
    page.selectbox(key="verb-means").set_value("answered").run()
    page.button(key="verb-do").click().run()
    with managed[1].connect() as connection:
        assert mappings.verbs_of(connection, PROVIDER) == [(iri, "answered")]


def test_clients_with_tokens_are_shown_beside_the_credentials(managed, open_view):
    issuer, client = "https://login.example", "course-app"
    with managed[1].begin() as connection:
        connection.execute(insert(token_issuers).values(issuer=issuer, audience="lrs", jwks="{}", created_at=1))
        connection.execute(
            insert(token_clients).values(
                issuer=issuer, client_id=client, provider_id=PROVIDER, scopes="statements/write", created_at=1
            )
        )
    text = shown(open_view("credentials"))
    with managed[1].begin() as connection:
        connection.execute(delete(token_clients))
        connection.execute(delete(token_issuers))
    assert client in text
    assert issuer in text


def test_an_alignment_is_taken_back(managed, open_view):
    with managed[1].begin() as connection:
        skill = connection.scalar(select(skills.c.skill_id).limit(1))
        mappings.align(connection, PROVIDER, "https://quiz.example/items/1", skill, "Ada", 1)
        before = mappings.alignments_of(connection, PROVIDER)
    place = "https://quiz.example/items/1", skill
    page = open_view("mapping")
    page.selectbox(key="unalign-place").set_value(place).run()
    page.button(key="unalign-do").click().run()
    with managed[1].connect() as connection:
        assert mappings.alignments_of(connection, PROVIDER) == [one for one in before if one != place]


def test_sandbox_statements_are_looked_at(managed, open_view):
    assert "The sandbox is empty" in shown(open_view("sandbox"))
    with managed[1].begin() as connection:
        connection.execute(
            insert(sandboxed).values(
                provider_id=PROVIDER, statement_id=str(uuid4()), stored=9, digest=1, statement=json.dumps(STATEMENT)
            )
        )
    page = open_view("sandbox")
    assert "answered" in page.radio(key="sandbox-item").options[0]
    assert "hidden@school.example" not in "".join(code.value for code in page.code)


def test_a_provider_manages_its_own_and_sets_no_limits(managed, open_view):
    page = open_view("credentials", "provider")
    assert page.button(key="issue-do")
    assert all(field.disabled for field in page.number_input)
    assert not {"all", "all/read", "statements/read"} & set(page.multiselect(key="issue-scopes").options)


def test_a_leader_sees_counts_and_no_statement_of_the_quarantine(managed, open_view):
    text = shown(open_view("quarantine", "leader"))
    assert "Quarantine" not in text
    assert "item-8" not in text
    assert "Accepted" in text
