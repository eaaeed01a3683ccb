"""The score that orders lists: what is folded, what is said of it in words, and what it does not look at."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from streams.ranking.course import standings
from streams.ranking.events import (
    ATTENDED,
    CLICKED,
    CONTENT,
    DUE,
    INCIDENT,
    MARKED,
    MISSED,
    REGISTERED,
    SUBMITTED,
    Event,
)
from streams.ranking.features import NAMES, WORK
from streams.ranking.fit import Row, fit
from streams.ranking.own import own
from streams.ranking.progress import Progress
from streams.ranking.school import events
from streams.ranking.scoring import BASE, COURSE, chance, loads, logit, terms
from streams.ranking.words import NAMED, reasons
from streams.warning.facts import DayFacts, Mark, StudentFacts, Work


def folded(happened: Sequence[Event]) -> Progress:
    progress = Progress()
    for event in sorted(happened):
        progress.extend(event)
    return progress


def diligent(number: int) -> Progress:
    return folded(
        [
            Event(-20 - number, REGISTERED),
            Event(10, DUE, "essay", 20.0),
            Event(8, SUBMITTED, "essay"),
            Event(15, MARKED, "essay", 0.7 + number / 100),
        ]
    )


def idle() -> Progress:
    return folded([Event(-3, REGISTERED), Event(10, DUE, "essay", 20.0)])


def rows(count: int = 200) -> list[Row]:
    """Half of the students hand nothing in; most of them, and few others, have the outcome."""
    progress = {str(n): idle() if n % 2 else diligent(n % 13) for n in range(count)}
    found = standings(progress, 28, left=7)
    return [
        Row("AAA" if n % 3 else "BBB", str(n), 4, found[str(n)].features, n % 10 == 0 or (n % 2 == 1 and n % 5 != 0))
        for n in range(count)
    ]


def test_work_that_fell_due_and_did_not_come_is_missing_and_counts_as_nothing_of_the_score():
    progress = folded(
        [
            Event(10, DUE, "essay", 30.0),
            Event(9, SUBMITTED, "essay"),
            Event(16, MARKED, "essay", 0.8),
            Event(20, DUE, "report", 10.0),
        ]
    )
    at = own(progress, 21)
    assert (at.due, at.missing, at.missing_share) == (2, 1, 0.25)
    assert at.score == pytest.approx(0.6)
    assert (at.early, at.since) == (1.0, 12)


def test_work_that_waits_for_its_mark_is_held_against_nobody():
    progress = folded([Event(10, DUE, "essay", 30.0), Event(10, SUBMITTED, "essay")])
    at = own(progress, 12)
    assert at.missing == 0
    assert at.score is None


def test_what_was_carried_over_from_an_earlier_attempt_says_nothing_about_days():
    progress = folded([Event(-1, SUBMITTED, "essay", 1.0), Event(10, DUE, "essay", 30.0)])
    at = own(progress, 12)
    assert (at.missing, at.early, at.since) == (0, None, 12)


def test_activity_decays_by_its_half_lives_and_idle_days_are_counted():
    progress = folded([Event(-2, CLICKED, CONTENT, 8), Event(3, CLICKED, CONTENT, 7)])
    at = own(progress, 9)
    assert at.inactive == 6
    assert at.active_days == 2
    assert progress.clicks.decayed[1] == pytest.approx((8 * 0.5 ** (5 / 7) + 7) * 0.5 ** (7 / 7))
    assert progress.clicks.before_start == 8


def test_equal_students_are_in_the_middle_of_the_ranks():
    found = standings({"a": idle(), "b": idle(), "c": idle()}, 14)
    assert {one.features["lead_rank"] for one in found.values()} == {0.0}


def test_where_nothing_was_due_yet_nobody_is_behind():
    found = standings({"a": Progress(), "b": Progress()}, 14)
    assert all(found["a"].features[name] == 0.0 for name in WORK)


def test_terms_add_up_to_the_logit_and_the_chance_lies_between_0_and_1():
    ranking = fit(rows(), NAMES, "fails", 90)
    for row in rows():
        found = terms(ranking, row.features, 28, row.course)
        value = logit(ranking, row.features, 28, row.course)
        assert sum(term.contribution for term in found) == pytest.approx(value)
        assert 0.0 < chance(value) < 1.0


def test_those_who_hand_nothing_in_are_ranked_above_those_who_do():
    ranking = fit(rows(), NAMES, "fails", 90)
    found = {row.student: logit(ranking, row.features, 28) for row in rows()}
    assert found["1"] > found["2"]


def test_the_same_rows_give_the_same_version_bit_by_bit_and_it_comes_back_from_its_json():
    ranking = fit(rows(), NAMES, "fails", 90, version=3)
    assert fit(rows(), NAMES, "fails", 90, version=3).dumps() == ranking.dumps()
    assert loads(ranking.dumps()) == ranking


def test_too_little_history_is_said_and_not_fitted():
    with pytest.raises(ValueError, match="more history"):
        fit(rows(40), NAMES, "fails", 90)


def test_every_term_has_words_and_together_the_reasons_are_the_logit():
    ranking = fit(rows(), NAMES, "fails", 90)
    progress = {str(n): idle() if n % 2 else diligent(n) for n in range(10)}
    standing = standings(progress, 28, left=2)["1"]
    found = reasons(terms(ranking, standing.features, 28, "AAA"), standing)
    assert {one.name for one in found} == {*NAMES, BASE, COURSE}
    assert sum(one.contribution for one in found) == pytest.approx(logit(ranking, standing.features, 28, "AAA"))
    assert {one.name for one in found[-3:]} == {"course_left", COURSE, BASE}
    own_reasons = [one.contribution for one in found[:-3]]
    assert own_reasons == sorted(own_reasons, reverse=True)
    said = {one.name: one.words for one in found}
    assert said["missing_share"] == "1 of 1 piece of due work not handed in"
    assert said["since"].startswith("28 days since anything was handed in, the course ")
    assert said["course_left"] == "17 % of the course have left so far"
    assert set(NAMED) == {*NAMES, BASE, COURSE}


def test_a_districts_facts_are_folded_as_a_course_is():
    facts = StudentFacts(
        grade=8,
        days=(
            DayFacts(100, activity=5, attempts=3, successes=2, attended=1),
            DayFacts(101, activity=0, attempts=0, successes=0, absent=1, incidents=2),
            DayFacts(90, activity=9, attempts=9, successes=9),
        ),
        work=(
            Work("w1", "m8", True, due=104, submitted=103, score=0.5, scored=105, heard=103),
            Work("w2", "m8", True, due=104, heard=None),
            Work("old", "m8", True, due=80, heard=79),
        ),
        marks=(Mark("q1", "m8", True, "fall", 110, 110, 0.9),),
    )
    found = events(facts, start=100)
    assert Event(0, ATTENDED) in found
    assert Event(1, MISSED) in found
    assert Event(1, INCIDENT, "", 2) in found
    assert [event for event in found if event.kind == DUE] == [Event(4, DUE, "w1", 1.0)]
    assert Event(10, MARKED, "q1", 0.9) in found
    assert all(event.day >= 0 for event in found)
    at = own(folded(found), 12)
    assert (at.missed_days, at.days_told, at.incidents, at.missing) == (0.5, 2, 2, 0)
