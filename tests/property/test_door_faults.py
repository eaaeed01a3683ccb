"""Whatever is sent as statements is answered: accepted, or refused in words; never a failure of this service."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.bare_door import Answered, BareDoor
from tests.fixtures.multipart import BOUNDARY, attachment, body, first, part
from tests.property.test_xapi_speed import UUID, WHOLE, changed, shrunk, written

MIXED = f"multipart/mixed; boundary={BOUNDARY}"
NOTE, SKETCH = b"a note\r\n--abc-0123456789x", b"\x00\xff" * 50
SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"
LINE = b"\r\n--" + BOUNDARY.encode()
PLAIN = {**WHOLE, "result": {"success": True}}
VERSIONS = ("1.0.3", "2.0.0", "1.0.0")
ODD_NUMBERS = ("1e400", "-1e-400", "9" * 400, "0." + "1" * 400, "1e99999999999", "9" * 5000, "-0", "1E+2")
ODD_TEXTS = ("\x00", "\ud800", "\u2028", "\uffff", "😀" * 40, "a" * 3000, "﷽", "mailto:", "\r\n", "%00", "$[0]")


# A seed is drawn once; drawing each choice takes longer than the requests.
CHANCES = st.integers(0, 2**63).map(random.Random)
DOOR = BareDoor(max_string=2000, max_attachment_bytes=4000, max_multipart_bytes=20_000, max_attachments=3)


def is_an_answer(found: Answered) -> None:
    """Success, or a refusal that says what is wrong, where and what to do."""
    assert found.status < 500, found
    assert "x-experience-api-consistent-through" in found.headers
    if found.status >= 400:
        assert found.value["error"]
        assert found.value["request_id"]
        assert found.value["faults"] or found.status == 408
        for fault in found.value["faults"]:
            assert fault["rule"]
            assert fault["section"]
            assert fault["fix"]
            assert fault["message"]


def odd(value: Any, chance: random.Random) -> bytes:
    """JSON of a statement, with a text or a number in it that few senders have in mind."""
    text = written(value, chance)
    way = chance.random()
    if way < 0.2:
        return text.replace(b"0.5", chance.choice(ODD_NUMBERS).encode(), 1)
    if way < 0.5:
        made = json.dumps(chance.choice(ODD_TEXTS), ensure_ascii=chance.random() < 0.5)
        old = chance.choice([b'"P"', b'"1"', b'"A"', b'"urn:x:y"', b'"en"', b'"choice"', b'"Crew"', b'"context"'])
        return text.replace(old, made.encode("utf-8", "surrogatepass"), 1)
    if way < 0.6:
        depth = chance.choice((3, 55, 60, 70, 500, 960, 5000))
        left, right = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
        return text.replace(b"1e400", left * depth + b"1" + right * depth, 1)
    if way < 0.7:
        place = chance.randrange(len(text))
        return text[:place] + bytes([chance.randrange(256)]) + text[place + chance.randrange(3) :]
    if way < 0.75:
        return text[: chance.randrange(len(text))]
    if way < 0.8:
        return text.replace(b"{", b'{"id":"' + UUID.encode() + b'",', 1)
    return text


def near_the_edge(chance: random.Random) -> bytes:
    """A statement, or several, right or wrong in a place or two."""
    made = []
    for number in range(chance.choice((1, 1, 1, 2, 3))):
        one = {**WHOLE, "id": f"{UUID[:-1]}{number}"} if chance.random() < 0.9 else WHOLE
        one = changed(shrunk(one, chance) if chance.random() < 0.3 else one, chance)
        made.append(odd(one, chance) if chance.random() < 0.4 else written(one, chance))
    return made[0] if len(made) == 1 else b"[" + b",".join(made) + b"]"


def in_pieces(sent: bytes, chance: random.Random) -> list[bytes]:
    size = chance.choice((1, 7, 64, 1000, 1 << 20))
    return [sent[start : start + size] for start in range(0, len(sent), size)]


@given(CHANCES, st.sampled_from(VERSIONS))
@settings(max_examples=300, deadline=None)
def test_statements_near_the_edge_of_validity_are_answered(chance: random.Random, version: str) -> None:
    sent, before = near_the_edge(chance), DOOR.accepted
    found = DOOR.post(in_pieces(sent, chance), x_experience_api_version=version)
    is_an_answer(found)
    assert (found.status == 200) == (DOOR.accepted > before)
    is_an_answer(DOOR.put(UUID, [sent], x_experience_api_version=version))


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(), one, max_size=4),
)


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_any_json_is_answered(value: Any) -> None:
    found = DOOR.post([json.dumps(value).encode()])
    is_an_answer(found)
    assert found.status == 400 or value == []


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_answered(sent: bytes) -> None:
    is_an_answer(DOOR.post([sent]))
    is_an_answer(DOOR.post([sent], content_type=MIXED))


def whole(chance: random.Random) -> list[bytes]:
    """The parts of a right request, or nearly."""
    own = [
        attachment(NOTE),
        attachment(SKETCH, fileUrl="https://files.example/1"),
        attachment(b"", usageType=SIGNATURE),
    ]
    statement = {**PLAIN, "attachments": own[: chance.choice((1, 2, 2, 2, 3))]}
    if chance.random() < 0.3:
        statement = changed(statement, chance)
    head = b"Content-Type: application/json\r\n\r\n"
    parts = [head + written(statement, chance), part(NOTE), part(SKETCH), part(b"")]
    return parts[: chance.choice((2, 3, 3, 3, 4))]


def spoilt(chance: random.Random) -> bytes:
    """A body in parts with bytes dropped, doubled, swapped or put in."""
    parts = whole(chance)
    way = chance.random()
    if way < 0.3:
        chance.shuffle(parts)
    elif way < 0.4:
        parts.append(chance.choice(parts))
    sent = body(*parts, boundary=chance.choice((BOUNDARY,) * 8 + ("other", BOUNDARY[:-1])))
    for _ in range(chance.choice((0, 0, 1, 1, 3))):
        start = chance.randrange(len(sent))
        end = min(len(sent), start + chance.choice((0, 1, 2, 30)))
        pieces = (b"", b"\r", b"\n", b"\r\n", b"--", b"\r\n--" + BOUNDARY.encode(), b"\x00", b":", sent[start:end] * 2)
        sent = sent[:start] + chance.choice(pieces) + sent[end:]
    return sent


@given(CHANCES)
@settings(max_examples=300, deadline=None)
def test_bodies_in_parts_that_were_spoilt_are_answered(chance: random.Random) -> None:
    kind = chance.choice((MIXED,) * 8 + (MIXED.upper(), "multipart/mixed", f'multipart/mixed; boundary="{BOUNDARY}"'))
    before = DOOR.accepted
    found = DOOR.post(in_pieces(spoilt(chance), chance), content_type=kind)
    is_an_answer(found)
    assert (found.status == 200) == (DOOR.accepted > before)


@pytest.mark.parametrize("filler", [LINE, LINE + b"\r", LINE + b"-", LINE + b"\r\n", b"\r", b"\r\n-", b"--"])
def test_a_body_that_looks_like_boundaries_all_through_is_read_to_its_limit_and_no_further(filler: bytes) -> None:
    bare = BareDoor(max_attachment_bytes=200_000, max_multipart_bytes=300_000, max_attachments=3)
    taken = 0

    def endless() -> Any:
        nonlocal taken
        yield body(first(PLAIN))[: -len(BOUNDARY) - 8] + b"\r\n--" + BOUNDARY.encode() + b"\r\n" + part(b"")
        while True:
            piece = filler * 100
            taken += len(piece)
            yield piece

    found = bare.post(endless(), content_type=MIXED)
    is_an_answer(found)
    assert found.status in (400, 413)
    assert taken < 400_000


def test_what_requests_in_parts_hold_is_given_back() -> None:
    bare = BareDoor(max_multipart_bytes=20_000)
    right = body(first({**PLAIN, "attachments": [attachment(NOTE)]}), part(NOTE))
    for number in range(100):
        sent = right if number % 2 else right[: number * 7]
        assert bare.post([sent], content_type=MIXED).status == (200 if number % 2 else 400)
