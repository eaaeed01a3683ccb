"""Early warnings over a student's own time and pace, grades, and school years."""

from __future__ import annotations

import pytest

from streams.warning import activity_time
from streams.warning.coverage import Coverage, astray
from streams.warning.facts import DayFacts
from streams.warning.frame import Frame, first_days
from streams.warning.rules import episodes
from tests.fixtures.pupils import KNOWN, THRESHOLDS, WEEKDAYS, active_on, frame, pupil

MINUTE_MS = 60_000


def worked(minutes: list[int], answers: int = 0) -> list[DayFacts]:
    return [
        DayFacts(day, 3, answers, answers, ("provider-a",), duration_ms=some * MINUTE_MS)
        for day, some in zip(WEEKDAYS, minutes, strict=False)
        if some
    ]


def test_much_less_time_than_usual_is_told_and_clears_three_days_after_half_of_it_is_back() -> None:
    little = worked([40, 50] * 15 + [10] * 10)
    [episode] = activity_time.less_time(pupil(little), frame(WEEKDAYS[40]))
    assert episode.reason == "1 h 40 min of activity in the last 10 school days; 7 h 30 min before that."
    assert (episode.status, episode.providers, episode.threshold) == ("open", ("provider-a",), 0.6)
    back = worked([40, 50] * 15 + [10] * 10 + [45] * 20)
    [cleared] = activity_time.less_time(pupil(back), frame(WEEKDAYS[60]))
    assert cleared.raised_on == episode.raised_on
    assert cleared.cleared_on == WEEKDAYS[48]


@pytest.mark.parametrize(
    "minutes",
    [
        [4] * 30 + [1] * 10,  # too little to tell less of it
        [45] * 30 + [20] * 10,  # less, but not by the line
        [45] * 30 + [0] * 10,  # no activity at all is the other rule's matter
        [45] * 14 + [5] * 10,  # too little of a past
        [200, 0, 0, 0, 0] * 6 + [100, 0, 0, 0, 0] * 2,  # no more than the usual spread
    ],
)
def test_time_that_is_short_for_another_reason_is_not_told(minutes: list[int]) -> None:
    raised = activity_time.less_time(pupil(worked(minutes)), frame(WEEKDAYS[len(minutes)]))
    assert [one for one in raised if one.raised_on >= WEEKDAYS[len(minutes) - 3]] == []


def test_a_page_left_open_over_night_is_no_usual_time() -> None:
    minutes = [20, 20, 20, 20, 900] * 6 + [20] * 10
    assert not activity_time.less_time(pupil(worked(minutes)), frame(WEEKDAYS[40]))


def test_far_fewer_answers_on_an_active_day_than_usual_are_told() -> None:
    days = [*worked([30] * 25, answers=20), *(DayFacts(day, 3, 6, 5, ("b",)) for day in WEEKDAYS[25:40])]
    [episode] = activity_time.slower_pace(pupil(days), frame(WEEKDAYS[40]))
    assert episode.reason == "6 answers a day on the last 10 active days; 20 a day before that."
    steady = worked([30] * 40, answers=6)
    assert not activity_time.slower_pace(pupil(steady), frame(WEEKDAYS[40]))


@pytest.mark.parametrize(
    ("grade", "lowest", "raised"),
    [(5, 0, False), (6, 0, True), (12, 9, True), (None, 0, False), (None, 5, False), (None, 6, True), (0, 0, False)],
)
def test_warnings_begin_in_grade_6_and_an_unknown_grade_counts_as_the_schools_lowest(
    grade: int | None, lowest: int, raised: bool
) -> None:
    known = Coverage(WEEKDAYS, lowest_grade=lowest)
    found = episodes(pupil(active_on(WEEKDAYS[:20]), grade=grade), frame(WEEKDAYS[30], known, grade))
    assert bool(found) is raised


def test_what_was_in_grade_5_raises_nothing_when_the_student_is_in_grade_6() -> None:
    next_year = [day + 365 for day in WEEKDAYS[:30]]
    known = Coverage([*WEEKDAYS[:60], *next_year])
    look = Frame(known, next_year[-1] + 1, THRESHOLDS, 6)
    assert (look.years, look.raises_from) == ([WEEKDAYS[0], next_year[0]], next_year[0])
    assert [look.grade_on(day) for day in (WEEKDAYS[0], WEEKDAYS[59], next_year[3])] == [5, 5, 6]
    days = active_on([*WEEKDAYS[:20], *WEEKDAYS[30:60], *next_year])
    assert not episodes(pupil(days, grade=6), look)
    assert episodes(pupil(days, grade=7), Frame(known, next_year[-1] + 1, THRESHOLDS, 7))


def test_a_school_year_begins_after_four_weeks_without_school_or_after_a_year_without_a_summer() -> None:
    assert first_days([0, 10, 20, 49, 60]) == [0, 49]
    assert first_days(range(0, 900, 7)) == [0, 371, 742]


def test_a_day_on_which_most_are_recorded_absent_is_believed_where_few_are_recorded() -> None:
    assert astray({1: (10, 6), 2: (10, 5), 3: (9, 9)}) == {1}


def test_coverage_is_the_share_of_the_evidences_days_on_which_the_student_could_be_heard_of() -> None:
    known = Coverage([day for day in WEEKDAYS if day != WEEKDAYS[23]], unheard=[WEEKDAYS[23]])
    [episode] = episodes(pupil(active_on(WEEKDAYS[:20])), frame(WEEKDAYS[26], known))
    assert (episode.rule, episode.coverage) == ("inactivity", 5 / 6)
    assert KNOWN.held == WEEKDAYS
