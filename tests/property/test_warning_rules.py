"""Whatever a student did: warnings follow from what is known and the date alone, and never flap."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.warning import absence, activity_time, falling_scores, falling_success, incidents, marks, on_track, work
from streams.warning.coverage import Coverage
from streams.warning.facts import DayFacts, Mark, StudentFacts, Work
from streams.warning.frame import Frame
from streams.warning.history import Episode
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.rules import episodes
from tests.fixtures.pupils import FIRST, WEEKDAYS, frame, pupil, until

TERM = WEEKDAYS[:90]
LEAST = {
    absence.CHRONIC: absence.LINES,
    absence.RISING: absence.LINES,
    incidents.RULE: incidents.LINES,
    marks.FAILING: marks.LINES,
    marks.FALLING: marks.LINES,
    on_track.RULE: on_track.LINES,
    work.MISSING: work.LINES,
    work.LATE: work.LINES,
    falling_scores.RULE: falling_scores.LINES,
    falling_success.RULE: falling_success.LINES,
    activity_time.TIME: activity_time.LINES,
    activity_time.PACE: activity_time.LINES,
}

shares = st.integers(0, 20).map(lambda share: share / 20)


@st.composite
def days(draw: st.DrawFn, of: list[int]) -> list[DayFacts]:
    """A student's days in spells, as real ones come: good weeks and bad weeks."""
    found = []
    place = 0
    while place < len(of):
        length = draw(st.integers(3, 30))
        active, absent, right = draw(st.integers(0, 10)), draw(st.integers(0, 10)), draw(st.integers(0, 10))
        minutes = draw(st.sampled_from([0, 2, 20, 60]))
        provider = draw(st.sampled_from(["a", "b"]))
        for day in of[place : place + length]:
            chance = (day * 2_654_435_761) % 10
            came = chance >= absent
            if chance < active:
                attempts = 4 + chance * 3
                found.append(
                    DayFacts(
                        day, attempts, attempts, attempts * right // 10, (provider,), int(came), int(not came),
                        int(chance == 7 and right < 3), minutes * 60_000, int(chance == 7 and right < 1),
                    )
                )  # fmt: skip
            else:
                found.append(DayFacts(day, 0, 0, 0, (), int(came), int(not came)))
        place += length
    return found


@st.composite
def expected(draw: st.DrawFn) -> list[Work]:
    found = []
    steady = draw(st.integers(0, 9))
    for number, due in enumerate(TERM[3::2]):
        late = draw(st.sampled_from([None, -1, 0, 0, 1, 4])) if number % 10 > steady else 0
        submitted = None if late is None else due + late
        scored = None if submitted is None else submitted + draw(st.integers(0, 3))
        score = None if scored is None else draw(shares)
        found.append(Work(f"w{number:02}", "s", True, due, submitted, score, scored, due, ("lms",)))
    return found


@st.composite
def told(draw: st.DrawFn) -> list[Mark]:
    return [
        Mark(f"m{section}{end}", section, section < "c", str(end), TERM[end], TERM[end] + day, draw(shares), 0.5)
        for end in (20, 45, 70)
        for section in "abc"
        for day in draw(st.lists(st.integers(0, 12), max_size=2, unique=True))
    ]


students = st.builds(pupil, days(TERM), expected(), told(), st.sampled_from([8, 9, None]))


def known_at(day: int, known: Coverage) -> Coverage:
    """What was known of the school when a day began; that it is a school day was known before."""
    before = known.before(day)
    return Coverage([*before.days, *([day] if day in known.held else [])], before.silent, before.unheard,
                    recorders=known.recorders, lowest_grade=6)  # fmt: skip


@st.composite
def schools(draw: st.DrawFn) -> Coverage:
    unheard = set(TERM[draw(st.integers(0, 89)) :][: draw(st.integers(0, 15))])
    quiet = TERM[draw(st.integers(0, 89)) :][: draw(st.integers(0, 15))]
    silent = {day: frozenset({"a"}) for day in quiet if day not in unheard}
    return Coverage([day for day in TERM if day not in unheard], silent, sorted(unheard), recorders=("sis",),
                    lowest_grade=6)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(students, schools())
