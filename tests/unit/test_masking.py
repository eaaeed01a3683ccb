"""Who somebody is stays hidden while a statement is repaired, and is back when it is kept."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from dashboards.masking import has_token, masked, unmasked
from dashboards.mending import changes, edited, shown

NAMES = some.sampled_from(["actor", "name", "mbox", "openid", "display", "en", "a@b"])
TEXTS = some.sampled_from(["Ada", "mailto:ada@x.example", "⟨1⟩", "", "plain"])
VALUES = some.recursive(
    TEXTS | some.integers(), lambda one: some.lists(one, max_size=3) | some.dictionaries(NAMES, one, max_size=4)
)
STATEMENT = {
    "actor": {"mbox": "ada@x.example", "name": "Ada", "account": {"homePage": "https://x.example", "name": "ada7"}},
    "verb": {"id": "https://v.example/1", "display": {"en": "did"}},
    "object": {"id": "https://o.example/1", "definition": {"name": {"en": "Fractions"}}},
    "result": {"score": {"raw": 0.1}},
}
TEXT = json.dumps(STATEMENT)


@given(VALUES.filter(lambda value: not has_token(json.dumps(value, ensure_ascii=False))))
def test_what_was_hidden_comes_back(value: Any) -> None:
    hidden, texts = masked(value)
    assert unmasked(hidden, texts) == value
    assert "@" not in json.dumps(hidden)


def test_names_and_addresses_are_hidden_and_titles_are_not() -> None:
    text = shown(TEXT)
    for secret in ("ada", "Ada"):
        assert secret not in text
    for said in ("Fractions", "https://x.example", "did"):
        assert said in text


def test_a_token_may_have_more_text_around_it() -> None:
    statement = TEXT.replace(', "account": {"homePage": "https://x.example", "name": "ada7"}', "")
    repaired = edited(shown(statement).replace('"⟨1⟩"', '"mailto:⟨1⟩"'), statement, "1.0.3")
    assert repaired.faults == []
    assert json.loads(repaired.statement)["actor"]["mbox"] == "mailto:ada@x.example"


def test_numbers_stay_as_they_were_sent() -> None:
    text = TEXT.replace("0.1}", "0.1000000000000000055511151231257827}")
    assert "0.1000000000000000055511151231257827" in edited(shown(text), text, "1.0.3").statement


def test_an_edit_is_told_place_by_place_as_rules_would_make_it() -> None:
    after = json.loads(shown(TEXT))
    del after["actor"]["name"]
    after["object"]["id"] = "https://other.example/1"
    after["result"]["success"] = True
    told = {(one.path, one.action, one.found, one.value) for one in changes(json.dumps(after), TEXT)}
    assert told == {
        ("$.actor.name", "remove", None, None),
        ("$.object.id", "replace", '"https://o.example/*"', '"https://other.example/*"'),
        ("$.result.success", "set", None, "true"),
    }
