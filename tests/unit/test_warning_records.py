"""Early warnings over what others record of a student: attendance, incidents, marks, work, credits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from streams.warning import absence, falling_scores, incidents, marks, on_track, work
from streams.warning.coverage import Coverage
from streams.warning.facts import DayFacts, Mark, Work, is_core
from streams.warning.history import Episode
from tests.fixtures.pupils import WEEKDAYS, frame, present, pupil

CAME, MISSED = True, False


def absences(came: list[bool], known: Coverage | None = None) -> list[Episode]:
    today = WEEKDAYS[len(came)]
    return absence.episodes(pupil(present(came)), frame(today) if known is None else frame(today, known))


def of(rule: str, found: list[Episode]) -> list[tuple[int, int | None]]:
    """Places of the school days on which a rule was raised and cleared."""
    return [
        (WEEKDAYS.index(one.raised_on), None if one.cleared_on is None else WEEKDAYS.index(one.cleared_on))
        for one in found
        if one.rule == rule
    ]


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ([CAME] * 30, []),
        ([MISSED] * 2 + [CAME] * 28, []),  # two days of few are too few
        ([MISSED] * 19, []),  # less than twenty days tell nothing
        ([MISSED] * 3 + [CAME] * 17, [(19, None)]),
        ([CAME] * 27 + [MISSED] * 3, [(29, None)]),
        ([MISSED] * 3 + [CAME] * 33, [(19, None)]),  # between the lines
        ([MISSED] * 3 + [CAME] * 45, [(19, 41)]),  # below 8 % since the 38th day, five days long
    ],
)
def test_a_tenth_of_the_years_days_missed_is_chronic_absence(
    came: list[bool], expected: list[tuple[int, int | None]]
) -> None:
    assert of(absence.CHRONIC, absences(came)) == expected


def test_chronic_absence_says_when_attendance_is_at_or_below_80_per_cent() -> None:
    [mild] = absences([CAME] * 27 + [MISSED] * 3)
    assert (mild.reason, mild.threshold) == ("Absent 3 of 30 school days this year (10 %).", 0.1)
    severe = absences([CAME, CAME, CAME, CAME, MISSED] * 6)[0]
    assert severe.reason == "Absent 6 of 30 school days this year (20 %, at or below 80 % attendance)."
    assert (severe.threshold, severe.value, severe.providers) == (0.2, 0.2, ("sis",))


def test_a_new_school_year_begins_with_a_clean_record() -> None:
    summer = [day + 80 for day in WEEKDAYS[40:80]]
    days = [*present([MISSED] * 10 + [CAME] * 30), *(DayFacts(day, 0, 0, 0, (), 1) for day in summer)]
    [episode] = absence.episodes(pupil(days), frame(summer[-1] + 1, Coverage([*WEEKDAYS[:40], *summer])))
    assert (episode.raised_on, episode.cleared_on) == (WEEKDAYS[19], summer[0])


def test_days_without_a_record_and_days_on_which_most_of_the_school_is_absent_count_for_nothing() -> None:
    came = [CAME] * 22 + [MISSED] * 5
    assert of(absence.CHRONIC, absences(came)) == [(24, None)]
    assert not absences(came, Coverage(WEEKDAYS, astray=frozenset(WEEKDAYS[22:27])))
    partly = [day for day in present(came) if day.day != WEEKDAYS[4]]
    [episode] = absence.episodes(pupil(partly), frame(WEEKDAYS[27]))
    assert (episode.reason, episode.coverage) == ("Absent 5 of 26 school days this year (19 %).", 26 / 27)


@pytest.mark.parametrize(("attended", "absent", "missed"), [(5, 1, False), (3, 3, True), (0, 1, True), (1, 0, False)])
def test_a_day_is_missed_when_at_least_half_of_its_lessons_are(attended: int, absent: int, missed: bool) -> None:
    assert DayFacts(1, 0, 0, 0, (), attended, absent).missed is missed


def test_absence_that_rises_against_the_own_past_is_told_in_words() -> None:
    came = [CAME] * 18 + [MISSED] * 2 + ([CAME, MISSED] * 9) + [CAME] * 2
    [episode] = [one for one in absences(came) if one.rule == absence.RISING]
    assert episode.reason == "Absent 9 of the last 20 school days; 2 of 20 before that."
    assert (episode.value, episode.baseline) == (0.45, 0.1)


def test_who_was_always_absent_so_often_is_chronic_and_not_rising() -> None:
    found = absences([CAME, CAME, MISSED] * 20)
    assert {one.rule for one in found} == {absence.CHRONIC}


def behaved(on: list[int], *, suspended: bool = False, days: int = 60, offline_from: int = 60) -> list[Episode]:
    reports = [DayFacts(WEEKDAYS[n], 0, 0, 0, (), 1, 0, 1, 0, int(suspended)) for n in on]
    known = Coverage(WEEKDAYS[:offline_from], unheard=WEEKDAYS[offline_from:days], recorders=("sis",))
    return incidents.episodes(pupil([*present([CAME] * offline_from), *reports]), frame(WEEKDAYS[days], known))


@pytest.mark.parametrize(
    ("on", "suspended", "expected"),
    [
        ([], False, []),
        ([10], False, []),
        ([10], True, [(10, 30)]),
        ([10, 20], False, [(20, 40)]),
        ([10, 51], False, []),
        ([10, 20, 39], False, [(20, 59)]),
        ([10, 11, 33, 40], False, [(11, 31), (42, None)]),  # the cool-down holds the second one back
    ],
)
def test_two_incidents_in_forty_school_days_or_a_suspension_raise_and_twenty_quiet_days_clear(
    on: list[int], suspended: bool, expected: list[tuple[int, int | None]]
) -> None:
    assert of(incidents.RULE, behaved(on, suspended=suspended)) == expected


def test_incidents_within_a_cool_down_are_told_at_its_end_also_when_the_school_is_offline_by_then() -> None:
    """They were recorded: nothing is read out of the silence."""
    assert of(incidents.RULE, behaved([10, 11, 33, 36], offline_from=40)) == [(11, 31), (42, 56)]


def test_incidents_are_told_in_words() -> None:
    assert behaved([40, 44])[0].reason == (
        "2 behaviour incidents in 40 school days, the last on 6 Nov; 0 in the 40 before that."
    )
    assert behaved([44], suspended=True)[0].reason.startswith("1 behaviour incident, 1 with a suspension, in 40")


def mark(section: str, share: float, told: int, *, term: int = 40, credits: float = 0.0, core: bool = True) -> Mark:
    return Mark(
        f"{section}-{term}", section, core, f"quarter {term // 40}", WEEKDAYS[term], WEEKDAYS[told], share, credits,
        section.capitalize(), "sis",
    )  # fmt: skip


def test_a_failing_mark_in_a_core_course_stands_until_it_is_made_good_for_five_days() -> None:
    told = [mark("math", 0.55, 41), mark("ela", 0.8, 41), mark("art", 0.3, 41, core=False)]
    [episode] = marks.failing_core(pupil(marks=told), frame(WEEKDAYS[50]))
    assert episode.reason == "Failing mark in 1 of 2 core courses: 55 % in Math."
    assert (episode.value, episode.threshold, episode.providers) == (0.55, 0.6, ("sis",))
    [near] = marks.failing_core(pupil(marks=[*told, mark("math", 0.61, 45)]), frame(WEEKDAYS[60]))
    assert (near.status, near.reason) == ("open", "No core course is failed any more: 61 % in Math.")
    cleared = marks.failing_core(pupil(marks=[*told, mark("math", 0.7, 45)]), frame(WEEKDAYS[60]))
    assert of(marks.FAILING, cleared) == [(41, 49)]


def test_a_mark_that_is_not_core_or_not_failing_raises_nothing() -> None:
    told = [mark("math", 0.6, 41), mark("art", 0.1, 41, core=False)]
    assert not marks.failing_core(pupil(marks=told), frame(WEEKDAYS[50]))


@pytest.mark.parametrize(("now", "raised"), [((0.8, 0.85), False), ((0.75, 0.72), True), ((0.4,), False)])
def test_an_average_mark_that_falls_by_a_letter_against_the_own_terms_before_is_told(
    now: tuple[float, ...], raised: bool
) -> None:
    courses = ("math", "ela")
    before = [mark(course, share, 41) for course, share in zip(courses, (0.9, 0.84), strict=True)]
    after = [mark(course, share, 81, term=80) for course, share in zip(courses, now, strict=False)]
    found = marks.falling_marks(pupil(marks=[*before, *after]), frame(WEEKDAYS[90]))
    assert bool(found) is raised
    if raised:
        assert found[0].reason == "Average mark 74 % in quarter 2; 87 % in the terms before that."


def sheets(late: Sequence[int | None], heard: bool = True) -> list[Work]:
    """Work due every other school day, handed in so many days after it was due; None: never."""
    return [
        Work(f"w{n:02}", "math", True, due, None if days is None else due + days, None, None,
             due if heard else None, ("lms",))
        for n, (days, due) in enumerate(zip(late, WEEKDAYS[1::2], strict=False))
    ]  # fmt: skip


def handed(rule: str, late: Sequence[int | None], days: int = 60, heard: bool = True) -> list[Episode]:
    facts = pupil(present([CAME] * days), sheets(late, heard))
    found = (
        work.missing(facts, frame(WEEKDAYS[days])) if rule == work.MISSING else work.late(facts, frame(WEEKDAYS[days]))
    )
    assert {one.rule for one in found} <= {rule}
    return found


def test_work_that_is_not_handed_in_is_told_two_school_days_after_it_was_due() -> None:
    found = handed(work.MISSING, [0] * 15 + [None] * 15)
    assert of(work.MISSING, found) == [(37, None)]  # the third is due on the 36th day
    assert found[0].reason == "9 of the 9 pieces of work due in 18 school days are missing; 5 of 20 before that."
    assert (found[0].providers, found[0].threshold, found[0].coverage) == (("lms",), 3.0, 1.0)


def test_missing_work_clears_when_it_is_handed_in_and_stays_so() -> None:
    assert of(work.MISSING, handed(work.MISSING, [0] * 10 + [None] * 4 + [0] * 16)) == [(27, 47)]


@pytest.mark.parametrize("late", [[0] * 30, [0, 0, 0, 0, None] * 6, [5] * 30])
def test_who_hands_in_most_of_it_also_late_misses_nothing(late: Sequence[int | None]) -> None:
    assert not handed(work.MISSING, late)


def test_work_that_hardly_anyone_of_the_section_handed_in_is_missing_of_nobody() -> None:
    assert not handed(work.MISSING, [None] * 30, heard=False)


def test_work_due_before_a_student_was_first_heard_of_is_not_expected() -> None:
    facts = pupil(present([CAME] * 20, first=40), sheets([None] * 19 + [0] * 11))
    assert not work.missing(facts, frame(WEEKDAYS[60]))


def test_a_score_tells_that_work_was_handed_in_and_a_zero_does_not() -> None:
    due = WEEKDAYS[10]
    scored = Work("w", "math", True, due, None, 0.4, due + 3)
    assert [work.is_missing(scored, day) for day in (due + 2, due + 3)] == [True, False]
    assert work.is_missing(scored._replace(score=0.0), due + 3)


def test_half_of_the_work_handed_in_late_is_told() -> None:
    found = handed(work.LATE, [0] * 15 + [2] * 15)
    assert found[0].reason == "9 of the 9 pieces of work due in 18 school days came late; 5 of 20 before that."
    assert not handed(work.LATE, [0, 0, 2] * 10)


def scores(values: list[float]) -> list[Episode]:
    given = [
        Work(f"w{n:02}", "math", True, day, day, score, day, day, ("lms",))
        for n, (score, day) in enumerate(zip(values, WEEKDAYS, strict=False))
    ]
    return falling_scores.episodes(pupil(work=given), frame(WEEKDAYS[len(values)]))


def test_scores_that_fall_by_more_than_their_spread_are_told() -> None:
    found = scores([0.9, 0.8] * 8 + [0.6, 0.5] * 4)
    assert found[0].reason == "54 % on average for the last 5 scored pieces of work; 85 % for the 15 before."
    assert not scores([0.9, 0.8] * 12)
    assert not scores([1.0, 0.4] * 6 + [0.4, 0.5] * 3)  # no more than the usual spread
    assert not scores([0.9] * 7 + [0.2] * 5)  # too little of a past


@pytest.mark.parametrize(
    ("shares", "credits", "told"),
    [
        ((0.8, 0.8, 0.8, 0.8), 0.5, None),
        ((0.8, 0.5, 0.8, 0.8), 0.5, None),
        ((0.5, 0.5, 0.8, 0.8), 0.7, "1.4 credits earned after 41 of 180 school days, 1.1 are on track; failed 2 core"
         " courses (C0, C1)."),
        ((0.5, 0.8, 0.8, 0.8), 0.3, "0.9 credits earned after 41 of 180 school days, 1.1 are on track; failed 1 core"
         " course (C0)."),
        ((0.8, 0.8, 0.8, 0.8), 0.25, "1 credit earned after 41 of 180 school days, 1.1 are on track."),
    ],
)  # fmt: skip
def test_off_track_is_too_few_credits_or_more_than_one_failed_core_course_in_grade_9(
    shares: tuple[float, ...], credits: float, told: str | None
) -> None:
    given = [mark(f"c{n}", share, 42, credits=credits) for n, share in enumerate(shares)]
    found = on_track.episodes(pupil(marks=given, grade=9), frame(WEEKDAYS[50], grade=9))
    assert [one.reason for one in found] == ([] if told is None else [told])
    assert not on_track.episodes(pupil(marks=given, grade=8), frame(WEEKDAYS[50], grade=8))


@pytest.mark.parametrize(
    ("subject", "core"), [("Math", True), ("ELA", True), ("Social Studies", True), ("science", True), ("art", False)]
)
def test_core_courses_are_the_four_of_the_on_track_indicator(subject: str, core: bool) -> None:
    assert is_core(subject) is core
