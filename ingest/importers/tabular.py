"""CSV files as districts have them: any usual separator and encoding, and each fault told by its line and column.

Source of the form: RFC 4180; of the columns, OneRoster 1.2 CSV binding (1EdTech, 2022), chapter 4.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ingest.importers.sources import SourceError

_SEPARATORS: Final = ",;\t|"
_LOST: Final = "\ufffd"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_OPEN: Final = "unexpected end of data"
"""What the parser says of a quotation mark that is not closed."""
_LONGEST_VALUE: Final = 20
"""Lines that one row may take."""


class Fault(NamedTuple):
    """What is wrong in one row: where, what, and what to do. ``line`` counts from 1; ``column`` may be empty."""

    line: int
    column: str
    value: str
    problem: str
    fix: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        told = f" ({self.value[:60]})" if self.value else ""
        return f"{where}: {self.problem}{told}: {self.fix}"


class RowFault(Exception):
    """A value that cannot be used; raised while a row is read, which knows the line."""

    def __init__(self, column: str, value: str, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.column, self.value, self.problem, self.fix = column, value, problem, fix

    def at(self, line: int) -> Fault:
        """The fault, with the line it stands in."""
        return Fault(line, self.column, self.value, self.problem, self.fix)


class Row(NamedTuple):
    """Values of one row by the name of the column, stripped; of a column that the file has not, none."""

    line: int
    values: dict[str, str]

    def get(self, name: str) -> str:
        """A value, empty where there is none."""
        return self.values.get(name, "")


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


class Sheet:
    """One file. ``names`` maps the name of a column, in any case and with or without ``_``, to ours."""

    def __init__(self, path: Path, names: dict[str, str], required: Collection[str]) -> None:
        """Reads the header; raises SourceError where the file is missing, empty, or lacks a column."""
        self.path = path
        self.notices: list[str] = []
        """What was read otherwise than it looks, or not at all; complete once all rows were read."""
        if not path.is_file():
            raise SourceError(f"{path}: there is no such file")
        self._other_encoding = 0
        self._begin = 1
        lines = self._lines()
        header = next(lines, "")
        if header.lower().startswith("sep="):
            self._begin, header = 2, next(lines, "")
        if not header.strip():
            raise SourceError(f"{path}: it is empty: the first line names the columns")
        self.separator = max(_SEPARATORS, key=header.count)
        known = {_plain(name): ours for name, ours in names.items()}
        found = [one.strip() for one in next(csv.reader([header], delimiter=self.separator))]
        self.columns = [known.get(_plain(one), "") for one in found]
        self._width = len(found)
        twice = sorted({one for one in self.columns if one and self.columns.count(one) > 1})
        if twice:
            raise SourceError(f"{path}: two columns are {twice[0]}: leave one of them")
        missing = [one for one in required if one not in self.columns]
        if missing:
            raise SourceError(
                f"{path}: there is no column {' nor '.join(missing)}; the first line has {', '.join(found)[:300]}"
            )
        if unused := [name for name, ours in zip(found, self.columns, strict=True) if name and not ours]:
            self.notices.append(f"columns that are not used: {', '.join(unused)}")

    def rows(self) -> Iterator[Row | Fault]:
        """Rows in order, faults of their form among them; raises SourceError where it cannot be read on."""
        lines = self._lines()
        for _ in range(self._begin):
            next(lines)
        numbered = enumerate(lines, self._begin + 1)
        ahead: deque[tuple[int, str]] = deque()
        while (first := ahead.popleft() if ahead else next(numbered, None)) is not None:
            some = [first]
            while isinstance(cells := self._cells("".join(text for _, text in some)), str) and cells == _OPEN:
                following = ahead.popleft() if ahead else next(numbered, None)
                if following is None or len(some) == _LONGEST_VALUE:
                    ahead.extendleft([] if following is None else [following])
                    break
                some.append(following)
            if isinstance(cells, str):
                # A quotation mark that is never closed costs its own row, not all that follow.
                ahead.extendleft(reversed(some[1:]))
                yield Fault(first[0], "", "", f"it cannot be read, {cells}", 'write a " within a value as ""')
            elif any(cell.strip() for cell in cells):
                yield self._row(first[0], cells)
        if self._other_encoding:
            self.notices.append(
                f"line {self._other_encoding} and perhaps more are not UTF-8: read as Windows-1252, as Excel writes"
            )

    def _cells(self, text: str) -> list[str] | str:
        """Values of a row, or what is wrong with it."""
        try:
            return next(csv.reader([text], delimiter=self.separator, strict=True), [])
        except csv.Error as error:
            return str(error)

    def _row(self, line: int, cells: list[str]) -> Row | Fault:
        if len(cells) < self._width or any(cell.strip() for cell in cells[self._width :]):
            problem = f"{len(cells)} values, the first line names {self._width} columns"
            return Fault(line, "", "", problem, f'put values that hold "{self.separator}" in quotation marks')
        values = {name: cell.strip() for name, cell in zip(self.columns, cells, strict=False) if name}
        lost = next((name for name, value in values.items() if _LOST in value), None)
        if lost is not None:
            return Fault(
                line, lost, values[lost], "a character that is neither UTF-8 nor Windows-1252", "save as UTF-8"
            )
        return Row(line, values)

    def _lines(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            if file.read(2) in _UTF16:
                with self.path.open(encoding="utf-16", newline="") as text:
                    yield from text
                return
            file.seek(0)
            yield from self._decoded(file)

    def _decoded(self, file: BinaryIO) -> Iterator[str]:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
                if b"\r" in raw.rstrip(b"\r\n"):
                    raise SourceError(
                        f"{self.path}: its lines end as on old Macs: save it with the ends of another system"
                    )
            if b"\0" in raw:
                raise SourceError(f"{self.path}: line {number}: a NUL byte: it is no text, export it as CSV")
            try:
                yield raw.decode()
            except UnicodeDecodeError:
                self._other_encoding = self._other_encoding or number
                yield raw.decode("cp1252", "replace")
