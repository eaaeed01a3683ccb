"""What others and earlier measurements reached on the same data, to stand beside ours.

Names of measures are those of the reports (schemas.reports.Report.measures).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.reports import Cell, Column, Form, Table

GERVET: Final = "Gervet et al. 2020, J. Educational Data Mining 12(3)"
PYBKT: Final = "Badrinath et al. 2021 (pyBKT), run on the same split"
MEASURED: Final = "measured before this project, same split"
OULAD: Final = "measured before this project, trained on 2013, tested on 2014"


class Figure(NamedTuple):
    """One known figure: of which model, which measure, and where it comes from."""

    model: str
    measure: str
    value: float
    source: str


SKILLS: Final = (
    *(Figure("BKT", name, value, PYBKT) for name, value in (("auc", 0.714), ("rmse", 0.440), ("ece", 0.005))),
    *(
        Figure("BKT with forgetting", name, value, PYBKT)
        for name, value in (("auc", 0.720), ("rmse", 0.439), ("ece", 0.013))
    ),
    *(
        Figure("Best-LR, batch", name, value, GERVET)
        for name, value in (("auc", 0.762), ("rmse", 0.425), ("ece", 0.019))
    ),
    *(
        Figure("multilevel Elo", name, value, MEASURED)
        for name, value in (("auc", 0.764), ("rmse", 0.425), ("ece", 0.027))
    ),
    *(
        Figure("online logistic", name, value, MEASURED)
        for name, value in (("auc", 0.779), ("rmse", 0.418), ("ece", 0.007))
    ),
    *(
        Figure("online logistic with crosses", name, value, MEASURED)
        for name, value in (("auc", 0.787), ("rmse", 0.414), ("ece", 0.005), ("p99_us", 61.0))
    ),
    Figure("the same, weights frozen", "auc", 0.783, MEASURED),
    Figure("the same, weights frozen", "ece", 0.019, MEASURED),
    Figure("AKT (deep)", "auc", 0.785, "Ghosh et al. 2020, other split"),
    Figure("IEKT (deep)", "auc", 0.786, "Long et al. 2021, other split"),
)
"""On ASSISTments 2009-2010 with students split into training and test."""

_WEEKS: Final = (2, 4, 8, 12)
WARNINGS: Final = (
    *(
        Figure("weekly logistic", f"week{week}.no_clicks.auc", value, OULAD)
        for week, value in zip(_WEEKS, (0.642, 0.710, 0.774, 0.821), strict=True)
    ),
    *(
        Figure("weekly logistic", f"week{week}.no_clicks.precision10", value, OULAD)
        for week, value in zip(_WEEKS, (0.62, 0.75, 0.89, 0.93), strict=True)
    ),
    *(
        Figure("gradient boosting", f"week{week}.no_clicks.auc", value, OULAD)
        for week, value in zip(_WEEKS, (0.650, 0.719, 0.780, 0.825), strict=True)
    ),
    *(
        Figure("weekly logistic", f"week{week}.clicks.auc", value, f"{OULAD}, four presentations")
        for week, value in zip(_WEEKS, (0.689, 0.747, 0.809, 0.823), strict=True)
    ),
    Figure("rule: missed the last due item", "rules.week8.precision", 0.76, OULAD),
    Figure("rule: missed the last due item", "rules.week8.recall", 0.37, OULAD),
)
"""On OULAD: withdraws or fails, of students still active in that week."""

_COLUMNS: Final = {
    "auc": "AUC",
    "rmse": "RMSE",
    "ece": "ECE",
    "p99_us": "p99 a response",
}


def skills_table(ours: Mapping[str, float]) -> Table:
    """The known models with AUC, RMSE, ECE and cost, ours as the last row."""
    forms: dict[str, Form] = {"p99_us": "microseconds"}
    columns = [Column("Model"), *(Column(title, forms.get(name, "number")) for name, title in _COLUMNS.items())]
    rows: list[list[Cell]] = []
    for model in dict.fromkeys(figure.model for figure in SKILLS):
        found = {figure.measure: figure for figure in SKILLS if figure.model == model}
        source = next(iter(found.values())).source
        rows.append([model, *(found[name].value if name in found else None for name in _COLUMNS), source])
    rows.append(["ours", *(ours.get(name) for name in _COLUMNS), "this run"])
    return Table("Known figures on ASSISTments 2009 and ours", [*columns, Column("Source")], rows)


def warnings_table(ours: Mapping[str, float]) -> Table:
    """Each known figure of the warnings, with ours beside it where this run has it."""
    rows: list[list[Cell]] = [
        [_said(figure.measure), figure.model, figure.value, ours.get(figure.measure), figure.source]
        for figure in WARNINGS
    ]
    columns = [
        Column("Measure"),
        Column("Model"),
        Column("Known", "number"),
        Column("Ours", "number"),
        Column("Source"),
    ]
    return Table("Known figures on OULAD and ours", columns, rows)


def _said(measure: str) -> str:
    """As "week 8, no clicks, AUC"."""
    words = {"auc": "AUC", "precision10": "precision at the top 10%", "no_clicks": "no clicks", "clicks": "with clicks"}
    parts = [words.get(part, part.replace("week", "week ")) for part in measure.split(".")]
    return ", ".join(parts)
