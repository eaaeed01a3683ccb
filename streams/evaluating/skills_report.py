"""The report on next-answer prediction: tables, splits and the reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.reports import Cell, Column, Report, Section, Table
from streams.measures.groups import LEAST, members
from streams.measures.intervals import bootstrap
from streams.measures.reliability import ece, reliability
from streams.measures.report import reliability_figure
from streams.measures.scores import Floats, auc, log_loss, rmse

OURS: Final = "ours, as in the stream"
MOST_GROUPS: Final = 30
"""Values of a column up to which students are told apart by it."""

Rows = NDArray[np.bool_]


class Answered(NamedTuple):
    """The test answers, one place each.

    Attributes:
        outcomes: 1 right, 0 wrong; partial credit from a half on is right.
        student: number of the student.
        skills: number of skills of the item.
        smallest: training answers of the smallest of its skills, -1: the item has none.
        first: whether the student had answered nothing of these skills before.
        new_item: whether nobody in training had met the item.
        before: answers of the student before.
        groups: of each further column, the value.
    """

    outcomes: Floats
    student: NDArray[np.int64]
    skills: NDArray[np.int64]
    smallest: NDArray[np.int64]
    first: Rows
    new_item: Rows
    before: NDArray[np.int64]
    groups: Mapping[str, Sequence[str]]


class Predicted(NamedTuple):
    """What a model said, and what an answer cost it where it streams, µs."""

    name: str
    key: str
    said: Floats
    cost_us: Floats | None = None


def report(data: str, answered: Answered, models: Sequence[Predicted], made_at: int, seed: int) -> Report:
    """The whole report; the first model is ours."""
    true, ours = answered.outcomes, models[0]
    bins = reliability(true, ours.said)
    measures: dict[str, float] = {"n": float(true.size), "ece_equal_count": ece(true, ours.said, by="count")}
    rows = []
    for model in models:
        found, row = _measured(model, answered, seed)
        prefix = "" if model is ours else f"{model.key}."
        measures |= {prefix + name: value for name, value in found.items()}
        rows.append(row)
    columns = [
        Column("Model"), Column("AUC", "number"), Column("Log loss", "number"), Column("RMSE", "number"),
        Column("ECE", "number"), Column("Median a response", "microseconds"), Column("p99 a response", "microseconds"),
    ]  # fmt: skip
    note = (
        "AUC with its 95% interval over students. ECE: 10 bins of equal width. The cost is that of predicting and "
        "learning one answer, processor time of this run; models without it are fitted in one go."
    )
    headlines = [
        f"Of two answers, one right and one wrong, the right one is taken for likelier in {100 * measures['auc']:.1f}"
        f" of 100 cases; the best batch logistic reaches {100 * measures['best_lr.auc']:.1f}, guessing 50.",
        f"Over all chances the share of right answers is off by {100 * measures['ece']:.1f} percentage points.",
        f"An answer takes {measures['p50_us']:.0f} µs, 99 of 100 take less than {measures['p99_us']:.0f} µs.",
    ]
    return Report(
        "skills",
        "How well the next answer is predicted",
        data,
        made_at,
        headlines,
        [
            Section("Beside baselines, in the same run", "", [Table("", columns, rows, note)]),
            Section(
                "Do the chances mean what they say?",
                "Points on the line: of answers said to be right with 70 %, 70 of 100 are.",
                figures=[reliability_figure("Predicted and observed", bins, "a right answer")],
            ),
            Section("Where is it better, where worse?", "", _splits(answered, ours.said)),
            *_by_group(answered, ours.said),
        ],
        measures,
    )


def _measured(model: Predicted, answered: Answered, seed: int) -> tuple[dict[str, float], list[Cell]]:
    true, said = answered.outcomes, model.said
    area = bootstrap(auc, true, said, answered.student, seed=seed)
    found = {"auc": area.value, "log_loss": log_loss(true, said), "rmse": rmse(true, said), "ece": ece(true, said)}
    row: list[Cell] = [model.name, area, found["log_loss"], found["rmse"], found["ece"], None, None]
    if model.cost_us is not None:
        found["p50_us"], found["p99_us"] = (float(cost) for cost in np.percentile(model.cost_us, (50, 99)))
        row[-2:] = found["p50_us"], found["p99_us"]
    return found, row


def _splits(answered: Answered, said: Floats) -> list[Table]:
    size, before = answered.smallest, answered.before
    return [
        _split("By answers of the smallest skill in training", "Answers of the skill", answered, said, {
            "item without skills": size < 0, "0": size == 0, "1 to 99": (size > 0) & (size < 100),
            "100 to 999": (size >= 100) & (size < 1_000), "1,000 to 4,999": (size >= 1_000) & (size < 5_000),
            "5,000 and more": size >= 5_000,
        }),
        _split("By what is known of the student", "Answers before", answered, said, {
            "none": before == 0, "1 to 4": (before > 0) & (before < 5), "5 to 19": (before >= 5) & (before < 20),
            "20 to 99": (before >= 20) & (before < 100), "100 and more": before >= 100,
        }),
        _split("By kind of answer", "Kind", answered, said, {
            "first of its skills": answered.first, "not the first": ~answered.first & (answered.skills > 0),
            "one skill": answered.skills == 1, "several skills": answered.skills > 1,
            "item never seen in training": answered.new_item,
        }),
    ]  # fmt: skip


def _split(title: str, kind: str, answered: Answered, said: Floats, parts: Mapping[str, Rows]) -> Table:
    columns = [Column(kind), *_COLUMNS]
    rows = [[name, *_cells(answered, said, chosen)] for name, chosen in parts.items() if chosen.any()]
    return Table(title, columns, rows, f"n<{LEAST}: fewer students than that.")


_COLUMNS: Final = [
    Column("Students", "count"), Column("Answers", "count"), Column("Right", "percent"), Column("Predicted", "percent"),
    Column("AUC", "number"), Column("ECE", "number"), Column("RMSE", "number"),
]  # fmt: skip


def _cells(answered: Answered, said: Floats, chosen: NDArray[Any]) -> list[Cell]:
    true, here = answered.outcomes[chosen], said[chosen]
    people = len(set(answered.student[chosen].tolist()))
    if people < LEAST:
        return [f"n<{LEAST}", *[None] * 6]
    area = auc(true, here)
    shown = None if np.isnan(area) else area
    return [people, true.size, float(true.mean()), float(here.mean()), shown, ece(true, here), rmse(true, here)]


def _by_group(answered: Answered, said: Floats) -> list[Section]:
    tables = []
    for column, values in answered.groups.items():
        rows: list[list[Cell]] = []
        for name, chosen in members(values, answered.student.tolist()).items():
            cells: list[Cell] = [f"n<{LEAST}", *[None] * 6] if chosen is None else _cells(answered, said, chosen)
            rows.append([name or "not told", *cells])
        tables.append(Table(f"By {column}", [Column(column), *_COLUMNS], rows))
    return [Section("For whom?", "Groups of the data's further columns.", tables)] if tables else []
