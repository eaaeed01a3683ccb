"""What the sample district expects of its classes: one piece of work a week, and a mark at the end of each period.

A function of the section and the week alone, so that the registry, the providers and the judge of it agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from infra.dev.simulation.chance import chance
from infra.dev.simulation.content import LMS, SIS, Alignment
from infra.dev.simulation.district import District
from infra.dev.simulation.people import Section
from infra.dev.simulation.school_calendar import day_of
from infra.dev.simulation.skills import MATH, Skill, taught

CREDITS: Final = 0.35
"""A year of ten periods in two courses then earns seven credits, as a high school's year does."""
_FIRST_WITH_CREDITS: Final = 9
_THURSDAY, _FRIDAY = 3, 4


class LineItem(NamedTuple):
    """A row of the registry's table line_items; ``skill`` is what work is evidence of."""

    line_item_id: str
    section_id: str
    title: str
    kind: str
    activity_id: str
    assigned_on: date
    due_on: date
    term: str
    credits: float | None
    skill: Skill | None = None


def period_length(term_days: int) -> int:
    """School days of a marking period: three and a little end within the history."""
    return max(6, round(0.3 * term_days))


def mark_activity(section_id: str, period: int) -> str:
    """Activity of a section's mark; ``period`` counts from 1."""
    return f"{SIS.home}/marks/{section_id}/{period}"


@lru_cache(maxsize=20_000)
def work_of(section: Section, monday: date, number: int, term_days: int) -> LineItem | None:
    """The work of a week: due on Thursday in mathematics, on Friday else, or the last school day before; None where
    the week has none. ``number`` is that of the first school day from ``monday`` on."""
    due = monday + timedelta(days=_THURSDAY if section.subject == MATH else _FRIDAY)
    while due >= monday and not day_of(due).in_session:
        due -= timedelta(days=1)
    if due < monday:
        return None
    skills = taught(section.subject, section.grade)
    reached = number * len(skills) // max(1, term_days) % len(skills)
    skill = skills[reached if chance(section.section_id, monday).random() < 0.75 else 0]
    return LineItem(
        f"{section.section_id}-{monday:%Y%m%d}",
        section.section_id,
        f"{skill.name} (due {due.day} {due:%b})",
        "work",
        f"{LMS.home}/classes/{section.section_id}/assignments/{due}",
        monday,
        due,
        "",
        None,
        skill,
    )


def line_items(district: District, until: date) -> Iterator[LineItem]:
    """All that is given or ends until a day."""
    length = period_length(district.term_days)
    periods: list[tuple[date, date]] = []
    begin, number, day = district.start, 0, district.start
    while day <= until:
        if day.weekday() == 0:
            for section in district.sections:
                if item := work_of(section, day, number, district.term_days):
                    yield item
        if day_of(day).in_session:
            number += 1
            if number % length == 0:
                periods.append((begin, day))
                begin = day + timedelta(days=1)
        day += timedelta(days=1)
    for period, (first, last) in enumerate(periods, 1):
        for section in district.sections:
            yield LineItem(
                f"{section.section_id}-mark-{period}",
                section.section_id,
                f"Mark of period {period}",
                "mark",
                mark_activity(section.section_id, period),
                first,
                last,
                f"period {period}",
                CREDITS if section.grade >= _FIRST_WITH_CREDITS else None,
            )


def work_alignments(items: Iterable[LineItem]) -> Iterator[Alignment]:
    """Which skill each piece of work is evidence of."""
    for item in items:
        if item.skill is not None:
            yield Alignment(LMS.provider_id, item.activity_id, item.skill.code)
