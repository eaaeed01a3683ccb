"""A new calibration fitted on attempts, and measured on students that it was not fitted on. In bounded memory.

The attempts are read student by student, as often as the fit asks for, and once more for each fold.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from streams.kept import Reader
from streams.learner.explaining import predict
from streams.learner.fitting import Fitted, Progress, Source, fit
from streams.learner.fold import extend
from streams.learner.state import Attempt, LearnerState
from streams.tallies import Tally

PAGE: Final = 50_000
"""Attempts that are read at a time; a student with more is read whole."""
LEAST_STUDENTS: Final = 10
"""Groups of fewer students are not told of."""

_PAGE = (
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, item, skills, outcome, duration_ms"
    " FROM attempts FINAL WHERE student_id > '{after}' ORDER BY student_id, timestamp, toString(statement_id)"
    " LIMIT {most}"
)

Row = tuple[str, Attempt]
Groups = Mapping[str, Mapping[str, str]]
"""By what figures are split (School, Grade): the group of each student."""


def stored(read: Reader, page: int = PAGE) -> Iterator[Row]:
    """All attempts in the store, the students in the order of ClickHouse, those of one in the order of the fold."""
    after, most = "00000000-0000-0000-0000-000000000000", page
    while True:
        found = list(zip(*read(_PAGE.format(after=after, most=most)), strict=True))
        whole = len(found) < most
        # The last student of a page may go on in the next one.
        last = found[-1][0] if found else ""
        taken = found if whole else [row for row in found if row[0] != last]
        for student, at, statement, item, skills, outcome, lasted in taken:
            yield student, Attempt(at, statement, item, list(skills), outcome, lasted)
        if whole:
            return
        if taken:
            after, most = taken[-1][0], page
        else:
            most *= 2


def from_file(path: Path) -> Iterator[Row]:
    """Attempts of a tab-separated file with the columns user_id, item_id, timestamp (s), correct, skill_id.

    The lines of a user stand together, in the order of answering. Raises ValueError with the line that is otherwise.
    """
    seen: set[str] = set()
    last = ""
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file, delimiter="\t"), 2):
            try:
                user, correct, at = row["user_id"], float(row["correct"]), int(float(row["timestamp"]) * 1e6)
                skills = [row["skill_id"]] if row["skill_id"] else []
                attempt = Attempt(at, f"{line:012d}", row["item_id"], skills, correct)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {line}: {error!r}") from error
            if user != last and user in seen:
                raise ValueError(
                    f"{path}, line {line}: user {user} was there before; the lines of a user stand together"
                )
            if not 0.0 <= correct <= 1.0:
                raise ValueError(f"{path}, line {line}: correct is {correct}, not between 0 and 1")
            seen.add(user)
            last = user
            yield user, attempt


def fold_of(student: str, seed: int, folds: int) -> int:
    """The fold in which a student is held out: by a number made of the id, so that it stays when others come."""
    return crc32(f"{seed} {student}".encode()) % folds


def measure(source: Source, *, seed: int, folds: int, groups: Groups, progress: Progress) -> dict[str, Any]:
    """Cross-validation over students: ``folds`` one by one, and all held-out answers by skill and by group."""
    everything = Tally()
    by_skill: dict[str, Tally] = defaultdict(Tally)
    by_group: dict[str, dict[str, Tally]] = {name: defaultdict(Tally) for name in groups}
    told = []
    for number in range(folds):
        own = Tally()

        def kept(number: int = number) -> Iterator[Row]:
            return (row for row in source() if fold_of(row[0], seed, folds) != number)

        def said(what: str, done: int, number: int = number) -> None:
            progress(f"fold {number + 1} of {folds}, {what}", done)

        try:
            calibration = fit(kept, version=0, seed=seed, progress=said).calibration
        except ValueError:  # all students are in one fold: there is nothing to fit on
            continue
        held_out = (row for row in source() if fold_of(row[0], seed, folds) == number)
        for student, rows in groupby(held_out, key=lambda row: row[0]):
            state = LearnerState()
            for _, attempt in rows:
                chance = predict(state, attempt, calibration)
                extend(state, [attempt], calibration)
                tallies = [own, everything, *(by_skill[skill] for skill in attempt.skills)]
                tallies += [by_group[name][of[student]] for name, of in groups.items() if student in of]
                for tally in tallies:
                    tally.add(student, chance, attempt.outcome)
                if own.answers % 10_000 == 0:
                    said("measured", own.answers)
        told.append(own.figures())
    return {
        "seed": seed,
        "folds": told,
        "all": everything.figures(),
        "skills": {skill: tally.figures() for skill, tally in sorted(by_skill.items())},
        "groups": {name: _told(found) for name, found in by_group.items()},
    }


def _told(found: Mapping[str, Tally]) -> dict[str, dict[str, float | None]]:
    """Figures of groups; of small ones only that there are some."""
    return {
        name: tally.figures() if tally.students >= LEAST_STUDENTS else {"suppressed": 1.0}
        for name, tally in sorted(found.items())
    }


def calibrated(
    source: Source, version: int, *, seed: int, folds: int, groups: Groups, progress: Progress
) -> tuple[Fitted, dict[str, Any]]:
    """A version fitted on all attempts, with what was measured; raises ValueError where there are none."""
    fitted = fit(source, version=version, seed=seed, progress=progress)
    metrics = measure(source, seed=seed, folds=folds, groups=groups, progress=progress) if folds else {"seed": seed}
    return fitted, {**metrics, "students": fitted.students, "fit": dict(fitted.metrics)}
