"""Skill states on the district's own answers: each predicted before it is learned from, by the code of the stream."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray
from sqlalchemy import Engine, select

from schemas.registry.tables import calibrations
from schemas.reports import Cell, Column, Estimate, Report, Section, Table
from streams.calibrations import active_calibration
from streams.evaluating.asking import DataFaultError, Tell, quiet
from streams.evaluating.roster import NO_GRADE, NOWHERE, Roster, read_roster
from streams.learner.calibration import Calibration
from streams.learner.explaining import predict
from streams.learner.fold import extend
from streams.learner.state import Attempt, LearnerState
from streams.measures.groups import LEAST, members
from streams.measures.intervals import bootstrap, share
from streams.measures.reliability import ece, reliability
from streams.measures.report import reliability_figure
from streams.measures.scores import Floats, auc, log_loss, rmse

_ROWS: Final = (
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), toString(statement_id) AS id, item, skills, outcome,"
    " duration_ms, toUnixTimestamp64Micro(stored) FROM attempts FINAL ORDER BY student_id, timestamp, id"
)
_FRESH_ENOUGH: Final = 200
"""Answers since the calibration from which on they alone make the headline."""
_TELL_EVERY: Final = 5_000
_SEEN: Final = ((0, 0, "the first"), (1, 4, "2nd to 5th"), (5, 19, "6th to 20th"), (20, None, "later ones"))


class Answers(NamedTuple):
    """Predicted answers, one place each: right or not, what was said, the student's own share so far, and whose."""

    outcomes: Floats
    said: Floats
    own: Floats
    before: NDArray[np.int64]
    stored: NDArray[np.int64]
    student: NDArray[np.int64]
    students: Sequence[str]
    first: int
    last: int

    def only(self, rows: NDArray[Any]) -> Answers:
        """Some of them."""
        return self._replace(
            outcomes=self.outcomes[rows], said=self.said[rows], own=self.own[rows], before=self.before[rows],
            stored=self.stored[rows], student=self.student[rows],
        )  # fmt: skip


def run(client: Client, engine: Engine, *, now_us: int, seed: int = 1, tell: Tell = quiet) -> Report:
    """The report on all answers in the store, under the active calibration.

    Raises:
        DataFaultError: there are no answers.
    """
    calibration = active_calibration(engine)
    answers = predicted(client, calibration, tell)
    if not answers.outcomes.size:
        raise DataFaultError("there are no answers in the store yet, so nothing can be predicted")
    fitted_at = _fitted_at(engine, calibration.version)
    fresh = answers.only(answers.stored > fitted_at)
    told = fresh if fresh.outcomes.size >= _FRESH_ENOUGH else answers
    return _report(answers, fresh, told, calibration.version, read_roster(engine), now_us, seed)


def predicted(client: Client, calibration: Calibration, tell: Tell = quiet) -> Answers:
    """Every answer predicted from the same student's earlier ones alone."""
    [(total,)] = client.query("SELECT count() FROM attempts FINAL").result_rows
    outcomes, said, own = array("d"), array("d"), array("d")
    before, stored, student = array("q"), array("q"), array("q")
    students: list[str] = []
    state, right, first, last = LearnerState(), 0.0, 2**63 - 1, 0
    for number, (student_id, attempt, stored_us) in enumerate(_attempts(client), 1):
        if not students or students[-1] != student_id:
            students.append(student_id)
            state, right = LearnerState(), 0.0
        said.append(predict(state, attempt, calibration))
        own.append((right + 1.0) / (state.attempts + 2.0))
        outcomes.append(1.0 if attempt.outcome >= 0.5 else 0.0)
        before.append(state.attempts)
        stored.append(stored_us)
        student.append(len(students) - 1)
        extend(state, [attempt], calibration)
        right += outcomes[-1]
        first, last = min(first, attempt.timestamp), max(last, attempt.timestamp)
        if number % _TELL_EVERY == 0 or number == total:
            tell("answers predicted", number, int(total))
    return Answers(
        np.asarray(outcomes), np.asarray(said), np.asarray(own), np.asarray(before, dtype=np.int64),
        np.asarray(stored, dtype=np.int64), np.asarray(student, dtype=np.int64), students, first, last,
    )  # fmt: skip


def _attempts(client: Client) -> Iterator[tuple[str, Attempt, int]]:
    stream: Any = client.query_rows_stream(_ROWS, query_formats={"UUID": "string"})
    with stream as rows:
        for student_id, at, statement_id, item, skills, outcome, duration_ms, stored in rows:
            yield student_id, Attempt(at, statement_id, item, list(skills), outcome, duration_ms), stored


def _fitted_at(engine: Engine, version: int) -> int:
    """When the calibration was fitted, µs; version 0 has seen nothing."""
    with engine.connect() as connection:
        found = connection.scalar(select(calibrations.c.created_at).where(calibrations.c.version == version))
    return int(found or 0)


