"""The fold of the score: events of one day in any order, and reading it changes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ranking.course import standings
from streams.ranking.events import (
    ATTENDED,
    CLICKED,
    DUE,
    INCIDENT,
    MARKED,
    MISSED,
    REGISTERED,
    SUBMITTED,
    TYPES,
    Event,
)
from streams.ranking.features import NAMES
from streams.ranking.own import own
from streams.ranking.progress import Progress
from streams.ranking.scoring import Ranking, WeekWeights, chance, logit, terms

DAYS = st.one_of(st.integers(-10, 60), st.integers(0, 3))
ITEMS = st.sampled_from(["a", "b", "c"])
EVENTS = st.one_of(
    st.builds(Event, DAYS, st.just(REGISTERED)),
    st.builds(Event, DAYS, st.just(DUE), ITEMS, st.floats(-1, 50)),
    st.builds(Event, DAYS, st.just(SUBMITTED), ITEMS, st.sampled_from([0.0, 1.0])),
    st.builds(Event, DAYS, st.just(MARKED), ITEMS, st.floats(0, 1)),
    st.builds(Event, DAYS, st.just(CLICKED), st.sampled_from(TYPES), st.integers(1, 50)),
    st.builds(Event, DAYS, st.sampled_from([ATTENDED, MISSED])),
    st.builds(Event, DAYS, st.just(INCIDENT), st.just(""), st.integers(1, 3)),
)
WEIGHTS = st.lists(st.floats(-3, 3), min_size=len(NAMES), max_size=len(NAMES))


def folded(happened):
    progress = Progress()
    for event in happened:
        progress.extend(event)
    return progress


@given(st.lists(EVENTS, max_size=40), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_events_within_a_day_does_not_matter(happened, rng):
    once = list(happened)
    rng.shuffle(once)
    again = list(happened)
    rng.shuffle(again)
    by_day = [sorted(some, key=lambda event: event.day) for some in (once, again)]
    assert own(folded(by_day[0]), 60) == own(folded(by_day[1]), 60)


@given(st.lists(EVENTS, max_size=40), st.integers(-10, 60))
@settings(max_examples=100, deadline=None)
def test_reading_at_the_end_of_a_day_changes_nothing_that_follows(happened, pause):
    happened = sorted(happened)
    progress = folded([event for event in happened if event.day <= pause])
    own(progress, pause)
    for event in happened:
        if event.day > pause:
            progress.extend(event)
    assert _near(own(progress, 60), own(folded(happened), 60))


@given(st.lists(st.lists(EVENTS, max_size=20), min_size=1, max_size=6), WEIGHTS, st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_terms_add_up_for_any_weights_and_the_chance_stays_within_0_and_1(students, weights, day):
    ones = [1.0] * len(NAMES)
    week = WeekWeights(week=4, base=-0.4, means=[0.1] * len(NAMES), spreads=ones, weights=weights, courses={"AAA": 0.2})
    ranking = Ranking("fails", 90, list(NAMES), [week])
    found = standings({str(n): folded(sorted(some)) for n, some in enumerate(students)}, 60)
    for one in found.values():
        value = logit(ranking, one.features, day, "AAA")
        assert abs(sum(term.contribution for term in terms(ranking, one.features, day, "AAA")) - value) < 1e-9
        assert 0.0 < chance(value) < 1.0


def _near(one, other):
    left, right = one.decayed, other.decayed
    return all(abs(a - b) < 1e-9 for a, b in zip(left, right, strict=True)) and (
        (one.score, one.missing, one.marks, one.inactive, one.active_days, one.change)
        == (other.score, other.missing, other.marks, other.inactive, other.active_days, other.change)
    )
