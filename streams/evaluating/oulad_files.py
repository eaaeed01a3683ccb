"""Files of a folder in OULAD's own CSV layout, gzipped or not; what is missing is named with what to do."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final, TextIO, cast

from streams.evaluating.asking import DataFaultError, Tell

_TELL_EVERY: Final = 20_000
UNKNOWN: Final = ("", "?")


class Folder:
    """A folder with OULAD's tables (Kuzilek, Hlosta & Zdrahal 2017); clicks may be missing or in several files."""

    def __init__(self, path: Path, tell: Tell) -> None:
        """Raises DataFaultError when there is no such folder."""
        if not path.is_dir():
            raise DataFaultError(f"{path} is no folder: give one with OULAD's files, such as studentInfo.csv")
        self.path = path
        self._tell = tell

    def rows(self, table: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[list[str]]:
        """Values of some columns of a table, row by row; an optional one that is not there gives empty values.

        Raises DataFaultError: no such file, or it lacks a column.
        """
        found = self._find(table)
        if not found:
            raise DataFaultError(
                f"{table}.csv is not in {self.path}: unpack it there from OULAD's anonymisedData.zip ({table}.csv.gz"
                " will do)"
            )
        for path in found:
            yield from self._read(path, columns, optional)

    def has(self, table: str) -> bool:
        """Whether there is at least one file of a table."""
        return bool(self._find(table))

    def present(self, table: str, columns: Sequence[str]) -> list[str]:
        """Which of some columns a table has."""
        with _open(self._find(table)[0]) as file:
            header = next(csv.reader(file), [])
        return [column for column in columns if column in header]

    def fingerprint(self) -> str:
        """SHA-256 over names and contents of all tables, as hex."""
        digest = hashlib.sha256()
        for path in sorted(self.path.glob("*.csv*")):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def _find(self, table: str) -> list[Path]:
        """Clicks come in parts (studentVle_0.csv, …); every other table in one file."""
        pattern = f"{table}*.csv" if table == "studentVle" else f"{table}.csv"
        plain = sorted(self.path.glob(pattern))
        return plain + [
            path for path in sorted(self.path.glob(f"{pattern}.gz")) if path.with_suffix("") not in set(plain)
        ]

    def _read(self, path: Path, columns: Sequence[str], optional: Sequence[str]) -> Iterator[list[str]]:
        size = path.stat().st_size
        with path.open("rb") as raw, _open(path, raw) as file:
            reader = csv.reader(file)
            header = next(reader, [])
            lacking = [column for column in columns if column not in header]
            if lacking:
                raise DataFaultError(
                    f"{path.name} has no column {', '.join(lacking)}: its first line must name"
                    f" {', '.join(columns)} (it names {', '.join(header) or 'nothing'})"
                )
            wanted = [header.index(name) if name in header else -1 for name in (*columns, *optional)]
            for number, row in enumerate(reader, start=2):
                if len(row) != len(header):
                    raise DataFaultError(f"{path.name} line {number} has {len(row)} values instead of {len(header)}")
                yield [row[place] if place >= 0 else "" for place in wanted]
                if number % _TELL_EVERY == 0:
                    self._tell(f"read {path.name}", raw.tell(), size)
        self._tell(f"read {path.name}", size, size)


def _open(path: Path, raw: IO[bytes] | None = None) -> TextIO:
    """The text of a file; ``raw`` is the same file, opened already, so that its place can be told."""
    binary = raw if raw is not None else path.open("rb")
    if path.suffix == ".gz":
        binary = cast("IO[bytes]", gzip.GzipFile(fileobj=binary))
    return io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
