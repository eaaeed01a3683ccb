"""Attachments of statements and the bytes that came beside them: each has what it needs, none is too many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ingest.xapi.faults import Faults, Rule
from ingest.xapi.terms import SIGNATURE

NO_DATA = Rule(
    "attachment.no_data",
    "1.0.3 Communication 1.5.1",
    "Give the fileUrl at which it can be fetched, or send its bytes in a part of multipart/mixed.",
)
SURPLUS = Rule(
    "attachment.surplus", "1.0.3 Communication 1.5.2", "Send only parts whose hash is the sha2 of an attachment."
)
NOT_TAKEN = Rule(
    "attachment.not_taken", "1.0.3 Data 2.4.11", "Send attachments of the media types that are taken here."
)


class Attached(NamedTuple):
    """An attachment: its JSON path, the statement or sub-statement it belongs to, and its properties."""

    path: str
    holder: dict[str, Any]
    attachment: dict[str, Any]

    @property
    def sha2(self) -> str:
        """Its hash in lower case; empty where it is no string."""
        digest = self.attachment.get("sha2")
        return digest.lower() if isinstance(digest, str) else ""

    @property
    def signs(self) -> bool:
        """Whether it is a signature of its statement (Data 2.6)."""
        return self.attachment.get("usageType") == SIGNATURE


_NONE: Final[dict[str, bytes]] = {}


def attached(value: Any) -> list[Attached]:
    """The attachments in a body, a statement or an array of them, which may break any rule."""
    if isinstance(value, list):
        return [one for index, each in enumerate(value) for one in _of(each, f"$[{index}]")]
    return list(_of(value, "$"))


def missing_or_surplus(found: list[Attached], parts: Mapping[str, bytes] | None, faults: Faults) -> None:
    """Note each attachment without bytes and fileUrl, and each part that belongs to none.

    ``parts``: bytes by SHA-2 in lower case; None where the request was plain JSON.
    """
    unused = dict.fromkeys(parts or ())
    for one in found:
        if one.sha2 in (parts or _NONE):
            unused.pop(one.sha2, None)
        elif one.signs:
            faults.add(NO_DATA, one.path, "the signature is not in the request")
        elif "fileUrl" not in one.attachment:
            faults.add(NO_DATA, one.path, "the attachment is neither in the request nor at a fileUrl")
    for sha2 in unused:
        faults.add(SURPLUS, "", "a part of the body has the hash of no attachment", sha2)


def not_taken(found: list[Attached], parts: Mapping[str, bytes], allowed: list[str], faults: Faults) -> None:
    """Note each attachment in the request whose media type is not one of ``allowed`` (text/* is all of text).

    An empty list allows all; signatures are always taken.
    """
    if not allowed:
        return
    for one in found:
        kind = one.attachment.get("contentType")
        if one.signs or one.sha2 not in parts or not isinstance(kind, str):
            continue
        kind = kind.partition(";")[0].strip().lower()
        if kind not in allowed and f"{kind.partition('/')[0]}/*" not in allowed:
            faults.add(NOT_TAKEN, f"{one.path}.contentType", "is a media type that is not taken here", kind)


def _of(statement: Any, path: str) -> Iterator[Attached]:
    if not isinstance(statement, dict):
        return
    own = statement.get("attachments")
    if isinstance(own, list):
        for index, one in enumerate(own):
            if isinstance(one, dict):
                yield Attached(f"{path}.attachments[{index}]", statement, one)
    target = statement.get("object")
    if isinstance(target, dict) and target.get("objectType") == "SubStatement":
        nested = target.get("attachments")
        if isinstance(nested, list):
            for index, one in enumerate(nested):
                if isinstance(one, dict):
                    yield Attached(f"{path}.object.attachments[{index}]", target, one)
