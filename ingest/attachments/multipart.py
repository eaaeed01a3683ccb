"""multipart/mixed as answers have it: statements first, then each attachment (Communication 1.5.2)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final

_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^.+\-_]+/[A-Za-z0-9!#$&^.+\-_]+(?:[ \t]*;[\x20-\x7e]*)?").fullmatch
_ANY: Final = "application/octet-stream"


def mixed(statement_json: bytes, parts: Sequence[tuple[str, str, bytes]]) -> tuple[bytes, str]:
    """The body of an answer with attachments, and the value of its Content-Type.

    ``parts``: media type, SHA-2 in hexadecimal and bytes of each attachment. A media type that could not stand in a
    header is told as application/octet-stream.
    """
    # 128 random bits: no attachment holds them by chance, and none by intent.
    boundary = secrets.token_hex(16)
    line = f"--{boundary}\r\n".encode()
    pieces = [line, b"Content-Type: application/json\r\n\r\n", statement_json, b"\r\n"]
    for content_type, sha2, data in parts:
        told = content_type if _MEDIA_TYPE(content_type) else _ANY
        head = f"Content-Type: {told}\r\nContent-Transfer-Encoding: binary\r\nX-Experience-API-Hash: {sha2}\r\n\r\n"
        pieces += (line, head.encode(), data, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/mixed; boundary={boundary}"