def _report(
    answers: Answers, fresh: Answers, told: Answers, version: int, roster: Roster, now_us: int, seed: int
) -> Report:
    area = bootstrap(auc, told.outcomes, told.said, told.student, seed=seed)
    off = ece(told.outcomes, told.said)
    bins = reliability(told.outcomes, told.said)
    which = (
        "answers that came after the calibration was fitted" if told is fresh else "all answers: too few came after "
        "the calibration was fitted, and it has seen the others, which flatters it"
    )  # fmt: skip
    seen = (
        "The calibration is the prior, which was fitted on nothing."
        if version == 0
        else f"Headlines and splits are of {which}."
    )
    near = share(float(told.outcomes.sum()), told.outcomes.size)
    assert near is not None
    high = min(bins, key=lambda one: abs(one.predicted - 0.75))
    headlines = [
        f"Of two answers, one right and one wrong, the platform takes the right one for likelier in "
        f"{100 * area.value:.0f} of 100 cases; guessing would be right in 50.",
        f"Answers that it gave a chance of {100 * high.predicted:.0f}% were right in {100 * high.observed:.0f} of 100 "
        f"cases (n {high.n:,}); over all chances it is off by {100 * off:.1f} percentage points.",
        f"{len(set(told.student.tolist())):,} students, {told.outcomes.size:,} answers, "
        f"{100 * near.value:.0f}% of them right.",
    ]
    main = [
        *(
            [_row("this model, answers since it was calibrated", fresh, "said", seed)]
            if 0 < fresh.outcomes.size < answers.outcomes.size
            else []
        ),
        _row("this model, all answers", answers, "said", seed),
        _row("baseline: the student's own share so far", answers, "own", seed),
        _row("baseline: the same for everyone", answers, "all", seed),
    ]
    columns = [Column("Predicted by"), Column("AUC", "number"), Column("Log loss", "number"), Column("RMSE", "number")]
    columns += [Column("ECE", "number"), Column("Answers", "count"), Column("Students", "count")]
    note = (
        "AUC with its 95% interval over students. ECE: 10 bins of equal width. An answer counts as right from half of "
        "the score on. " + seen
    )
    days = [f"{datetime.fromtimestamp(at / 1e6, UTC):%-d %B %Y}" for at in (answers.first, answers.last)]
    return Report(
        "skills",
        "How good skill states are",
        f"The district's own {answers.outcomes.size:,} answers of {len(answers.students):,} students, {days[0]} to "
        f"{days[1]}, each predicted before it was learned from, under calibration {version}.",
        now_us,
        headlines,
        [
            Section("Main figures", "", [Table("", columns, main, note)]),
            Section(
                "Do the chances mean what they say?",
                "Points on the line: of answers said to be right with 70%, 70 of 100 are.",
                figures=[reliability_figure("Predicted and observed", bins, "a right answer")],
            ),
            Section("With how much evidence?", "", [_by_evidence(told)]),
            Section("For whom?", "", [_by_group(told, name, of) for name, of in _groups(told, roster).items()]),
        ],
        {
            "auc": area.value, "ece": off, "ece_equal_count": ece(told.outcomes, told.said, by="count"),
            "log_loss": log_loss(told.outcomes, told.said), "rmse": rmse(told.outcomes, told.said),
            "n": float(told.outcomes.size), "own_share.auc": auc(told.outcomes, told.own),
        },
    )  # fmt: skip


def _row(name: str, answers: Answers, which: str, seed: int) -> list[Cell]:
    true = answers.outcomes
    said = {"said": answers.said, "own": answers.own, "all": np.full(true.size, true.mean())}[which]
    area = bootstrap(auc, true, said, answers.student, seed=seed)
    shown = None if np.isnan(area.value) else Estimate(area.value, true.size, area.low, area.high)
    people = len(set(answers.student.tolist()))
    return [name, shown, log_loss(true, said), rmse(true, said), ece(true, said), true.size, people]


def _by_evidence(answers: Answers) -> Table:
    columns = [Column("Answers of a student"), Column("AUC", "number"), Column("ECE", "number")]
    rows: list[list[Cell]] = []
    for low, high, name in _SEEN:
        chosen = (answers.before >= low) & (answers.before <= (high if high is not None else answers.before.max()))
        true, said = answers.outcomes[chosen], answers.said[chosen]
        people = len(set(answers.student[chosen].tolist()))
        rows.append(
            [name, auc(true, said), ece(true, said), true.size] if people >= LEAST else [name, None, None, None]
        )
    return Table("", [*columns, Column("Answers", "count")], rows, "The more a student has answered, the surer it is.")


def _groups(answers: Answers, roster: Roster) -> dict[str, list[str]]:
    """By school and grade, the group of each answer."""
    schools = [roster.school.get(student, NOWHERE) for student in answers.students]
    grades = [roster.grade.get(student, NO_GRADE) for student in answers.students]
    return {name: [of[one] for one in answers.student] for name, of in (("School", schools), ("Grade", grades))}


def _by_group(answers: Answers, kind: str, groups: Sequence[str]) -> Table:
    columns = [Column(kind), Column("Students", "count"), Column("Answers", "count"), Column("Right", "percent")]
    columns += [Column("Predicted", "percent"), Column("AUC", "number"), Column("ECE", "number")]
    rows: list[list[Cell]] = []
    for name, chosen in members(groups, answers.student.tolist()).items():
        if chosen is None:
            rows.append([name, f"n<{LEAST}", *[None] * 5])
            continue
        true, said = answers.outcomes[chosen], answers.said[chosen]
        people = len(set(answers.student[chosen].tolist()))
        rows.append([name, people, true.size, float(true.mean()), float(said.mean()), auc(true, said), ece(true, said)])
    return Table(
        f"By {kind.lower()}", columns, rows, f"n<{LEAST}: too few students, or it would give such a group away."
    )
