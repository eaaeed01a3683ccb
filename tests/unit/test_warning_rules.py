"""Early warnings over a student's days and the school's."""

from __future__ import annotations

from streams.evaluation import changes
from streams.warning import falling_success, inactivity
from streams.warning.coverage import Coverage, SchoolDays, coverage, covered, silences
from streams.warning.facts import DayFacts
from streams.warning.falling_success import has_fallen
from streams.warning.history import Episode
from streams.warning.rates import Rate
from streams.warning.rules import episodes
from tests.fixtures.pupils import FIRST, KNOWN, WEEKDAYS, active_on, frame, pupil


def silence(days: list[DayFacts], today: int, known: Coverage = KNOWN) -> list[Episode]:
    return inactivity.episodes(pupil(days), frame(today, known))


def fall(days: list[DayFacts], today: int) -> list[Episode]:
    return falling_success.episodes(pupil(days), frame(today))


def silent_for(school_days: int, since: int = 20) -> list[int]:
    return WEEKDAYS[:since] + WEEKDAYS[since + school_days :]


def test_five_usual_days_without_activity_raise_a_warning_in_words() -> None:
    days = active_on([day for day in WEEKDAYS[:20] if day not in WEEKDAYS[3:5]])
    [episode] = silence(days, WEEKDAYS[25])
    assert episode.reason == (
        "No activity on the last 5 of the usual school days (since 5 Oct); before that active on 18 of 20."
    )
    assert (episode.status, episode.raised_on, episode.cleared_on) == ("open", WEEKDAYS[24], None)
    assert (episode.evidence_from, episode.evidence_to) == (WEEKDAYS[20], WEEKDAYS[24])
    assert (episode.value, episode.baseline, episode.providers) == (5.0, 0.9, ("provider-a",))


def test_four_silent_days_raise_nothing() -> None:
    assert not silence(active_on(WEEKDAYS[:20]), WEEKDAYS[24])


def test_today_is_not_held_against_anyone() -> None:
    assert not silence(active_on(WEEKDAYS[:20]), WEEKDAYS[24])
    assert silence(active_on(WEEKDAYS[:20]), WEEKDAYS[24] + 1)


def test_the_second_active_day_clears_it_also_when_it_is_today() -> None:
    once, back = WEEKDAYS[27:29]
    [episode] = silence(active_on([*WEEKDAYS[:20], once]), once)
    assert (episode.status, episode.value) == ("open", 7.0)
    assert episode.reason.startswith("No activity on 7 of the usual")
    [episode] = silence(active_on([*WEEKDAYS[:20], once, back]), back)
    assert (episode.status, episode.cleared_on, episode.raised_on) == ("cleared", back, WEEKDAYS[24])


def test_one_visit_between_two_long_silences_is_no_return() -> None:
    [episode] = silence(active_on([*WEEKDAYS[:20], WEEKDAYS[27]]), WEEKDAYS[35])
    assert (episode.status, episode.raised_on) == ("open", WEEKDAYS[24])
    assert episode.reason.startswith("No activity on the last 7 of the usual school days (since 15 Oct)")


def test_who_comes_on_tuesdays_only_is_not_missed_on_other_days() -> None:
    tuesdays = [day for day in WEEKDAYS[:25] if (day - FIRST) % 7 == 1]
    assert not silence(active_on(tuesdays), WEEKDAYS[40])
    [episode] = silence(active_on(tuesdays), WEEKDAYS[50])
    assert episode.value == 5.0


def test_holidays_and_days_on_which_the_school_was_not_heard_of_do_not_count() -> None:
    without = WEEKDAYS[:20] + WEEKDAYS[25:]
    assert not silence(active_on(WEEKDAYS[:20]), WEEKDAYS[29], Coverage(without))


def test_days_on_which_the_students_own_providers_were_silent_do_not_count() -> None:
    outage = dict.fromkeys(WEEKDAYS[20:26], frozenset({"provider-a"}))
    days = active_on(WEEKDAYS[:20])
    assert not silence(days, WEEKDAYS[27], Coverage(WEEKDAYS, outage))
    [episode] = silence(days, WEEKDAYS[31], Coverage(WEEKDAYS, outage))
    assert episode.raised_on == WEEKDAYS[30]


def test_a_student_with_a_second_provider_is_missed_while_that_one_is_heard_of() -> None:
    outage = dict.fromkeys(WEEKDAYS[20:26], frozenset({"provider-a"}))
    days = [*active_on(WEEKDAYS[:19]), DayFacts(WEEKDAYS[19], 1, 0, 0, ("provider-b",))]
    assert silence(days, WEEKDAYS[27], Coverage(WEEKDAYS, outage))


def test_a_provider_is_silent_when_hardly_anyone_of_its_usual_students_was_heard_of() -> None:
    usual = dict.fromkeys(range(10), 40)
    assert silences(range(13), usual | {10: 7, 11: 8}) == {
        **dict.fromkeys(range(3, 10), False), 10: True, 11: False, 12: True,
    }  # fmt: skip


