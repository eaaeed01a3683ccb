"""Builds the sample district and writes it to the registry, before anything is posted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError

from infra.dev.accounts import Account, account
from infra.dev.errors import LocalStackError
from infra.dev.simulation.content import PROVIDERS
from infra.dev.simulation.district import District, build
from infra.dev.simulation.habits.telling import ability_in
from infra.dev.simulation.school_calendar import day_of, first_day
from infra.dev.simulation.seed import seed
from infra.dev.simulation.skills import taught
from infra.dev.simulation.state import Plan, State, Truth
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings

DEFAULT_SIZE: Final = 240
DEFAULT_SEED: Final = 2026
DEFAULT_HISTORY_DAYS: Final = 60
DEFAULT_RATE: Final = 10.0
_CALENDAR_AHEAD: Final = timedelta(days=200)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may choose. ``size``, ``seed`` and ``history_days`` are fixed by a data directory's first start.

    Attributes:
        size: students.
        rate: live statements a second in school hours.
        seed: another seed, another district.
        history_days: school days of history.
        once: post the history and stop.
        url: base of the LRS; empty: the one of the settings.
        batch: most statements in a request.
        window: statements that all providers post before any goes on in time.
        patience: for one request while the LRS is away, s.
    """

    size: int | None = None
    rate: float = DEFAULT_RATE
    seed: int | None = None
    history_days: int | None = None
    once: bool = False
    url: str = ""
    batch: int = 200
    window: int = 1000
    patience: float = 600.0


class OtherDistrictError(LocalStackError):
    """The data directory holds a district that was built from other options."""


def prepare(settings: Settings, options: Options) -> tuple[District, dict[str, Account], int]:
    """Build the district and write it to the registry; idempotent, needs no running service.

    Returns the district, the account of each provider, and the number of rows that were new. Call it before ingest
    starts, and the simulation need not wait until ingest has read the registry again.
    """
    state = State(settings.data_dir)
    today = datetime.now(ZoneInfo(settings.district.timezone)).date()
    plan = state.plan()
    if plan is None:
        days = DEFAULT_HISTORY_DAYS if options.history_days is None else options.history_days
        plan = Plan(
            seed=DEFAULT_SEED if options.seed is None else options.seed,
            size=options.size or DEFAULT_SIZE,
            schools=3,
            start=first_day(today, days),
            term_days=max(days, 20),
        )
    for name, asked, held in (("students", options.size, plan.size), ("seed", options.seed, plan.seed)):
        if asked not in (None, held):
            raise OtherDistrictError(
                f"{settings.data_dir} holds a sample district with {name} = {held}, not {asked}: "
                "leave the option out, or take another data directory"
            )
    district = build(plan.seed, size=plan.size, start=plan.start, term_days=plan.term_days, schools=plan.schools)
    engine = open_registry(settings.registry_url())
    try:
        accounts = {p.provider_id: account(engine, settings.data_dir, p.provider_id, p.name) for p in PROVIDERS}
        new = seed(engine, district, until=today + _CALENDAR_AHEAD, today=today, now=time.time_ns() // 1000)
    except IntegrityError:
        raise OtherDistrictError(
            "the registry holds people of another sample district: take a registry of its own, "
            "or the data directory that it was begun with"
        ) from None
    finally:
        engine.dispose()
    state.keep_plan(plan)
    state.keep_truth(list(_truth(district)))
    return district, accounts, new


def _truth(district: District) -> Iterator[Truth]:
    for student in district.students:
        traits = student.traits
        onset = _nth_school_day(district.start, traits.onset)
        last = district.term_days - 1
        yield Truth(
            student.student_id,
            traits.trajectory,
            onset,
            round(traits.ability, 3),
            round(traits.engagement, 3),
            {
                skill.code: round(ability_in(student, skill, last) - skill.difficulty, 3)
                for subject in student.sections
                for skill in taught(subject, student.grade)
            },
        )


def _nth_school_day(start: date, nth: int) -> date:
    """The school day numbered ``nth``, 0 being the first from ``start`` on."""
    day = start
    while nth > 0 or not day_of(day).in_session:
        nth -= day_of(day).in_session
        day += timedelta(days=1)
    return day
