"""Warnings on the district's own records: what was warned, what came of it, how often it was wrong, for whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, select

from infra.runtime import cases as kept
from infra.runtime.cases import CaseEvent
from infra.runtime.shares import hidden_groups
from schemas.cases import BY_PEOPLE, OUTCOMES, Action, Case, Dismissal, State
from schemas.registry.insight import cases
from schemas.reports import Cell, Column, Estimate, Figure, Report, Section, Table
from schemas.rule_titles import rule_title
from streams.cases.outcomes import RuleOutcome, rule_outcomes
from streams.evaluating.asking import DataFaultError, Tell, quiet
from streams.evaluating.roster import Roster, read_labels, read_roster
from streams.evaluating.store_labels import labelled
from streams.measures.groups import LEAST, in_order
from streams.measures.intervals import share
from streams.measures.report import Axis, Point, Series

_WARNINGS: Final = "SELECT toString(student_id), rule, raised_on, status, cleared_on FROM warnings FINAL"
_WRONG: Final = (Dismissal.INCORRECT_DATA, Dismissal.NOT_CONCERNING)
"""Dismissals that say that there should have been no warning."""
_DAY_US: Final = 86_400_000_000


class Warned(NamedTuple):
    """One warning of the store."""

    student: str
    rule: str
    raised_on: date
    status: str
    cleared_on: date | None


class Worked(NamedTuple):
    """A case and all that happened to it."""

    case: Case
    events: list[CaseEvent]

    @property
    def helped(self) -> bool:
        """Whether an intervention was begun."""
        return any(event.action == Action.INTERVENTION for event in self.events)

    @property
    def judged(self) -> bool:
        """Whether people said by what they did that it was right or wrong."""
        return bool(self.case.dismissal) or self.helped

    @property
    def wrong(self) -> bool:
        """Whether people said that there should have been none."""
        return self.case.dismissal in _WRONG

    @property
    def first_act_days(self) -> float | None:
        """Days from its raising to the first thing that people did; None: nothing yet."""
        acts = [event.at for event in self.events if event.action in BY_PEOPLE]
        return (min(acts) - self.events[0].at) / _DAY_US if acts else None


def run(client: Client, engine: Engine, *, now_us: int, labels: Path | None = None, tell: Tell = quiet) -> Report:
    """The report on all warnings in the store and the cases made of them; with labels also precision and recall.

    Raises:
        DataFaultError: there are no warnings, or the labels cannot be read.
    """
    roster = read_roster(engine)
    warned = [Warned(*row) for row in client.query(_WARNINGS).result_rows if row[0] in roster.school]
    tell("warnings read", len(warned), len(warned))
    if not warned:
        raise DataFaultError("there are no warnings in the store yet, so there is nothing to judge")
    worked = _worked(engine)
    outcomes = rule_outcomes(lambda query: client.query(query).result_columns)
    tell("cases read", len(worked), len(worked))
    sections = [
        Section("What was warned", "", [_by_rule(warned)]),
        Section("What came of it", _acting(worked), [_cases_table(worked), *_dismissals(outcomes)], _decided(outcomes)),
        _for_whom(warned, worked, roster),
    ]
    judged = [one for one in worked if one.judged]
    wrong = share(sum(one.wrong for one in judged), len(judged))
    measures = {"students": float(len({one.student for one in warned})), "warnings": float(len(warned))}
    measures |= {"cases": float(len(worked)), "judged": float(len(judged))}
    headlines = [_judged_headline(judged)]
    if wrong:
        measures["wrong"] = wrong.value
    if labels is not None:
        first = _first_warning(warned)
        found = labelled(read_labels(labels, engine, roster), first, roster, _rules_of(warned))
        sections = [*found.sections, *sections]
        headlines = [*found.headlines, *headlines]
        measures |= found.measures
    days = min(one.raised_on for one in warned), max(one.raised_on for one in warned)
    reach = share(len({one.student for one in warned}), len(roster.school))
    assert reach is not None
    headlines.append(
        f"{reach.value * 100:.0f} of 100 students were warned of at some time "
        f"({len({one.student for one in warned}):,} of {reach.n:,})."
    )
    return Report(
        "warnings",
        "How good warnings are",
        f"The district's own {len(warned):,} warnings from {days[0]:%-d %B %Y} to {days[1]:%-d %B %Y}, and the "
        f"{len(worked):,} cases that were made of them.",
        now_us,
        headlines,
        sections,
        measures,
    )


def _worked(engine: Engine) -> list[Worked]:
    with engine.connect() as connection:
        found = kept.selected(connection, select(cases))
        events: dict[str, list[CaseEvent]] = defaultdict(list)
        for event in kept.events(connection, [case.case_id for case in found]):
            events[event.case_id].append(event)
    return [Worked(case, events[case.case_id]) for case in found if events[case.case_id]]


def _first_warning(warned: Iterable[Warned]) -> dict[str, date]:
    first: dict[str, date] = {}
    for one in warned:
        first[one.student] = min(first.get(one.student, one.raised_on), one.raised_on)
    return first


def _rules_of(warned: Iterable[Warned]) -> dict[str, dict[str, date]]:
    by_rule: dict[str, list[Warned]] = defaultdict(list)
    for one in warned:
        by_rule[one.rule].append(one)
    return {rule: _first_warning(some) for rule, some in sorted(by_rule.items())}


def _by_rule(warned: Iterable[Warned]) -> Table:
    by_rule: dict[str, list[Warned]] = defaultdict(list)
    for one in warned:
        by_rule[one.rule].append(one)
    people = {rule: len({one.student for one in some}) for rule, some in by_rule.items()}
    columns = [Column("Rule"), Column("Students", "count"), Column("Warnings", "count"), Column("Open", "count")]
    columns += [
        Column("Cleared", "percent"),
        Column("Withdrawn", "percent"),
        Column("Days to clearing, median", "days"),
    ]
    rows: list[list[Cell]] = []
    for rule in sorted(by_rule, key=lambda rule: -people[rule]):
        some = by_rule[rule]
        if people[rule] < LEAST:
            continue
        status = Counter(one.status for one in some)
        lasted = [(one.cleared_on - one.raised_on).days for one in some if one.cleared_on]
        rows.append(
            [rule_title(rule), people[rule], len(some), status["open"], share(status["cleared"], len(some)),
             share(status["withdrawn"], len(some)), median(lasted) if lasted else None]
        )  # fmt: skip
    note = "Withdrawn: later evidence took its ground away. Open: so many right now."
    return Table("", columns, rows, note + _small([rule for rule in people if people[rule] < LEAST], "students"))


def _small(rules: Iterable[str], what: str) -> str:
    told = ", ".join(sorted(map(rule_title, rules)))
    return f" Of fewer than {LEAST} {what}, and so not told: {told}." if told else ""


def _judged_headline(judged: list[Worked]) -> str:
    if len(judged) < LEAST:
        return f"Fewer than {LEAST} cases have been judged by people so far, too few to say how often it is wrong."
    wrong = sum(one.wrong for one in judged)
    return (
        f"Of 100 cases that people decided on, {100 * wrong / len(judged):.0f} should not have been raised "
        f"({wrong:,} of {len(judged):,}); the others were known already or led to help."
    )


def _acting(worked: list[Worked]) -> str:
    waited = [days for one in worked if (days := one.first_act_days) is not None]
    if len(waited) < LEAST:
        return "Too few cases were taken up by people so far to say how long that takes."
    taken = share(len(waited), len(worked))
    assert taken is not None
    return (
        f"People did something about {taken.value * 100:.0f} of 100 cases ({len(waited):,} of {len(worked):,}), half "
        f"of them within {median(waited):.1f} days."
    )


def _cases_table(worked: list[Worked]) -> Table:
    states = Counter(one.case.state for one in worked)
    rows: list[list[Cell]] = [
        [state.capitalize(), share(states[state], len(worked))] for state in State if states[state]
    ]
    helped = [one for one in worked if one.helped]
    rows.append(["An intervention was begun, at any time", share(len(helped), len(worked))])
    ended = Counter(
        str(event.details.get("outcome")) for one in helped for event in one.events if event.action == Action.ENDED
    )
    if sum(ended.values()) >= LEAST:
        rows += [[f"Of ended interventions: {said}", share(ended[said], sum(ended.values()))] for said in OUTCOMES]
    note = "" if len(worked) >= LEAST else f"Fewer than {LEAST} cases: not shown."
    return Table("Where cases stand", [Column("State"), Column("Cases", "percent")], rows if not note else [], note)


def _dismissals(outcomes: list[RuleOutcome]) -> list[Table]:
    """What people decided, by rule; a case with several rules counts with each."""
    if not outcomes:
        return []
    titles = ("Incorrect data", "Known and handled", "Not concerning", "Led to help")
    columns = [Column("Rule"), Column("Cases", "count"), Column("Decided", "count")]
    columns += [Column(title, "percent") for title in titles]
    rows: list[list[Cell]] = []
    for one in sorted(outcomes, key=lambda one: -one.judged):
        if one.judged < LEAST:
            continue
        kinds = (one.incorrect_data, one.known_and_handled, one.not_concerning, one.intervened)
        rows.append([rule_title(one.rule), one.raised, one.judged, *(share(count, one.judged) for count in kinds)])
    note = "Decided: dismissed, or an intervention was begun. A case with several rules counts with each of them."
    note += _small([one.rule for one in outcomes if one.judged < LEAST], "decided cases")
    return [Table("Dismissals by rule", columns, rows, note)]


def _decided(outcomes: list[RuleOutcome]) -> list[Figure]:
    """Of decided cases, by rule: how many should not have been raised, and how many led to help."""
    enough = {rule_title(one.rule): one for one in outcomes if one.judged >= LEAST}
    if not enough:
        return []
    wrong = {rule: share(one.incorrect_data + one.not_concerning, one.judged) for rule, one in enough.items()}
    helped = {rule: share(one.intervened, one.judged) for rule, one in enough.items()}
    return [_figure("Decided cases by rule", {"Should not have been raised": wrong, "Led to help": helped})]


def _for_whom(warned: list[Warned], worked: list[Worked], roster: Roster) -> Section:
    people = {one.student for one in warned}
    judged = [one for one in worked if one.judged]
    tables, figures = [], []
    for kind, group in roster.groups().items():
        reach = _rates(Counter(group.values()), Counter(group[one] for one in people))
        of = Counter(group[one.case.student_id] for one in judged if one.case.student_id in group)
        said = Counter(group[one.case.student_id] for one in judged if one.wrong and one.case.student_id in group)
        wrong = _rates(of, said)
        hidden = f"n<{LEAST}"
        rows: list[list[Cell]] = [[name, reach[name] or hidden, wrong.get(name) or hidden] for name in in_order(reach)]
        columns = [Column(kind), Column("Ever warned", "percent"), Column("Of decided cases, wrong", "percent")]
        note = "Wrong: dismissed as incorrect data or as not concerning. Small groups are not told."
        tables.append(Table(f"By {kind.lower()}", columns, rows, note))
        figures.append(_figure(f"By {kind.lower()}", {"Ever warned": reach, "Of decided cases, wrong": wrong}))
    text = "The same warning can be right for one group and wrong for another: so both are shown."
    return Section("How often it was wrong, for whom", text, tables, figures)


def _rates(sizes: Mapping[str, int], counts: Mapping[str, int]) -> dict[str, Estimate | None]:
    hidden = hidden_groups(sizes, LEAST)
    return {name: None if name in hidden else share(counts.get(name, 0), size) for name, size in sizes.items()}


def _figure(title: str, rates: Mapping[str, Mapping[str, Estimate | None]]) -> Figure:
    series = [
        Series(name, [_point(group, one) for group in in_order(of) if (one := of[group])]) for name, of in rates.items()
    ]
    said = [
        f"{line.name}: " + ", ".join(f"{point.x} {100 * (point.y or 0):.0f}% of {point.n:,}" for point in line.points)
        for line in series
        if line.points
    ]
    return Figure("intervals", title, series, Axis("group", "text"), Axis("share", "percent"), ". ".join(said))


def _point(group: str, one: Estimate) -> Point:
    return Point(group, one.value, one.low, one.high, one.n)
