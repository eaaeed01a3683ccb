"""What every evaluation takes and may say: where it has come, and what is wrong with the data it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

Tell = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it is done, and how much there is (0: not known)."""


class DataFaultError(Exception):
    """The data cannot be evaluated. The message is for the user: it names the file, and the column or row."""


def quiet(step: str, done: int, total: int) -> None:
    """A Tell that tells nobody."""


def find(folder: Path, *names: str) -> Path:
    """The first of a folder's files by these names, each also with ".gz". DataFaultError: none is there."""
    if not folder.is_dir():
        raise DataFaultError(f"{folder} is not a folder")
    for name in names:
        for found in (folder / name, folder / f"{name}.gz"):
            if found.is_file():
                return found
    raise DataFaultError(f"{names[0]} (or {names[0]}.gz) is missing in {folder}")


def require_columns(path: Path, columns: Iterable[str], needed: Iterable[str]) -> None:
    """DataFaultError naming the columns that a file lacks."""
    there = set(columns)
    lacking = [name for name in needed if name not in there]
    if lacking:
        word = "column" if len(lacking) == 1 else "columns"
        raise DataFaultError(f"{path.name}: {word} {', '.join(lacking)} missing")
