"""A posted JSON document put over the one that is there, one level deep (Communication 2.2)."""

from __future__ import annotations

import msgspec

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


class MergeError(ValueError):
    """Two documents that cannot be merged, with the reason in words."""


def is_json(content_type: str) -> bool:
    """Whether a content type is that of JSON, with or without parameters."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def properties(content: bytes, which: str) -> dict[str, msgspec.Raw]:
    """The properties of a JSON object, each value as it was sent; raises MergeError for anything else."""
    try:
        # Decoding it first: msgspec does not look at the characters of what it keeps as it was sent.
        return _OBJECT.decode(content.decode())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MergeError(f"{which} is no JSON object") from None


def merged(there: bytes, there_type: str, posted: bytes, posted_type: str) -> bytes:
    """The document that takes the place of ``there``: its properties, those of ``posted`` over them.

    Values stay byte for byte, so that no number changes. Raises MergeError where either is no JSON object.
    """
    for content_type, which in ((posted_type, "the document that was posted"), (there_type, "the document there")):
        if not is_json(content_type):
            raise MergeError(f"{which} is not of the content type application/json")
    new = properties(posted, "the document that was posted")
    return _ENCODER.encode({**properties(there, "the document there"), **new})
