"""Activities and persons, from all that was sent about them."""

from __future__ import annotations

from ingest.xapi.merging import activity, person

ITEM = "https://items.example/1"


def test_languages_and_extensions_are_collected_and_of_all_else_the_latest_counts() -> None:
    first = {"name": {"en": "Item", "fr": "Exercice"}, "type": "https://t.example/a", "extensions": {"https://x/a": 1}}
    last = {"name": {"en": "The item"}, "type": "https://t.example/b", "extensions": {"https://x/b": 2}}
    assert activity(ITEM, [first, last]) == {
        "objectType": "Activity",
        "id": ITEM,
        "definition": {
            "name": {"en": "The item", "fr": "Exercice"},
            "type": "https://t.example/b",
            "extensions": {"https://x/a": 1, "https://x/b": 2},
        },
    }


def test_an_activity_that_nothing_is_known_of_is_still_one() -> None:
    assert activity(ITEM, []) == {"objectType": "Activity", "id": ITEM}


def test_a_person_lists_each_value_once() -> None:
    ada = {"mbox": "mailto:ada@school.example"}
    assert person([ada, {**ada, "name": "Ada"}, {**ada, "objectType": "Agent", "name": "Ada L."}]) == {
        "objectType": "Person",
        "name": ["Ada", "Ada L."],
        "mbox": ["mailto:ada@school.example"],
    }
