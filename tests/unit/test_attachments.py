"""Attachments in a body, in an answer and in the store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from ingest.attachments.multipart import mixed
from ingest.attachments.received import Limits, Mixed, Room, boundary_of, is_multipart, receive
from ingest.attachments.store import AttachmentStore, AttachmentStoreError, open_store
from ingest.errors import ApiError
from tests.fixtures.multipart import body as whole
from tests.fixtures.multipart import part, sha

LIMITS = Limits(statements=10_000, attachment=5_000, attachments=3)
NOTE = b"a note\r\n--not the boundary\r\n\x00\xff"
ANOTHER = b""


STATEMENTS = b'Content-Type: application/json; charset=utf-8\r\n\r\n{"a":1}'


body = partial(whole, boundary="b-1")


def read(sent: bytes, *, limits: Limits = LIMITS, size: int = 7, kind: str = "multipart/mixed; boundary=b-1") -> Mixed:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), size):
            yield sent[start : start + size]

    with Room(1_000_000).taken() as share:
        return asyncio.run(receive(pieces(), kind, limits, share))


@pytest.mark.parametrize("size", [1, 2, 3, 50, 100_000])
def test_parts_are_read_to_the_byte_wherever_the_pieces_end(size: int) -> None:
    found = read(body(STATEMENTS, part(NOTE), part(ANOTHER)), size=size)
    assert found.statements == b'{"a":1}'
    assert found.parts == {sha(NOTE): NOTE, sha(ANOTHER): ANOTHER}


@pytest.mark.parametrize("name", ["sha224", "sha256", "sha384", "sha512"])
def test_the_hash_is_any_sha2_of_either_case(name: str) -> None:
    digest = hashlib.new(name, NOTE).hexdigest()
    assert read(body(STATEMENTS, part(NOTE, X_Experience_API_Hash=digest.upper()))).parts == {digest: NOTE}


def test_a_boundary_may_be_quoted_and_the_body_may_begin_with_an_empty_line() -> None:
    sent = b"\r\n" + body(STATEMENTS, boundary="a b:c")
    assert read(sent, kind='Multipart/Mixed; charset="x"; boundary="a b:c"').statements == b'{"a":1}'


@pytest.mark.parametrize(
    ("sent", "status", "rule"),
    [
        (b"", 400, "multipart.boundary"),
        (b"--b-1", 400, "multipart.boundary"),
        (b"--b-1--", 400, "multipart.first"),
        (body(STATEMENTS)[:-6], 400, "multipart.boundary"),
        (body(STATEMENTS, boundary="b-2"), 400, "multipart.boundary"),
        (b"preamble\r\n" + body(STATEMENTS), 400, "multipart.boundary"),
        (body(b"Content-Type: text/plain\r\n\r\n{}"), 400, "multipart.first"),
        (body(b"\r\n{}"), 400, "multipart.first"),
        (body(b"no header"), 400, "multipart.boundary"),
        (body(b"A: b\r\na: c\r\n\r\n{}"), 400, "multipart.boundary"),
        (body(STATEMENTS, part(NOTE, Content_Transfer_Encoding="base64")), 400, "multipart.encoding"),
        (body(STATEMENTS, part(NOTE, Content_Transfer_Encoding="")), 400, "multipart.encoding"),
        (body(STATEMENTS, part(NOTE, X_Experience_API_Hash="")), 400, "multipart.hash"),
        (body(STATEMENTS, part(NOTE, X_Experience_API_Hash="abc")), 400, "multipart.hash"),
        (body(STATEMENTS, part(NOTE, X_Experience_API_Hash=sha(b"other"))), 400, "multipart.hash"),
        (body(STATEMENTS, part(b"x" * 5_001)), 413, "limit.attachment"),
        (body(STATEMENTS, *(part(bytes([n])) for n in range(4))), 413, "limit.attachments"),
        (body(STATEMENTS + b" " * 10_000), 413, "limit.body"),
        (body(b"A: " + b"b" * 5000 + b"\r\n\r\n"), 400, "multipart.boundary"),
    ],
)
def test_what_is_no_such_body_is_told_why(sent: bytes, status: int, rule: str) -> None:
    with pytest.raises(ApiError) as refused:
        read(sent)
    [fault] = refused.value.faults
    assert (refused.value.status, fault.rule) == (status, rule)
    assert fault.message
    assert fault.fix


def test_no_attachment_is_taken_where_the_setting_allows_none() -> None:
    none = LIMITS._replace(attachment=0)
    assert read(body(STATEMENTS), limits=none).parts == {}
    with pytest.raises(ApiError, match="more attachments than 0"):
        read(body(STATEMENTS, part(b"x")), limits=none)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("multipart/form-data; boundary=x", "multipart.type"),
        ("multipart/mixed", "multipart.boundary"),
        ("multipart/mixed; boundary=", "multipart.boundary"),
    ],
)
def test_the_content_type_is_mixed_and_has_a_boundary(kind: str, rule: str) -> None:
    assert is_multipart(kind.encode())
    with pytest.raises(ApiError) as refused:
        boundary_of(kind)
    assert (refused.value.status, refused.value.faults[0].rule) == (400, rule)


def test_a_boundary_longer_than_any_mail_has_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        read(b"", kind="multipart/mixed; boundary=" + "b" * 5000)
    assert refused.value.status == 400


def test_all_requests_together_hold_no_more_than_there_is_room_for() -> None:
    room = Room(100)
    with room.taken() as first:
        first.take(60)
        with room.taken() as second:
            second.take(30)
            with pytest.raises(ApiError) as refused:
                second.take(11)
        assert refused.value.status == 503
        with room.taken() as third:
            third.take(40)
    with room.taken() as whole:
        whole.take(100)


def test_an_answer_is_read_back_to_the_byte() -> None:
    sent, kind = mixed(b'{"statements":[]}', [("text/plain", sha(NOTE), NOTE), ("image/png", sha(ANOTHER), ANOTHER)])
    found = read(sent, kind=kind)
    assert found == Mixed(b'{"statements":[]}', {sha(NOTE): NOTE, sha(ANOTHER): ANOTHER})


@pytest.mark.parametrize("kind", ["text/html\r\nX-Evil: 1", "text/plain; a=\rb", "none", "ä/b"])
def test_a_media_type_that_could_not_stand_in_a_header_is_not_told(kind: str) -> None:
    sent, _ = mixed(b"{}", [(kind, sha(NOTE), NOTE)])
    assert b"Content-Type: application/octet-stream\r\n" in sent
    assert kind.encode() not in sent


@pytest.mark.parametrize("where", ["", "file", "memory"])
def test_bytes_are_kept_under_their_hash_as_often_as_they_come(tmp_path: Path, where: str) -> None:
    if where == "memory":
        store = AttachmentStore(MemoryStore())
    else:
        store = open_store((tmp_path / "an other").as_uri() if where else "", tmp_path)

    async def keep_and_find() -> None:
        for data in (NOTE, ANOTHER, NOTE):
            await store.put(sha(data), data)
        await asyncio.gather(*(store.put(sha(NOTE).upper(), NOTE) for _ in range(20)))
        assert await store.get(sha(NOTE)) == NOTE
        assert await store.get(sha(NOTE).upper()) == NOTE
        assert await store.get(sha(ANOTHER)) == ANOTHER
        assert await store.get(sha(b"never sent")) is None
        assert await store.get("../registry") is None
        assert await store.has(sha(ANOTHER))
        assert not await store.has(sha(b"never sent"))
        assert not await store.has("../registry")

    asyncio.run(keep_and_find())
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert len(files) == (0 if where == "memory" else 2)


async def test_a_store_that_fails_is_told_as_such(tmp_path: Path) -> None:
    store = AttachmentStore(LocalStore(tmp_path / "attachments", mkdir=True))
    # A file stands where the directory of this hash has to be.
    (tmp_path / "attachments" / sha(NOTE)[:2]).write_text("")
    with pytest.raises(AttachmentStoreError):
        await store.put(sha(NOTE), NOTE)
    with pytest.raises(AttachmentStoreError):
        await store.put("no-hash", NOTE)


@pytest.mark.parametrize("url", ["https://example.org/x", "s3://", "attachments", "file://host/x"])
def test_an_address_that_is_no_store_is_refused_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="attachments_url"):
        open_store(url, tmp_path)
