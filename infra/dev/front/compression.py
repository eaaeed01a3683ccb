"""Bodies of requests and responses, compressed as their headers say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import cramjam

from infra.dev.front.errors import refuse

_CODECS = {
    "lz4": cramjam.lz4,
    "zstd": cramjam.zstd,
    "gzip": cramjam.gzip,
    "deflate": cramjam.zlib,
    "br": cramjam.brotli,
}
# On one machine the processor is what is scarce: the cheapest that the client takes.
_PREFERRED = ("lz4", "zstd", "gzip", "deflate")


class Compressor(Protocol):
    """A stream of a response's body."""

    def add(self, data: bytes) -> bytes:
        """Compressed bytes to send now; they can be read without those that follow."""

    def finish(self) -> bytes:
        """The end of the stream."""


class _Plain:
    def add(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Packed:
    def __init__(self, encoding: str) -> None:
        self._stream = _CODECS[encoding].Compressor()

    def add(self, data: bytes) -> bytes:
        self._stream.compress(data)
        return bytes(self._stream.flush())

    def finish(self) -> bytes:
        return bytes(self._stream.finish())


def decompress(body: bytes, encoding: str) -> bytes:
    """A request's body in clear; raises QueryError for an encoding that is unknown or a body that is not in it."""
    if encoding in ("", "identity"):
        return body
    codec = _CODECS.get(encoding)
    if codec is None:
        raise refuse(48, "NOT_IMPLEMENTED", f"Unknown Content-Encoding {encoding}")
    try:
        return bytes(codec.decompress(body))
    except cramjam.DecompressionError as error:
        raise refuse(354, "ZLIB_INFLATE_FAILED", f"The body is not {encoding}: {error}") from error


def choose_encoding(accepted: str, wanted: bool) -> str:
    """The Content-Encoding of a response, empty for none. ``wanted``: the setting enable_http_compression."""
    offers = {offer.split(";")[0].strip().lower() for offer in accepted.split(",")}
    return next((name for name in _PREFERRED if wanted and name in offers), "")


def compressor(encoding: str) -> Compressor:
    """A stream in this encoding; empty: as it is."""
    return _Packed(encoding) if encoding else _Plain()


def whole(parts: Iterable[bytes], encoding: str) -> bytes:
    """A body whose parts are all known."""
    stream = compressor(encoding)
    return b"".join([*(stream.add(part) for part in parts), stream.finish()])
