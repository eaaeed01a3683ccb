"""Growth by week against a student's own past."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from streams.learner.growth import Point, by_week, strengths
from streams.learner.words import Lines

LINES = Lines(0.5, 0.7, 60, 1)
MONDAY = datetime(2026, 9, 7, 15, tzinfo=UTC)


def day_of(at: int) -> date:
    return datetime.fromtimestamp(at / 1e6, UTC).date()


def point(number: int, day: int, skill: str, chance: float, wide: float = 0.05) -> Point:
    at = int((MONDAY + timedelta(days=day)).timestamp() * 1e6)
    return Point(number, at, skill, chance, chance - wide, chance + wide)


def test_a_week_ends_with_the_mastery_of_its_last_answers_and_gains_against_the_own_week_before():
    weeks = by_week(
        [point(0, 0, "a", 0.4), point(1, 2, "b", 0.6), point(2, 7, "a", 0.5), point(3, 9, "a", 0.55)], day_of, LINES
    )
    first, second = weeks
    assert (first.start, first.answers, first.gains) == (date(2026, 9, 7), 2, {})
    assert second.mastery == {"a": 0.55, "b": 0.6}
    assert list(second.gains) == ["a"]
    assert round(second.gains["a"], 6) == 0.15


def test_an_answer_that_is_evidence_of_two_skills_is_one_answer():
    weeks = by_week([point(0, 0, "a", 0.4), point(0, 0, "b", 0.4)], day_of, LINES)
    assert weeks[0].answers == 1


def test_a_skill_is_newly_mastered_in_the_week_that_ends_with_it_mastered():
    weeks = by_week([point(0, 0, "a", 0.6), point(1, 7, "a", 0.8), point(2, 14, "a", 0.81)], day_of, LINES)
    assert [week.mastered for week in weeks] == [(), ("a",), ()]
    assert [week.held for week in weeks] == [0, 1, 1]


def test_weeks_without_answers_are_left_out_and_the_gain_is_against_the_last_that_had_some():
    weeks = by_week([point(0, 0, "a", 0.4), point(1, 28, "a", 0.5)], day_of, LINES)
    assert [week.start for week in weeks] == [date(2026, 9, 7), date(2026, 10, 5)]
    assert round(weeks[1].gains["a"], 6) == 0.1


def test_strengths_are_what_was_newly_mastered_and_the_largest_gains_never_the_losses():
    weeks = by_week(
        [point(0, 0, "a", 0.6), point(1, 0, "b", 0.4), point(2, 0, "c", 0.6), point(3, 7, "a", 0.8),
         point(4, 8, "b", 0.65), point(5, 8, "c", 0.5)], day_of, LINES,
    )  # fmt: skip
    found = strengths(weeks, date(2026, 9, 14))
    assert found.mastered == (("a", date(2026, 9, 14)),)
    assert [skill for skill, _, _ in found.gains] == ["b", "a"]


def test_without_late_weeks_there_is_nothing_to_say():
    weeks = by_week([point(0, 0, "a", 0.9)], day_of, LINES)
    assert strengths(weeks, date(2026, 10, 1)) == ((), ())


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abc"), st.floats(0.1, 0.9)), max_size=40))
def test_gains_of_all_weeks_add_up_to_the_way_from_the_first_week_to_the_last(found):
    points = [point(number, day, skill, chance) for number, (day, skill, chance) in enumerate(sorted(found))]
    weeks = by_week(points, day_of, LINES)
    assert sum(week.answers for week in weeks) == len(points)
    for skill in {one.skill for one in points}:
        levels = [week.mastery[skill] for week in weeks if skill in week.mastery]
        assert abs(sum(week.gains.get(skill, 0.0) for week in weeks) - (levels[-1] - levels[0])) < 1e-9
