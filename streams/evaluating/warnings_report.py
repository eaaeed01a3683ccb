"""The report on the ranking score, from scored weeks: tables and figures in words that a counselor understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.reports import Axis, Cell, Column, Figure, Form, Point, Report, Section, Series, Table
from streams.evaluating.baselines import MISSED
from streams.evaluating.oulad import GROUPS
from streams.evaluating.weeks import Cost
from streams.measures.groups import error_rates, members
from streams.measures.intervals import bootstrap, share
from streams.measures.lists import Lead, Top, flagged, lead_time, top
from streams.measures.reliability import ece, reliability
from streams.measures.report import error_figure, error_table, line_figure, reliability_figure, top_table
from streams.measures.scores import Floats, auc, log_loss
from streams.ranking.scoring import WeekWeights
from streams.ranking.words import NAMED

if TYPE_CHECKING:
    from streams.evaluating.warnings import Scored, Variant

OURS: Final = "ranking score"
SHARES: Final = (0.05, 0.1, 0.2)
MAIN_WEEK: Final = 8
"""The week whose reliability, modules and groups are shown; the last one before it where there is none."""
_HAPPENS: Final = "withdrawing or failing"


def report(
    data: str, train: str, test: str, variants: Sequence[Variant], cost: Cost, made_at: int, seed: int
) -> Report:
    """The whole report; the first variant's main week gives its headlines."""
    measures: dict[str, float] = {}
    overall = [_overall_row(variant, scored, measures, seed) for variant in variants for scored in variant.weeks]
    sections = [
        Section(
            "By week",
            "Each row ranks the students who are still active at the end of that week by the chance that they withdraw"
            " from the course or fail it. Intervals (95%) are drawn over students.",
            [Table("Ranking score", _OVERALL, overall, _OVERALL_NOTE)],
            [_auc_figure(variant) for variant in variants],
        )
    ]
    for variant in variants:
        sections += _sections(variant, measures)
    sections.append(_cost(variants, cost, measures))
    return Report(
        "warnings",
        "Early warning: order of the list",
        f"{data}: fitted on {train}, tested on {test}",
        made_at,
        _headlines(variants[0], measures),
        sections,
        measures,
    )


_FORMS: Final[tuple[tuple[str, Form], ...]] = (
    ("Students", "count"), ("Had the outcome", "percent"), ("AUC", "number"), ("Log loss", "number"),
    ("ECE", "number"), ("Right in the top 5%", "percent"), ("Top 10%", "percent"), ("Top 20%", "percent"),
)  # fmt: skip
_OVERALL: Final = [Column("Inputs"), Column("Week", "count"), *(Column(title, form) for title, form in _FORMS)]
_NUMBERS: Final = [Column(title, "number") for title in ("AUC", "Log loss", "ECE")]
_OVERALL_NOTE: Final = (
    "AUC: chance that a student who has the outcome is ranked above one who has not. ECE: mean distance of predicted"
    " and observed shares, 10 bins of equal width. With clicks: only courses whose clicks are in the data."
)


def _overall_row(variant: Variant, scored: Scored, measures: dict[str, float], seed: int) -> list[Cell]:
    had, ours = scored.had, scored.scores[OURS]
    clusters = [seen.row.student for seen in scored.rows]
    tops = [top(had, ours, part) for part in SHARES]
    discrimination = bootstrap(auc, had, ours, clusters, rounds=100, seed=seed)
    key = f"week{scored.week}.{variant.name}"
    measures |= {
        f"{key}.n": float(had.size),
        f"{key}.base": float(had.mean()),
        f"{key}.auc": discrimination.value,
        f"{key}.log_loss": log_loss(had, ours),
        f"{key}.ece": ece(had, ours),
        f"{key}.ece_by_count": ece(had, ours, by="count"),
    }
    for one in tops:
        if one.precision is not None and one.recall is not None:
            measures[f"{key}.precision{100 * one.share:.0f}"] = one.precision.value
            measures[f"{key}.recall{100 * one.share:.0f}"] = one.recall.value
    shown: list[Cell] = [variant.words, scored.week, had.size, share(float(had.sum()), had.size), discrimination]
    return [*shown, log_loss(had, ours), ece(had, ours), *(one.precision for one in tops)]


def _auc_figure(variant: Variant) -> Figure:
    lines = []
    for name in dict.fromkeys(name for scored in variant.weeks for name in scored.scores):
        points = [Point(float(one.week), auc(one.had, one.scores[name])) for one in variant.weeks]
        lines.append(Series(name, points))
    return line_figure(f"AUC by week, {variant.words}", lines, Axis("week of the course", "count"), Axis("AUC"))