def test_living_through_a_term_day_by_day_gives_what_one_look_at_its_end_gives(
    facts: StudentFacts, known: Coverage
) -> None:
    seen: dict[tuple[str, int], Episode] = {}
    for today in range(FIRST, TERM[-1] + 2):
        look = frame(today, known_at(today, known), facts.grade)
        now = {(one.rule, one.raised_on): one for one in episodes(until(facts, today), look)}
        assert not seen.keys() - now.keys()
        assert all(now[key].cleared_on == one.cleared_on for key, one in seen.items() if one.cleared_on is not None)
        assert all(raised_on < today for _, raised_on in now.keys() - seen.keys())
        seen = now
    whole = {(one.rule, one.raised_on): one for one in episodes(facts, frame(TERM[-1] + 1, known, facts.grade))}
    assert whole == seen


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(students, schools())
def test_no_warning_is_shorter_than_its_least_and_none_comes_back_before_its_cool_down(
    facts: StudentFacts, known: Coverage
) -> None:
    by_rule: dict[str, list[Episode]] = {}
    for one in episodes(facts, frame(TERM[-1] + 1, known, facts.grade)):
        by_rule.setdefault(one.rule, []).append(one)
    for rule, found in by_rule.items():
        assert [one for one in found if one.cleared_on is None] in ([], found[-1:])
        for one, following in pairwise(found):
            assert one.cleared_on is not None
            assert one.raised_on < one.cleared_on < following.raised_on
        for one in found:
            if rule in LEAST and one.cleared_on is not None:
                assert sum(one.raised_on < day <= one.cleared_on for day in TERM) >= LEAST[rule].clear_days


@given(st.lists(st.sampled_from([RAISE, HOLD, CLEAR, None]), max_size=200), st.integers(1, 6), st.integers(0, 8))
def test_hysteresis_keeps_its_least_length_and_its_cool_down_whatever_is_read(
    levels: list[int | None], clear_days: int, cool_down: int
) -> None:
    def judge(place: int, _raised: Reading | None) -> Reading | None:
        level = levels[place]
        return None if level is None else Reading(place, level, 0.0, 0.0, place, place)

    look = Frame(Coverage(range(200), lowest_grade=6), 200, frame(0).thresholds, 7)
    found = fold("rule", look, Lines(clear_days, cool_down), len(levels), judge, None, 1.0)
    for one, following in pairwise([*found, None]):
        assert one is not None
        if one.cleared_on is None:
            assert following is None
            continue
        assert one.cleared_on - one.raised_on >= clear_days
        assert following is None or following.raised_on - one.cleared_on > cool_down


def test_a_reading_that_alternates_every_day_raises_once() -> None:
    def judge(place: int, _raised: Reading | None) -> Reading | None:
        return Reading(WEEKDAYS[place], RAISE if place % 2 else CLEAR, 0.0, 0.0, 0, 0)

    [only] = fold("rule", frame(WEEKDAYS[100]), Lines(3, 5), 100, judge, None, 1.0)
    assert only.cleared_on is None


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 60),
    st.lists(st.integers(0, 3), min_size=len(TERM), max_size=len(TERM)),
    st.integers(4, 10),
    st.sampled_from([(0,), (1, 3), (0, 1, 2, 3, 4)]),
)
def test_a_slow_but_steady_student_raises_nothing(
    answers: int, minutes: int, noise: list[int], right: int, weekdays: tuple[int, ...]
) -> None:
    steady = []
    for day, more in zip(TERM, noise, strict=True):
        if (day - FIRST) % 7 in weekdays:
            attempts = 10 * (1 + answers // 10)
            lasted = round(minutes * (1 + more / 10)) * 60_000
            steady.append(DayFacts(day, attempts + more, attempts, right * attempts // 10, ("a",), 1, 0, 0, lasted))
    assert not episodes(pupil(steady), frame(TERM[-1] + 1))


def raised_by_silence(found: list[Episode], silent_from: int) -> list[Episode]:
    """Episodes from then on, but for incidents of before that had to wait for the end of a cool-down."""
    held_back = {
        TERM[TERM.index(one.cleared_on) + incidents.LINES.cool_down + 1]
        for one in found
        if one.rule == incidents.RULE and one.cleared_on is not None and one.cleared_on < silent_from
    }
    return [
        one
        for one in found
        if one.raised_on >= silent_from
        and not (one.rule == incidents.RULE and one.evidence_to < silent_from and one.raised_on in held_back)
    ]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(days(TERM[:40]), st.integers(1, 40))
def test_a_school_that_goes_offline_raises_nothing_by_its_silence(known_days: list[DayFacts], length: int) -> None:
    offline = TERM[40 : 40 + length]
    known = Coverage(TERM[:40], unheard=offline, recorders=("sis",))
    assert not raised_by_silence(episodes(pupil(known_days), frame(offline[-1] + 1, known)), offline[0])


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(days(TERM[:40]), st.integers(1, 40))
def test_a_provider_that_goes_silent_raises_nothing_for_those_who_work_with_it(
    known_days: list[DayFacts], length: int
) -> None:
    quiet = TERM[40 : 40 + length]
    own = [day._replace(providers=("a",)) if day.activity else day for day in known_days]
    known = Coverage(TERM[: 40 + length], {day: frozenset({"a"}) for day in quiet}, recorders=("sis",))
    assert not raised_by_silence(episodes(pupil(own), frame(quiet[-1] + 1, known)), quiet[0])
