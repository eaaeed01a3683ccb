"""Where statements of an import come from: files, one after the other, or another LRS, page by page."""

from __future__ import annotations

import gzip
import uuid
import zlib
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from ingest.importers.splitting import SplitError, Splitter, State, known_of

PIECE_BYTES: Final = 256 * 1024
REFUSED: Final = ".refused.jsonl"
"""In the name of a file of refused statements: imported, once they are mended, as the statements in it."""
_GZIP: Final = b"\x1f\x8b"
_NAMESPACE: Final = uuid.UUID("6f0c1f7e-5a64-5d0e-9f3c-2b8a4d1e7c90")


class _Refused(msgspec.Struct):
    statement: msgspec.Raw


class SourceError(Exception):
    """A source that cannot be read (on), in words."""


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to go on: a file, the byte in it (unpacked), and what that byte is in; or a page of another LRS.

    ``skip``: statements of the page that are done. ``stored``: of the last statement of the pages before, for an LRS
    that does not know its link any more.
    """

    file: str = ""
    byte: int = 0
    state: State = "between"
    more: str = ""
    skip: int = 0
    stored: str = ""


class Found(NamedTuple):
    """A value of a source: its bytes, the version it was stored under, where it stands, where to go on after it.

    A statement without an id has one that follows from its place, so that an import that goes on counts it once.
    """

    raw: bytes
    version: str
    place: str
    after: Position


class Source(Protocol):
    """Gives values from a position on; ``done`` and ``total`` tell how far it is, in a unit of its own."""

    done: int
    total: int

    def read(self, since: Position) -> AsyncGenerator[Found, None]:
        """The values; raises SourceError."""
        ...


def found(raw: bytes, name: str, place: str, after: Position) -> Found:
    """A value with what decides how it is posted."""
    known = known_of(raw)
    if known is None:
        return Found(raw, "", place, after)
    if known[0] is None:
        made = uuid.uuid5(_NAMESPACE, f"{name} {place}")
        rest = raw[1:].lstrip()
        raw = b'{"id":"%b"' % str(made).encode() + (b"" if rest.startswith(b"}") else b",") + rest
    return Found(raw, known[1], place, after)


class Files:
    """A file, or the files of a folder by name; packed by gzip or not."""

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            self._files = sorted(one for one in path.iterdir() if one.is_file() and not _passed_over(one.name))
        else:
            self._files = [path]
        if not self._files or not self._files[0].exists():
            raise SourceError(f"{path}: there is no such file, or nothing in it")
        self._path = path
        self.done = 0
        self.total = sum(one.stat().st_size for one in self._files)

    async def read(self, since: Position) -> AsyncGenerator[Found, None]:
        """Values of all files, from a position on; raises SourceError."""
        names = [one.name for one in self._files]
        if since.file and since.file not in names:
            raise SourceError(f"{since.file} is gone: the import was in the middle of it")
        begin = names.index(since.file) if since.file else 0
        before = sum(one.stat().st_size for one in self._files[:begin])
        for file in self._files[begin:]:
            start = since if file.name == since.file else Position(file=file.name)
            for one in self._of_file(file, start, before):
                yield one
            before += file.stat().st_size
        self.done = self.total

    def _of_file(self, path: Path, start: Position, before: int) -> Iterator[Found]:
        splitter = Splitter(start.byte, start.state)
        try:
            with path.open("rb") as packed:
                file = gzip.open(packed) if packed.peek(2)[:2] == _GZIP else packed  # noqa: SIM115
                file.seek(start.byte)
                while piece := file.read(PIECE_BYTES):
                    for value in splitter.feed(piece):
                        yield self._found(path, value.raw, value.end, value.state)
                    self.done = before + packed.tell()
                for value in splitter.finish():
                    yield self._found(path, value.raw, value.end, value.state)
        except (OSError, EOFError, zlib.error, SplitError) as error:
            raise SourceError(f"{path}: {error}") from None
        if splitter.inside:
            raise SourceError(f"{path} ends inside of its array: it may be cut off")

    def _found(self, path: Path, raw: bytes, end: int, state: State) -> Found:
        place = f"{path.name}, byte {end - len(raw):,}"
        if REFUSED in path.name:
            raw = _mended(raw)
        return found(raw, str(self._path), place, Position(path.name, end, state))


def _passed_over(name: str) -> bool:
    """In a folder: what is hidden, and what an import of a file beside it refused."""
    return name.startswith(".") or REFUSED in name


def _mended(raw: bytes) -> bytes:
    """The statement in a line of what was refused, as somebody may have mended it; the line where it is none."""
    try:
        return bytes(msgspec.json.decode(raw, type=_Refused).statement)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw
