"""The compiled way and the reference agree: on what may be accepted, and on every byte that is then kept."""

from __future__ import annotations

import copy
import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.runtime.compiled import compiled
from ingest.xapi.accepted import Accepted, Valid, read
from ingest.xapi.faults import Faults
from ingest.xapi.parse import parse
from ingest.xapi.validation import batch
from ingest.xapi.version import ONE, TWO, statement_version

UUID = "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"
WHOLE: dict[str, Any] = {
    "id": UUID,
    "actor": {
        "objectType": "Group",
        "name": "Crew",
        "member": [{"mbox": "mailto:a@example.org"}, {"account": {"homePage": "https://s.example", "name": "é\u2028"}}],
    },
    "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en-US": "answered", "zh-Hant-TW": "回答"}},
    "object": {
        "objectType": "Activity",
        "id": "https://p.example/items/1?a=b",
        "definition": {
            "name": {"en": 'quote " slash \\ tab \t bell \b \x01'},
            "description": {"de": ""},
            "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
            "moreInfo": "https://p.example/more",
            "interactionType": "choice",
            "correctResponsesPattern": ["a[,]b"],
            "choices": [{"id": "a", "description": {"en": "A"}}, {"id": "b"}],
            "extensions": {"urn:x:y": {"z": [1, None, {"b": 0, "a": True}]}},
        },
    },
    "result": {
        "score": {"scaled": 0.5, "raw": 5, "min": 0, "max": 10.25},
        "success": True,
        "completion": False,
        "response": "😀",
        "duration": "P1DT2H3.5S",
        "extensions": {"urn:n": 1e400, "urn:big": 2**70},
    },
    "context": {
        "registration": UUID.upper(),
        "instructor": {"mbox_sha1sum": "ebd31e95054c018b10727ccffd2ef2ec3a016ee9"},
        "team": {"objectType": "Group", "openid": "https://id.example/7"},
        "contextActivities": {
            "parent": {"id": "https://p.example/set"},
            "grouping": [{"id": "https://p.example/course"}, {"id": "urn:skill:1", "objectType": "Activity"}],
            "category": {"id": "urn:skill:2", "definition": {"name": {"en": "C"}}},
            "other": [],
        },
        "revision": "1",
        "platform": "P",
        "language": "es-419",
        "statement": {"objectType": "StatementRef", "id": UUID},
        "extensions": {"https://p.example/x": ""},
    },
    "timestamp": "2026-02-28T23:59:59.1234567+05:30",
    "stored": "2026-02-28T23:59:59Z",
    "version": "1.0.3",
}  # fmt: skip
PIECES: tuple[Any, ...] = (
    *(None, True, False, 0, -0.0, 1, -1, 1.0, 15, 10.5, 1e5, 1e-7, 0.001, 0.0001, 2**64, Decimal("0.10")),
    123456789012345678,
    *("", "a", "Agent", "Group", "Activity", "StatementRef", "SubStatement", "mailto:x@y", "mailto:ä@y"),
    "mailto:x y@z",
    *("http://x", "x:", "a b:c", "urn:ä", "1a:b", "en", "en-", "EN-us", "x-klingon", "abcd", "de-DE-1996", "en-US-US"),
    *("http://adlnet.gov/expapi/verbs/voided", UUID, UUID.upper(), UUID.replace("4", "0", 1), "1.0", "1.0.", "2.0.0"),
    *("PT", "P", "P1Y", "PT1.5M2S", "PT1,5S", "P2W", "P1DT", "PT1S1M", "P1H", "PT0S", "P1.5D", "PT1M1H", "choice"),
    "likert",
    *("2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01"),
    *("2026-01-01T00:00:00", "2026-01-01T00:00:00-00:00", "2026-01-01t00:00:00z", "2026-01-01T00:00:00.1Z"),
    *("1970-01-02T23:59:59Z", "1970-01-03T00:00:00Z", "2149-06-03T23:59:59.999999Z", "2149-06-04T00:00:00Z"),
    "2026-01-01T00:00:00+0530",
    *([], {}, [1], {"a": 1}, [[]], [{"id": "https://p.example/1"}], {"id": "https://p.example/1"}, {"id": "k"}),
    [{"id": "k"}],
    *([{"id": "k"}, {"id": "k"}], {"mbox": "mailto:a@b", "openid": "https://x"}, {"mbox": "mailto:a@b"}),
    {"objectType": "Group", "member": [{"mbox": "mailto:a@b", "objectType": "Agent"}]},
    *({"objectType": "StatementRef", "id": UUID}, {"objectType": "Group"}),
    {"objectType": "Group", "mbox": "mailto:a@b"},
    {"objectType": "SubStatement", "actor": {"mbox": "mailto:a@b"}, "verb": {"id": "x:y"}, "object": {"id": "x:z"}},
)  # fmt: skip
NAMES = (
    *("objectType", "id", "name", "mbox", "openid", "member", "scale", "choices", "authority", "attachments"),
    "platform",
    *("contextAgents", "extra", "ID", "timestamp", "display", "grouping", "interactionType", "urn:ext", "a b"),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON value."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return [path, *(found for key, one in inner for found in places(one, (*path, key)))]
    return [path]


def changed(value: Any, chance: random.Random) -> Any:
    """A statement that is wrong, or odd, in a place or two."""
    value = copy.deepcopy(value)
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        path = chance.choice(places(value)[1:] or [()])
        if not path:
            break
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        way = chance.random()
        if way < 0.25:
            del holder[path[-1]]
        elif way < 0.45 and isinstance(holder[path[-1]], dict):
            holder[path[-1]][chance.choice(NAMES)] = copy.deepcopy(chance.choice(PIECES))
        else:
            holder[path[-1]] = copy.deepcopy(chance.choice(PIECES))
    return value


ALWAYS = ("actor", "verb", "object", "id", "interactionType", "member", "objectType")


def shrunk(value: Any, chance: random.Random) -> Any:
    """Half of what is optional left out, so that most statements are valid."""
    if isinstance(value, dict):
        return {key: shrunk(one, chance) for key, one in value.items() if chance.random() < 0.8 or key in ALWAYS}
    return [shrunk(one, chance) for one in value] if isinstance(value, list) else value


def written(value: Any, chance: random.Random) -> bytes:
    """JSON with members in any order, blanks and escapes of several kinds."""
    if isinstance(value, dict):
        pairs = list(value.items())
        chance.shuffle(pairs)
        return b"{" + b",".join(written(k, chance) + b" :" + written(v, chance) for k, v in pairs) + b"}"
    if isinstance(value, list):
        return b"[\n" + b", ".join(written(one, chance) for one in value) + b"]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    if isinstance(value, float) and value == float("inf"):
        return b"1e400"
    if isinstance(value, Decimal):
        return str(value).encode()
    return json.dumps(value).encode()


def reference(body: bytes, *, version_2: bool) -> Valid | None:
    faults = Faults()
    value = parse(body, faults)
    statements = [] if faults else batch(value, faults, version_2=version_2)
    return None if faults else Accepted(statements, single=isinstance(value, dict))


def kept(statements: Valid, *, version_2: bool) -> list[Any]:
    """All that the way to the log asks."""
    ids, agents, meanings = statements.ids(), statements.agents(), statements.meanings()
    version = statement_version(TWO if version_2 else ONE).encode()
    statements.stamp(b"provider", b"authority.1", 1_763_720_000_000_000, b"2025-11-21T10:13:20.000000Z", version)
    made: list[Any] = [statements.count, statements.single]
    for index, own in enumerate(agents):
        keys = tuple(f"key-{number}.1" for number in range(len(own)))
        for student, flags in (("s" * 36, 0), ("t" * 36, 4)):
            one = statements.item(index, ids[index] or UUID, keys, student, b"\x02v\0", flags)
            made.append((ids[index], own, meanings[index], one, statements.digest(index)))
    made.append(statements.parties())
    return made


def agree(body: bytes, *, version_2: bool = False) -> bool:
    """Whether the compiled way took a body; it must be one that the reference takes, with the same outcome."""
    found = read(body, version_2=version_2)
    if found is None:
        return False
    slow = reference(body, version_2=version_2)
    assert slow is not None, body
    assert kept(found, version_2=version_2) == kept(slow, version_2=version_2)
    return True


def test_the_extension_was_built() -> None:
    assert compiled("ingest.xapi.native._speed") is not None, "python requirements/extension.py --required"


@given(st.integers(0, 2**64), st.booleans())
def test_statements_near_the_edge_of_validity(seed: int, version_2: bool) -> None:
    chance = random.Random(seed)
    told = [changed(shrunk(WHOLE, chance), chance) for _ in range(chance.choice((1, 1, 1, 2)))]
    agree(written(told if chance.random() < 0.5 else told[0], chance), version_2=version_2)


@given(st.integers(0, 2**64))
def test_a_body_that_was_cut_or_had_a_byte_changed(seed: int) -> None:
    chance = random.Random(seed)
    body = bytearray(written(shrunk(WHOLE, chance), chance))
    place = chance.randrange(len(body))
    if chance.random() < 0.2:
        del body[place:]
    elif chance.random() < 0.5:
        body[place] = chance.randrange(256)
    else:
        body[place] = ord(chance.choice('"\\{}[]:,0-.eEtfn u'))
    agree(bytes(body))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
@example({"\u0000\u001f\u007f\u0080\ud7ff\ue000\U0010ffff": -0.0}, True)
def test_any_value_in_an_extension_is_kept_value_for_value(value: Any, ascii_only: bool) -> None:
    told = {**WHOLE, "result": {"extensions": {"urn:x": value}}}
    try:
        body = json.dumps(told, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return
    agree(body.replace(b"Infinity", b"1e999"))


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_numbers_keep_their_value_to_the_digit(text: str) -> None:
    agree(json.dumps({**WHOLE, "result": {"extensions": {"urn:x": "@"}}}).replace('"@"', text).encode())
    agree(json.dumps({**WHOLE, "result": {"score": {"raw": "@"}}}).replace('"@"', text).encode())


@given(st.integers(0, 2**64))
def test_what_everybody_sends_takes_the_compiled_way(seed: int) -> None:
    chance = random.Random(seed)
    body = written(shrunk({key: one for key, one in WHOLE.items() if key != "stored"}, chance), chance)
    if reference(body, version_2=False) is not None:
        assert agree(body)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b'{"a":1}', b"[1]", b"{}", b'{"actor":{},"actor":{}}', b"\xef\xbb\xbf{}", b"[" * 5000,
        b'{"\xff":1}', b'{"\\ud800":1}', b'{"a":01}', b'{"a":1.}', b'{"a":+1}', b'{"a":tru}', b'{"a":1}x',
    ],
)  # fmt: skip
def test_what_is_no_statement_is_left_to_the_reference(body: bytes) -> None:
    assert read(body, version_2=False) is None


def test_a_property_that_comes_twice_is_left_to_the_reference() -> None:
    text = json.dumps(WHOLE)
    for twice in ('{"id":"' + UUID + '",', '{"i\\u0064":"' + UUID + '",'):
        body = text.replace("{", twice, 1).encode()
        assert read(body, version_2=False) is None
        assert reference(body, version_2=False) is None


def test_two_statements_of_one_id_are_left_to_the_reference() -> None:
    body = json.dumps([WHOLE, {**WHOLE, "id": UUID.upper()}]).encode()
    assert read(body, version_2=False) is None
    assert reference(body, version_2=False) is None
