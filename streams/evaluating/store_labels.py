"""Warnings against outcomes that the district has told: precision, recall, lead time, and errors by group."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from schemas.reports import Cell, Column, Estimate, Section, Table
from schemas.rule_titles import rule_title
from streams.evaluating.asking import DataFaultError
from streams.evaluating.roster import Labels, Roster
from streams.measures.groups import LEAST, error_rates
from streams.measures.lists import flagged, lead_time
from streams.measures.report import error_figure, error_table

First = Mapping[str, date]
"""Day of the first warning, by student."""


class Labelled(NamedTuple):
    """What labels add to the report."""

    sections: list[Section]
    headlines: list[str]
    measures: dict[str, float]


def labelled(labels: Labels, first: First, roster: Roster, rules: Mapping[str, First]) -> Labelled:
    """Judge warnings by what happened: only a warning before the day of the outcome counts as one.

    Raises:
        DataFaultError: fewer students than may be told had the outcome.
    """
    students = sorted(roster.school)
    if len(labels.happened) < LEAST:
        raise DataFaultError(f"fewer than {LEAST} students of the roster have the outcome: too few to judge by")
    outcomes = [student in labels.happened for student in students]
    flags = [_before(first.get(student), labels.happened.get(student)) for student in students]
    whole = flagged(outcomes, flags)
    lead = lead_time(
        [float(first[student].toordinal()) if student in first else None for student in students],
        [float(labels.happened[student].toordinal()) if student in labels.happened else None for student in students],
    )
    columns = [Column("Warned by"), Column("Students warned", "count"), Column("Precision", "percent")]
    columns += [Column("Recall", "percent"), Column("Days ahead, median", "days")]
    rows: list[list[Cell]] = [["Any rule", whole.listed, whole.precision, whole.recall, lead.median]]
    for rule, days in rules.items():
        own = [_before(days.get(student), labels.happened.get(student)) for student in students]
        found = flagged(outcomes, own)
        ahead = [
            (labels.happened[student] - days[student]).days
            for student, on in zip(students, own, strict=True)
            if on and student in labels.happened
        ]
        middle = sorted(ahead)[len(ahead) // 2] if len(ahead) >= LEAST else None
        told: list[Cell] = [found.listed, found.precision, found.recall, middle]
        rows.append([rule_title(rule), *(told if found.listed >= LEAST else [f"n<{LEAST}", None, None, None])])
    note = (
        "Precision: of the warned, how many had the outcome later. Recall: of those with the outcome, how many were "
        "warned before it. Students of the roster without a label count as without the outcome."
    )
    if labels.unknown:
        note += f" {labels.unknown:,} rows of the labels name nobody on the roster and were left out."
    errors = {
        kind: error_rates(outcomes, flags, [group[student] for student in students])
        for kind, group in roster.groups().items()
    }
    tables = [error_table(f"By {kind.lower()}", found, kind) for kind, found in errors.items()]
    figures = [error_figure(f"Error rates by {kind.lower()}", found) for kind, found in errors.items()]
    measures = {"listed": float(whole.listed), "happened": float(lead.happened), "lead_days": lead.median}
    measures |= {
        name: found.value for name, found in (("precision", whole.precision), ("recall", whole.recall)) if found
    }
    return Labelled(
        [
            Section("Against what happened", "", [Table("", columns, rows, note)]),
            Section("Errors against what happened, for whom", "", tables, figures),
        ],
        _headlines(whole.precision, whole.recall, lead.median),
        measures,
    )


def _before(warned: date | None, happened: date | None) -> bool:
    return warned is not None and (happened is None or warned < happened)


def _headlines(precision: Estimate | None, recall: Estimate | None, days: float) -> list[str]:
    assert recall is not None
    said = f"Of 100 students who had the outcome, {100 * recall.value:.0f} were warned of before (n {recall.n:,})"
    said += f", half of them {days:.0f} days ahead or more." if recall.value else "."
    if precision is None:
        return [said]
    return [
        f"Of 100 students who were warned of, {100 * precision.value:.0f} had the outcome later (n {precision.n:,}).",
        said,
    ]
