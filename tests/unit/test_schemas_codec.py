"""Events survive the trip through Avro, and bytes that are no event are refused in words."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import fastavro
import httpx
import pytest

from schemas import events, topics
from schemas.avro_registry import (
    AVRO,
    FileSchemaRegistry,
    HttpSchemaRegistry,
    UnknownSchemaError,
    compatibility_faults,
    schema_registry,
    versions,
)
from schemas.codec import (
    Codec,
    CodecError,
    dead_letter_codec,
    envelope_codec,
    provider_minute_codec,
    rejection_codec,
)

ITEM = events.Item(
    statement_id="0d1f6a0a-8a4f-4c7e-9d67-2f1f3d1f0001",
    student_id="7d1f6a0a-8a4f-4c7e-9d67-2f1f3d1f0002",
    provider_id="items",
    verb="answered",
    skills=["RT.1", "RT.2"],
    timestamp=1_790_000_000_123_456,
    stored=1_790_000_001_000_000,
    digest=-(2**63),
    flags=events.ID_GENERATED | events.TIMESTAMP_GENERATED,
    statement='{"actor":"k.0","result":{"response":"año ☃"}}'.encode(),
)
ENVELOPE = events.Envelope("instance", 1_790_000_001_000_100, [ITEM, ITEM])
MINUTE = events.ProviderMinute("items", "instance", 60_000_000, 3, 150, 1, 9000, [1, 2] + [0] * 12)
REJECTION = events.Rejection("items", 1, "r", 400, "score-range", "4.1.5.1", "$[3].result", "too big", "scale it", "7")
DEAD = events.DeadLetter("statements", 1, 2, 99, -1, "", "", 0, "undecodable", "no framing", b"\x00\xff", 5)


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (envelope_codec, ENVELOPE),
        (provider_minute_codec, MINUTE),
        (rejection_codec, REJECTION),
        (dead_letter_codec, DEAD),
    ],
)
def test_an_event_is_read_back_as_it_was_written(make, event) -> None:
    codec = make(FileSchemaRegistry())
    assert codec.decode(codec.encode(event)) == event


def test_a_record_is_framed_as_confluent_clients_expect() -> None:
    data = envelope_codec(FileSchemaRegistry()).encode(ENVELOPE)
    assert struct.unpack_from(">BI", data) == (0, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no Confluent framing"),
        (b"\x01\x00\x00\x00\x01x", "no Confluent framing"),
        (b"\x00\x00\x00\x00\x63x", "schema id 99 is not in"),
        (b"\x00\x00\x00\x00\x02x", "not of this topic"),
        (envelope_codec(FileSchemaRegistry()).encode(ENVELOPE)[:-9], "broken record of schema 1"),
        (envelope_codec(FileSchemaRegistry()).encode(ENVELOPE) + b"tail", "4 bytes after the record"),
        (b"\x00\x00\x00\x00\x01" + b"\xff" * 40, "broken record of schema 1"),
    ],
)
def test_bytes_that_are_no_envelope_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(CodecError, match=words):
        envelope_codec(FileSchemaRegistry()).decode(data)


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_every_version_of_a_subject_is_compatible_with_all_others_and_has_an_id(topic: topics.Topic) -> None:
    ids = json.loads((AVRO / "ids.json").read_text())
    assert all(f"{topic.subject}/v{n}" in ids for n in range(1, len(versions(topic.subject)) + 1))
    assert len(set(ids.values())) == len(ids)
    assert compatibility_faults(topic.subject) == []


@pytest.fixture
def avro(tmp_path: Path) -> Path:
    """A registry of files with the subjects of the project, to be changed by a test."""
    for path in AVRO.rglob("*.*"):
        copy = tmp_path / path.relative_to(AVRO)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    return tmp_path


def _add_version(avro: Path, change) -> None:
    schema = json.loads((avro / "rejections" / "v1.avsc").read_text())
    change(schema["fields"])
    (avro / "rejections" / "v2.avsc").write_text(json.dumps(schema))
    ids = json.loads((avro / "ids.json").read_text()) | {"rejections/v2": 50}
    (avro / "ids.json").write_text(json.dumps(ids))


def test_a_field_with_a_default_may_be_added_and_old_records_are_still_read(avro: Path) -> None:
    old = rejection_codec(FileSchemaRegistry(avro)).encode(REJECTION)
    _add_version(avro, lambda fields: fields.append({"name": "value2", "type": "string", "default": "x"}))
    assert compatibility_faults("rejections", avro) == []
    registry = FileSchemaRegistry(avro)
    assert registry.latest("rejections")[0] == 50

    class Wider(events.Rejection, frozen=True):
        value2: str = ""

    assert Codec(topics.REJECTIONS, Wider, registry).decode(old).value2 == "x"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda fields: fields.append({"name": "n", "type": "int"}), r"v2 cannot read v1: \$\.n: new field without"),
        (lambda fields: fields.pop(0), r"v1 cannot read v2: \$\.provider_id: new field without a default"),
        (lambda fields: fields[1].update(type="string"), r"\$\.at: long cannot be read as string"),
        (lambda fields: fields[3].update(type="long"), r"v1 cannot read v2: \$\.status: long cannot be read as int"),
        (lambda fields: fields[0].update(type=["null", "string"]), r"v1 cannot read v2: \$\.provider_id: null cannot"),
    ],
)
def test_a_change_that_breaks_readers_is_named_with_its_path(avro: Path, change, fault: str) -> None:
    import re

    _add_version(avro, change)
    found = compatibility_faults("rejections", avro)
    assert any(re.search(fault, line) for line in found), found


def test_the_checker_agrees_with_what_fastavro_can_read(avro: Path) -> None:
    _add_version(avro, lambda fields: fields.append({"name": "n", "type": "int"}))
    old = rejection_codec(FileSchemaRegistry()).encode(REJECTION)
    with pytest.raises((CodecError, fastavro.read.SchemaResolutionError)):
        Codec(topics.REJECTIONS, events.Rejection, FileSchemaRegistry(avro)).decode(old)


def test_a_schema_registry_over_http_gives_ids_and_schemas() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        if request.method == "POST":
            return httpx.Response(200, json={"id": 71})
        if request.url.path.endswith("/71"):
            return httpx.Response(200, json={"schema": json.dumps(versions("statements")[-1])})
        return httpx.Response(404, json={"error_code": 40403})

    client = httpx.Client(base_url="http://registry.test", transport=httpx.MockTransport(answer))
    registry = HttpSchemaRegistry("http://registry.test", client)
    codec = envelope_codec(registry)
    data = codec.encode(ENVELOPE)
    assert struct.unpack_from(">BI", data) == (0, 71)
    assert codec.decode(data) == ENVELOPE
    assert asked == ["POST /subjects/statements-value/versions"]
    assert registry.by_id(71)["name"] == "Envelope"
    with pytest.raises(UnknownSchemaError):
        registry.by_id(72)
    with pytest.raises(CodecError, match="72 is not in the schema registry"):
        codec.decode(struct.pack(">BI", 0, 72) + b"x")


def test_the_files_serve_where_no_schema_registry_is_set() -> None:
    assert isinstance(schema_registry(""), FileSchemaRegistry)
