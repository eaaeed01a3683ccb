"""How good skill states are on a folder of answers: fitted on some students, tested once on others, beside baselines.

Each answer of a test student is predicted before it is learned from, by the code of the stream.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from schemas.reports import Report
from streams.evaluating import skills_report as parts
from streams.evaluating.asking import DataFaultError, Tell, quiet
from streams.evaluating.batch import best_lr
from streams.evaluating.skills_report import Answered, Predicted
from streams.evaluating.tsv import Answers, read
from streams.learner.calibration import Calibration
from streams.learner.explaining import predict
from streams.learner.fitting import fit
from streams.learner.fold import extend
from streams.learner.state import LearnerState
from streams.measures.scores import Floats

_TELL_EVERY: Final = 5_000
_SHRINK: Final = 5.0
"""Answers of the mean that an item, or a skill, is taken to have had already."""


class Streamed(NamedTuple):
    """Chances of the test answers, and what each took, µs."""

    said: Floats
    cost_us: Floats


def run(folder: Path, seed: int = 1, tell: Tell = quiet) -> Report:
    """The report. DataFaultError: a file, column or value is missing or wrong."""
    train, test = read(folder, tell)
    began = time.perf_counter()
    fitted = fit(train.rows, version=1, seed=seed, progress=lambda step, done: tell(step, done, train.n))
    fit_s = time.perf_counter() - began
    calibration = fitted.calibration
    answered = _answered(train, test)
    if answered.outcomes.min() == answered.outcomes.max():
        raise DataFaultError("all answers of test.tsv have the same outcome: nothing can be told apart")
    ours = stream(test, calibration, "test answers", tell)
    elo = stream(test, replace(calibration, weights=None), "test answers, Elo alone", tell)
    tell("best logistic, batch", 0, 1)
    batch = best_lr(train.rows(), test.rows(), seed)
    tell("best logistic, batch", 1, 1)
    mean, of_items = _means(train, test)
    models = [
        Predicted(parts.OURS, "ours", ours.said, ours.cost_us),
        Predicted("best logistic, batch (Gervet et al. 2020)", "best_lr", batch),
        Predicted("multilevel Elo alone", "elo", elo.said, elo.cost_us),
        Predicted("item and skill mean", "item_mean", of_items),
        Predicted("majority: the same for all", "majority", np.full(test.n, mean)),
    ]
    data = (
        f"{folder.resolve().name}: fitted on {train.n:,} answers of {len(train.by_student):,} students"
        f" ({len(calibration.items):,} items, {len(calibration.skills):,} skills, {fit_s:.0f} s), tested on {test.n:,}"
        f" answers of {len(test.by_student):,} other students, each predicted before it was learned from."
    )
    return parts.report(data, answered, models, int(time.time() * 1e6), seed)


def stream(test: Answers, calibration: Calibration, step: str, tell: Tell = quiet) -> Streamed:
    """Predict and extend, answer by answer."""
    said, cost = array("d"), array("d")
    now = time.thread_time_ns  # not that of others on the same machine
    for attempts in test.by_student.values():
        state = LearnerState()
        for attempt in attempts:
            begun = now()
            said.append(predict(state, attempt, calibration))
            extend(state, (attempt,), calibration)
            cost.append((now() - begun) / 1e3)
            if len(said) % _TELL_EVERY == 0:
                tell(step, len(said), test.n)
    tell(step, len(said), test.n)
    return Streamed(np.asarray(said), np.asarray(cost))


def _answered(train: Answers, test: Answers) -> Answered:
    """What the answers of the test are split by."""
    items = {attempt.item for _, attempt in train.rows()}
    sizes = Counter(skill for _, attempt in train.rows() for skill in attempt.skills)
    students = {student: number for number, student in enumerate(test.by_student)}
    first, size = [], []
    for attempts in test.by_student.values():
        met: set[str] = set()
        for attempt in attempts:
            first.append(bool(attempt.skills) and met.isdisjoint(attempt.skills))
            size.append(min((sizes[skill] for skill in attempt.skills), default=-1))
            met.update(attempt.skills)
    rows = list(test.rows())
    return Answered(
        outcomes=np.array([1.0 if attempt.outcome >= 0.5 else 0.0 for _, attempt in rows]),
        student=np.array([students[student] for student, _ in rows]),
        skills=np.array([len(attempt.skills) for _, attempt in rows]),
        smallest=np.array(size),
        first=np.array(first),
        new_item=np.array([attempt.item not in items for _, attempt in rows]),
        before=np.array([number for attempts in test.by_student.values() for number in range(len(attempts))]),
        groups={
            name: [of.get(student, "") for student, _ in rows]
            for name, of in test.groups.items()
            if 1 < len(set(of.values())) <= parts.MOST_GROUPS
        },
    )


def _means(train: Answers, test: Answers) -> tuple[float, Floats]:
    """The mean of all, and for each test answer that of its item, drawn to that of its skills, drawn to that of all."""
    totals: dict[str, tuple[float, int]] = {}
    of_skill: dict[str, tuple[float, int]] = {}
    total = 0.0
    for _, attempt in train.rows():
        total += attempt.outcome
        _count(totals, attempt.item, attempt.outcome)
        for skill in attempt.skills:
            _count(of_skill, skill, attempt.outcome)
    mean = total / train.n

    def drawn(counted: tuple[float, int] | None, to: float) -> float:
        right, n = counted or (0.0, 0)
        return (right + _SHRINK * to) / (n + _SHRINK)

    said = []
    for _, attempt in test.rows():
        skills = [drawn(of_skill.get(skill), mean) for skill in attempt.skills]
        said.append(drawn(totals.get(attempt.item), sum(skills) / len(skills) if skills else mean))
    return mean, np.array(said)


def _count(counted: dict[str, tuple[float, int]], name: str, outcome: float) -> None:
    right, n = counted.get(name, (0.0, 0))
    counted[name] = right + outcome, n + 1