def _sections(variant: Variant, measures: dict[str, float]) -> list[Section]:
    main = _main(variant)
    words = f"week {main.week}, {variant.words}"
    had, ours = main.had, main.scores[OURS]
    return [
        Section(
            f"Beside baselines, {variant.words}",
            "The same students, each model fitted on the same earlier presentations. A rule says yes or no: its list is"
            " as long as it comes.",
            [_baselines(variant, measures), _rules(variant, measures)],
        ),
        Section(
            f"Lists and lead time, {variant.words}",
            "Of a list of the highest scores: how many had the outcome, and how many of all with the outcome it held."
            " Lead time: from the week in which a student is first on the list to the day of withdrawal.",
            [_lists(variant), _leads(variant, measures)],
        ),
        Section(
            f"Whether chances mean what they say, {words}",
            figures=[reliability_figure(f"Reliability, {words}", reliability(had, ours), _HAPPENS)],
        ),
        Section(f"By module, {words}", tables=[_modules(main)]),
        *_audit(main, words),
        Section(
            f"What it weighs, {words}",
            "Weights of standardised inputs: above 0 raises the place on the list. None says who a student is.",
            [_weights(variant, main.week)],
        ),
    ]


def _main(variant: Variant) -> Scored:
    before = [scored for scored in variant.weeks if scored.week <= MAIN_WEEK]
    return before[-1] if before else variant.weeks[0]


def _baselines(variant: Variant, measures: dict[str, float]) -> Table:
    columns = [Column("Week", "count"), Column("Model"), *_NUMBERS, Column("Right in the top 10%", "percent")]
    rows: list[list[Cell]] = []
    for scored in variant.weeks:
        had = scored.had
        for name, scores in scored.scores.items():
            tenth = top(had, scores, 0.1)
            rows.append([scored.week, name, auc(had, scores), log_loss(had, scores), ece(had, scores), tenth.precision])
            if name != OURS:
                key = f"week{scored.week}.{variant.name}.{_KEYS[name]}"
                measures |= {f"{key}.auc": auc(had, scores), f"{key}.ece": ece(had, scores)}
    return Table("Models on the same students", columns, rows)


def _rules(variant: Variant, measures: dict[str, float]) -> Table:
    found = []
    for scored in variant.weeks:
        one = flagged(scored.had, [seen.missed_last for seen in scored.rows])
        found.append((f"week {scored.week}, {MISSED}", one))
        beside = top(scored.had, scored.scores[OURS], one.share) if one.listed else None
        if beside is not None:
            found.append((f"week {scored.week}, {OURS}, as long a list", beside))
        if variant.name == "no_clicks" and one.precision is not None and one.recall is not None:
            measures[f"rules.week{scored.week}.precision"] = one.precision.value
            measures[f"rules.week{scored.week}.recall"] = one.recall.value
    return top_table("A rule, and the score at the same length of the list", found)


def _lists(variant: Variant) -> Table:
    found: list[tuple[str, Top]] = [
        (f"week {scored.week}, top {100 * part:.0f}%", top(scored.had, scored.scores[OURS], part))
        for scored in variant.weeks
        for part in SHARES
    ]
    return top_table("Lists by week", found)


def _leads(variant: Variant, measures: dict[str, float]) -> Table:
    columns = [Column("List"), Column("Withdrew", "count"), Column("Listed before", "count")]
    columns += [Column(title, "days") for title in ("Lower quartile", "Median", "Upper quartile")]
    rows: list[list[Cell]] = []
    for part in SHARES:
        lead = _lead(variant.weeks, part)
        rows.append(
            [
                f"top {100 * part:.0f}%",
                lead.happened,
                lead.caught,
                *(_known(v) for v in (lead.lower, lead.median, lead.upper)),
            ]
        )
        measures[f"{variant.name}.lead_days{100 * part:.0f}"] = lead.median
    note = (
        "Of those active in the first of these weeks. Who fails without withdrawing has no day of it and is left out."
    )
    return Table("Days from first listing to withdrawal", columns, rows, note)


def _lead(weeks: Sequence[Scored], part: float) -> Lead:
    listed: dict[tuple[str, str, str], float] = {}
    left: dict[tuple[str, str, str], float | None] = {}
    for scored in weeks:
        cut = top(scored.had, scored.scores[OURS], part).threshold
        for seen, value in zip(scored.rows, scored.scores[OURS], strict=True):
            who = seen.row.course, seen.presentation, seen.row.student
            left.setdefault(who, None if seen.left is None else float(seen.left))
            if value >= cut:
                listed.setdefault(who, 7.0 * scored.week)
    return lead_time([listed.get(who) for who in left], list(left.values()))


def _modules(scored: Scored) -> Table:
    columns = [Column("Module"), Column("Students", "count"), Column("Had the outcome", "percent")]
    columns += [Column("AUC", "number"), Column("ECE", "number"), Column("Right in the top 10%", "percent")]
    names = [f"{seen.row.course} {seen.presentation}" for seen in scored.rows]
    rows: list[list[Cell]] = []
    for name, places in members(names).items():
        if places is None:
            rows.append([name, "n<10", None, None, None, None])
            continue
        had, ours = scored.had[places], scored.scores[OURS][places]
        rows.append(
            [
                name,
                had.size,
                share(float(had.sum()), had.size),
                _auc(had, ours),
                ece(had, ours),
                top(had, ours, 0.1).precision,
            ]
        )
    return Table("Modules", columns, rows, "The list of a module's own top 10%.")


