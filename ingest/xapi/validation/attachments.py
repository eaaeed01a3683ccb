"""Metadata of attachments (Data 2.4.11)."""

from __future__ import annotations

from typing import Any, Final

from ingest.xapi import terms
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.validation.values import iri, language_map, object_, properties, wrong_type

MISSING = Rule("attachment.missing", "1.0.3 Data 2.4.11", "Send usageType, display, contentType, length and sha2.")
LENGTH = Rule("attachment.length", "1.0.3 Data 2.4.11", "Send the length in octets, a whole number from 0.")
SHA2 = Rule("attachment.sha2", "1.0.3 Data 2.4.11", "Send a SHA-2 of 224 bits or more in hexadecimal.")
CONTENT_TYPE = Rule("attachment.content_type", "1.0.3 Data 2.4.11", "Send a media type, as application/pdf.")

_REQUIRED: Final = ("usageType", "display", "contentType", "length", "sha2")
_ATTACHMENT: Final = frozenset({*_REQUIRED, "description", "fileUrl"})


def attachments(value: Any, path: str, faults: Faults) -> None:
    """The attachments of a statement; where their bytes are is asked in xapi.attachments."""
    if not isinstance(value, list):
        wrong_type(faults, path, value, "an array of attachments")
        return
    for index, one in enumerate(value):
        at = f"{path}[{index}]"
        if object_(one, at, faults, "an attachment"):
            _attachment(one, at, faults)


def _attachment(value: dict[str, Any], path: str, faults: Faults) -> None:
    properties(value, _ATTACHMENT, path, faults)
    for name in _REQUIRED:
        if name not in value:
            faults.add(MISSING, path, f"the attachment has no {name}")
    if "usageType" in value:
        iri(value["usageType"], f"{path}.usageType", faults)
    if "display" in value:
        language_map(value["display"], f"{path}.display", faults)
    if "description" in value:
        language_map(value["description"], f"{path}.description", faults)
    if "contentType" in value:
        kind = value["contentType"]
        if not isinstance(kind, str):
            wrong_type(faults, f"{path}.contentType", kind, "a media type")
        elif not terms.is_media_type(kind):
            faults.add(CONTENT_TYPE, f"{path}.contentType", "is no media type", kind)
    if "length" in value:
        length = value["length"]
        if isinstance(length, bool) or not isinstance(length, int):
            wrong_type(faults, f"{path}.length", length, "a whole number")
        elif length < 0:
            faults.add(LENGTH, f"{path}.length", "is negative", length)
    if "sha2" in value:
        digest = value["sha2"]
        if not isinstance(digest, str):
            wrong_type(faults, f"{path}.sha2", digest, "a string")
        elif not terms.is_sha2(digest):
            faults.add(SHA2, f"{path}.sha2", "is no SHA-2 in hexadecimal", digest)
    if "fileUrl" in value:
        iri(value["fileUrl"], f"{path}.fileUrl", faults)