def test_a_long_outage_does_not_become_usual() -> None:
    judged = silences(range(60), dict.fromkeys(range(10), 40))
    assert all(judged[day] for day in range(10, 60))


def test_the_silence_of_a_few_is_their_own_unless_the_whole_district_is_silent() -> None:
    days = list(range(20))
    few, many = dict.fromkeys(range(10), 3), dict.fromkeys(range(20), 300)
    active = dict.fromkeys(days, 50)
    assert coverage(days, active, 100, {"p": few}, {"p": many}).silent == {}
    out = coverage(days, active, 100, {"p": few}, {"p": dict.fromkeys(range(10), 300)})
    assert out.silent == dict.fromkeys(range(10, 20), frozenset({"p"}))


def test_a_provider_that_one_school_does_not_reach_is_silent_there_alone() -> None:
    days, active = list(range(20)), dict.fromkeys(range(20), 50)
    everywhere = {"p": dict.fromkeys(range(20), 300)}
    cut_off = coverage(days, active, 100, {"p": dict.fromkeys(range(10), 40)}, everywhere)
    assert cut_off.silent == dict.fromkeys(range(10, 20), frozenset({"p"}))
    assert coverage(days, active, 100, {"p": dict.fromkeys(range(20), 40)}, everywhere).silent == {}


def test_what_is_said_about_a_day_does_not_change_with_what_comes_after_it() -> None:
    active = {day: 40 if day % 7 else 3 for day in range(60)}
    whole = silences(range(60), active)
    for end in range(60):
        assert silences(range(end), active) == {day: quiet for day, quiet in whole.items() if day < end}


def test_too_little_history_says_nothing() -> None:
    assert not silence(active_on(WEEKDAYS[:9]), WEEKDAYS[30])


def test_living_through_a_term_gives_the_same_episodes_as_looking_back() -> None:
    days = active_on(silent_for(6, since=15))[:40]
    last = days[-1].day + 1
    final = {e.raised_on: e for e in silence(days, last)}
    seen = {}
    for today in range(FIRST, last + 1):
        known = [day for day in days if day.day <= today]
        for episode in silence(known, today):
            seen[episode.raised_on] = episode
    assert seen == final
    assert len(final) == 1


def practice(rates: list[tuple[int, int]]) -> list[DayFacts]:
    return [
        DayFacts(WEEKDAYS[n], attempts, attempts, right, ("provider-a",)) for n, (right, attempts) in enumerate(rates)
    ]


def test_a_fall_against_the_own_past_raises_a_warning_in_words() -> None:
    days = practice([(11, 15)] * 20 + [(6, 16)] * 5)
    [episode] = fall(days, WEEKDAYS[25])
    assert episode.reason == "30 of 80 right in the last 5 active days (38 %); 73 % of 285 before."
    assert (episode.status, episode.raised_on) == ("open", WEEKDAYS[23])


def test_it_clears_after_three_better_days_in_a_row_and_not_before() -> None:
    days = practice([(15, 20)] * 20 + [(8, 20)] * 5 + [(18, 20)] * 10)
    [episode] = fall(days, WEEKDAYS[40])
    assert episode.status == "cleared"
    assert episode.cleared_on is not None
    assert episode.cleared_on > WEEKDAYS[27]
    assert fall(days, episode.cleared_on)[0].status == "open"


def test_a_lasting_fall_does_not_become_the_new_past() -> None:
    days = practice([(15, 20)] * 20 + [(8, 20)] * 30)
    assert [e.status for e in fall(days, WEEKDAYS[55])] == ["open"]


def test_a_fall_that_chance_explains_is_none() -> None:
    assert not has_fallen(Rate(11, 20), Rate(30, 40), 0.15)
    assert has_fallen(Rate(50, 100), Rate(300, 400), 0.15)


def test_few_attempts_say_nothing() -> None:
    assert not has_fallen(Rate(0, 19), Rate(400, 400), 0.15)
    assert not has_fallen(Rate(0, 20), Rate(39, 39), 0.15)


def test_a_school_day_counts_when_one_in_twenty_was_active() -> None:
    assert covered([1, 2, 3], {1: 5, 2: 4}, students=100) == [1]
    assert covered([1, 2, 3], {}, students=0) == [1, 2, 3]


def test_a_schools_own_calendar_wins_over_the_districts() -> None:
    days = SchoolDays([("", 1, True), ("", 2, False), ("north", 1, False), ("north", 3, True)])
    assert (days.of(""), days.of("north"), days.of("south")) == ([1], [3], [1])


def test_only_what_changed_is_written_and_what_lost_its_ground_is_withdrawn() -> None:
    found = episodes(pupil(active_on(WEEKDAYS[:20])), frame(WEEKDAYS[25]))
    rows = list(changes(found, {}, partition=3))
    known = {(str(row[0]), int(str(row[1]))): row for row in rows}
    assert not list(changes(found, known, partition=3))
    [withdrawn] = changes([], known, partition=3)
    assert withdrawn == (*rows[0][:2], "withdrawn", *rows[0][3:])
    assert not list(changes([], {(inactivity.RULE, WEEKDAYS[24]): withdrawn}, partition=3))