def _auc(had: Floats, ours: Floats) -> float | None:
    return _known(auc(had, ours))


def _audit(scored: Scored, words: str) -> list[Section]:
    """For whom it is wrong. Groups are looked up here and nowhere before: no score was made from them."""
    had, ours = scored.had, scored.scores[OURS]
    listed = ours >= top(had, ours, 0.2).threshold
    tables, figures = [], []
    first: dict[str, int] = {}
    for place, seen in enumerate(scored.rows):
        first.setdefault(seen.row.student, place)
    places = np.array(sorted(first.values()), dtype=np.intp)
    for group in GROUPS:
        if not all(group in scored.rows[place].groups for place in places):
            continue
        names = [scored.rows[place].groups[group] for place in places]
        errors = error_rates(had[places], listed[places], names)
        title = group.replace("_", " ")
        tables.append(_ranked(title, names, had[places], ours[places]))
        tables.append(error_table(f"By {title}", errors, title.capitalize()))
        figures.append(error_figure(f"Errors by {title}", errors))
    if not tables:
        return []
    text = (
        f"The list of the top 20%, {words}. What these columns hold is read for this audit alone: no score is made from"
        " them. A student in several courses counts once."
    )
    return [Section(f"For whom it is wrong, {words}", text, tables, figures)]


def _ranked(title: str, names: Sequence[str], had: Floats, ours: Floats) -> Table:
    """How well students of one group are told from each other: it may differ where error rates hardly do."""
    rows: list[list[Cell]] = []
    for name, places in members(names).items():
        if places is None:
            rows.append([name, "n<10", None, None])
        else:
            rows.append([name, len(places), _auc(had[places], ours[places]), ece(had[places], ours[places])])
    columns = [Column(title.capitalize()), Column("Students", "count"), Column("AUC"), Column("ECE")]
    return Table(f"Order and chances by {title}", columns, rows)


def _weights(variant: Variant, week: int) -> Table:
    at: WeekWeights = max(
        (one for one in variant.ranking.weeks if one.week <= week),
        key=lambda one: one.week,
        default=variant.ranking.weeks[0],
    )
    pairs = sorted(zip(variant.ranking.names, at.weights, strict=True), key=lambda pair: -abs(pair[1]))
    rows: list[list[Cell]] = [[NAMED[name], weight] for name, weight in pairs]
    rows += [[f"course {name}, as it ended before", offset] for name, offset in at.courses.items()]
    return Table("Weights", [Column("Input"), Column("Weight", "number")], rows)


def _cost(variants: Sequence[Variant], cost: Cost, measures: dict[str, float]) -> Section:
    columns = [Column("Step"), Column("How many", "count"), Column("Cost each", "microseconds")]
    fold = 1e6 * cost.fold_seconds / max(1, cost.events)
    read = 1e6 * cost.read_seconds / max(1, cost.rows)
    rows: list[list[Cell]] = [["fold an event", cost.events, fold], ["features of a student on a day", cost.rows, read]]
    for variant in variants:
        number = sum(len(scored.rows) for scored in variant.weeks)
        rows.append([f"score of a student on a day, {variant.words}", number, variant.score_us])
        measures[f"{variant.name}.score_us"] = variant.score_us
    measures |= {"event_us": fold, "features_us": read}
    return Section("Cost", "Plain Python, the same code as in the stream.", [Table("Cost", columns, rows)])


def _headlines(variant: Variant, measures: dict[str, float]) -> list[str]:
    scored = _main(variant)
    key = f"week{scored.week}.{variant.name}"
    tenth = top(scored.had, scored.scores[OURS], 0.1)
    said = [
        f"At the end of week {scored.week}, {tenth.hits:.0f} of the {tenth.listed:,} students at the top of the list"
        f" (10%, {variant.words}) later withdrew or failed; of all students {100 * measures[f'{key}.base']:.0f}% did.",
        f"Told from each other: AUC {measures[f'{key}.auc']:.3f}. Chances were off by {measures[f'{key}.ece']:.3f} on"
        " average.",
    ]
    rule = flagged(scored.had, [seen.missed_last for seen in scored.rows])
    if rule.precision is not None and rule.recall is not None:
        said.append(
            f'The rule "missed the last due item" was right about {100 * rule.precision.value:.0f}% of those it named'
            f" and named {100 * rule.recall.value:.0f}% of those it should have."
        )
    return said


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


_KEYS: Final = {
    "everybody alike": "majority",
    "rule: missed the last due item": "missed_last",
    "rule: marks so far": "marks",
    "gradient boosting, batch": "boosting",
}
