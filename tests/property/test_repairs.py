"""Rules of repair over any JSON: they change what they name and nothing else, never what they are given."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ingest.quarantine.repair import Repair, RepairFaultError, apply, check, rule, same, segments
from ingest.quarantine.split import split
from ingest.xapi.faults import Faults
from ingest.xapi.validation import batch

NAMES = some.sampled_from(["actor", "object", "id", "objectType", "a.b", "*", "x y"])
SCALARS = some.none() | some.booleans() | some.integers(-3, 3) | some.sampled_from(["", "item-1", "Activity", "*"])
VALUES = some.recursive(
    SCALARS, lambda inner: some.lists(inner, max_size=4) | some.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
STEPS = some.sampled_from([".actor", ".object", ".id", ".*", "[0]", "[2]", "[*]", '["a.b"]', '["*"]'])
PATHS = some.lists(STEPS, min_size=1, max_size=4).map(lambda steps: "$" + "".join(steps))


@some.composite
def rules(draw: Any) -> Repair:
    path, action = draw(PATHS), draw(some.sampled_from(["set", "replace", "remove"]))
    if action == "set" and path.endswith(("*]", ".*")):
        path += ".id"
    found = json.dumps(draw(SCALARS)) if action != "set" and draw(some.booleans()) else None
    value = json.dumps(draw(VALUES)) if action != "remove" else None
    return rule(path, action, found, value, "r")


@given(VALUES, some.lists(rules(), max_size=3))
def test_a_repair_leaves_what_it_was_given_and_says_whether_it_changed_anything(value: Any, some_rules: Any) -> None:
    before = copy.deepcopy(value)
    changed, used = apply(some_rules, value)
    assert same(value, before)
    assert used or same(changed, value)


@given(VALUES, PATHS.filter(lambda path: not path.endswith(("*]", ".*"))), SCALARS)
def test_to_set_again_changes_nothing(value: Any, path: str, to: Any) -> None:
    own = [rule(path, "set", None, json.dumps(to), "r")]
    once, _ = apply(own, value)
    twice, used = apply(own, once)
    # Where a step of the path is what was set, there is a new place to set.
    assert same(once, twice) or used


@given(some.dictionaries(NAMES, VALUES, max_size=5), NAMES)
def test_what_is_removed_is_gone_and_the_rest_stays(value: dict[str, Any], name: str) -> None:
    changed, used = apply([rule(f"$[{json.dumps(name)}]", "remove", repair_id="r")], value)
    assert same(changed, {key: one for key, one in value.items() if key != name})
    assert bool(used) == (name in value)


@given(some.lists(SCALARS, max_size=6), SCALARS)
def test_of_an_array_all_that_is_found_is_removed(values: list[Any], found: Any) -> None:
    if isinstance(found, str) and found.count("*") == 1:
        return
    changed, _ = apply([rule("$.list[*]", "remove", json.dumps(found), repair_id="r")], {"list": values})
    assert same(changed["list"], [one for one in values if not same(one, found)])


@given(VALUES, some.lists(VALUES, max_size=4), some.lists(rules(), max_size=2))
def test_a_batch_is_taken_apart_without_a_loss(first: Any, others: list[Any], some_rules: Any) -> None:
    statements, faults = [first, *others], Faults()
    batch(statements, faults, version_2=False)
    numbers = iter(range(100))
    parts = split(statements, faults, some_rules, "p1", "1.0.3", lambda: f"id-{next(numbers)}")
    assert len(parts.good) + len(parts.kept) == len(statements)
    assert all(not check(one, "1.0.3") for one in parts.good)
    assert all(one.faults for one in parts.kept)
    places = [one.idx for one in parts.kept]
    assert places == sorted(set(places))


def test_a_star_stands_for_any_text_and_is_kept_in_the_value() -> None:
    own = [rule("$.object.id", "replace", '"item-*"', '"https://items.example/*"', "r")]
    assert apply(own, {"object": {"id": "item-7"}}) == ({"object": {"id": "https://items.example/7"}}, ["r"])
    assert apply(own, {"object": {"id": "other"}}) == ({"object": {"id": "other"}}, [])


def test_one_is_not_true() -> None:
    assert apply([rule("$.success", "replace", "1", "true", "r")], {"success": 1}) == ({"success": True}, ["r"])
    assert apply([rule("$.success", "replace", "1", "false", "r")], {"success": True}) == ({"success": True}, [])


@pytest.mark.parametrize(
    ("path", "action", "found", "value", "said"),
    [
        ("object.id", "remove", None, None, "begins with $"),
        ("$", "remove", None, None, "whole statement"),
        ("$.a[", "remove", None, None, "cannot be read"),
        ("$.a", "move", None, None, "no action"),
        ("$.a", "set", None, None, "needs a value"),
        ("$.a", "remove", None, "1", "takes no value"),
        ("$.a", "set", "1", "2", "use replace"),
        ("$.a", "set", None, "Activity", "in quotes"),
        ("$.a[*]", "set", None, "1", "not *"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_in_words(
    path: str, action: str, found: str | None, value: str | None, said: str
) -> None:
    with pytest.raises(RepairFaultError, match=said.replace("$", r"\$").replace("*", r"\*")):
        rule(path, action, found, value)


@given(some.text(max_size=20))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    with contextlib.suppress(RepairFaultError):
        assert segments("$" + text)


def test_a_signed_statement_is_not_repaired() -> None:
    signed = {
        "actor": {"mbox": "mailto:a@b.example"},
        "verb": {"id": "https://v.example/1"},
        "object": {"id": "https://o.example/1"},
        "attachments": [
            {
                "usageType": "http://adlnet.gov/expapi/attachments/signature",
                "display": {"en": "Signature"},
                "contentType": "application/octet-stream",
                "length": 4,
                "sha2": "0" * 64,
            }
        ],
    }
    assert [fault.rule for fault in check(signed, "1.0.3")] == ["signature.repaired"]
