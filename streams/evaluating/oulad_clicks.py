"""Clicks of OULAD: more than memory should hold, so they are parted by course into files of fixed records first."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from streams.evaluating.oulad_files import Folder
from streams.ranking.events import CLICKED, CONTENT, FORUM, OTHER, QUIZ, TYPES, Event

_RECORD: Final = struct.Struct("<qhBi")
"""Student, day, place of the type in TYPES, clicks."""
_TYPE_OF: Final = {
    **dict.fromkeys(
        ("oucontent", "resource", "url", "subpage", "page", "dualpane", "sharedsubpage", "folder"), CONTENT
    ),
    **dict.fromkeys(("forumng", "oucollaborate", "ouelluminate", "ouwiki"), FORUM),
    **dict.fromkeys(("quiz", "externalquiz", "questionnaire", "repeatactivity"), QUIZ),
}
_COLUMNS: Final = ("code_module", "code_presentation", "id_student", "id_site", "date", "sum_click")


class Clicks:
    """Clicks by course in files below a folder of the caller's; one course at a time comes into memory."""

    def __init__(self, folder: Folder, presentations: set[str], directory: Path) -> None:
        """Part the clicks of some presentations. Raises DataFaultError: a file or a column is missing."""
        self._directory = directory
        self.courses: set[tuple[str, str]] = set()
        if not folder.has("studentVle"):
            return
        kinds = {site: _TYPE_OF.get(kind, OTHER) for site, kind in folder.rows("vle", ("id_site", "activity_type"))}
        files: dict[tuple[str, str], BinaryIO] = {}
        try:
            for module, presentation, student, site, day, count in folder.rows("studentVle", _COLUMNS):
                if presentation not in presentations:
                    continue
                file = files.get((module, presentation))
                if file is None:
                    file = files[module, presentation] = self._path(module, presentation).open("wb")
                place = TYPES.index(kinds.get(site, OTHER))
                file.write(_RECORD.pack(int(student), int(float(day)), place, int(float(count))))
        finally:
            for file in files.values():
                file.close()
        self.courses = set(files)

    def of(self, module: str, presentation: str) -> dict[str, list[Event]]:
        """A course's clicks by student, one event a day and type, in no order."""
        counts: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        for student, day, place, count in self._records(module, presentation):
            days = counts[student]
            days[day, place] = days.get((day, place), 0) + count
        return {
            str(student): [Event(day, CLICKED, TYPES[place], count) for (day, place), count in days.items()]
            for student, days in counts.items()
        }

    def _records(self, module: str, presentation: str) -> Iterator[tuple[int, int, int, int]]:
        if (module, presentation) not in self.courses:
            return
        with self._path(module, presentation).open("rb") as file:
            while block := file.read(_RECORD.size * 50_000):
                yield from _RECORD.iter_unpack(block)

    def _path(self, module: str, presentation: str) -> Path:
        return self._directory / f"{module}_{presentation}.clicks"
