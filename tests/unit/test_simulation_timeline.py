"""What the simulated providers tell: in order, by the rules, and true to what becomes of each student."""

import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.dev.simulation.chance import chance, uuid4_of
from infra.dev.simulation.content import COURSE, PRACTICE, PROVIDERS, SIS, VIDEO, alignments
from infra.dev.simulation.district import District, build
from infra.dev.simulation.expected import line_items
from infra.dev.simulation.live import Live, share_of_rate
from infra.dev.simulation.mishaps import SILENT, invalid
from infra.dev.simulation.people import identifier
from infra.dev.simulation.school_calendar import day_of, first_day
from infra.dev.simulation.timeline import Post, Upcoming, history, midnight_of, school_days
from infra.dev.simulation.traits import Trajectory
from ingest.xapi.faults import Faults
from ingest.xapi.timestamps import microseconds
from ingest.xapi.validation.statements import batch
from schemas import verbs
from schemas.extensions import BEHAVIOR

ZONE = ZoneInfo("America/Chicago")
TODAY = date(2026, 11, 21)
START = first_day(TODAY, 60)
UNTIL = midnight_of(TODAY, ZONE)
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def district() -> District:
    return build(7, size=45, start=START)


@pytest.fixture(scope="module")
def posts(district: District) -> list[Post]:
    return list(history(district, ZONE, after=(0, ""), until=UNTIL))


@pytest.fixture(scope="module")
def told(posts: list[Post]) -> list[tuple[Post, dict[str, Any]]]:
    return [(post, json.loads(post.body)) for post in posts]


def local_day(statement: dict[str, Any]) -> date:
    return datetime.fromtimestamp(microseconds(statement["timestamp"]) / 1e6, ZONE).date()


def faults_of(statements: list[dict[str, Any]], version: str) -> Faults:
    faults = Faults()
    batch(statements, faults, version_2=version == "2.0.0")
    return faults


def test_the_same_district_tells_the_same_history(district: District, posts: list[Post]):
    assert list(history(build(7, size=45, start=START), ZONE, after=(0, ""), until=UNTIL)) == posts


def test_history_is_posted_in_order_with_ids_of_its_own(posts: list[Post]):
    assert all(a[:2] < b[:2] for a, b in pairwise(posts))
    assert len({post.statement_id for post in posts}) == len(posts)
    assert {post.provider.provider_id for post in posts} == {provider.provider_id for provider in PROVIDERS}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_history_taken_up_again_anywhere_goes_on_exactly_there(district: District, posts: list[Post], share: float):
    done = int(len(posts) * share)
    assert list(history(district, ZONE, after=posts[done - 1][:2], until=UNTIL)) == posts[done:]


def test_history_of_tomorrow_continues_that_of_today(district: District, posts: list[Post]):
    tomorrow = UNTIL + 3 * 24 * HOUR
    whole = list(history(district, ZONE, after=(0, ""), until=tomorrow))
    assert whole[: len(posts)] == posts
    assert list(history(district, ZONE, after=posts[-1][:2], until=tomorrow)) == whole[len(posts) :]


def test_posts_are_taken_as_their_time_comes(posts: list[Post]):
    upcoming = Upcoming(iter(posts))
    noon = posts[500].at
    assert upcoming.before(noon, 300) == posts[:300]
    assert upcoming.before(noon, 300) == posts[300:500]
    assert upcoming.before(noon, 300) == []
    assert upcoming.before(UNTIL, len(posts)) == posts[500:]


def test_every_statement_keeps_the_rules_of_xapi(told: list[tuple[Post, dict[str, Any]]]):
    for provider in PROVIDERS:
        own = [statement for post, statement in told if post.provider is provider]
        assert faults_of(own, provider.version) == []


def test_nothing_is_told_before_it_happened(told: list[tuple[Post, dict[str, Any]]]):
    assert all(microseconds(statement["timestamp"]) <= post.at for post, statement in told)


def test_statements_are_about_school_days_but_for_work_handed_in_and_graded(
    told: list[tuple[Post, dict[str, Any]]],
):
    days = {local_day(statement) for post, statement in told if post.provider in (PRACTICE, VIDEO, COURSE, SIS)}
    assert all(day_of(day).in_session for day in days)
    assert len(days) == 60


def test_every_verb_means_something_to_the_platform(told: list[tuple[Post, dict[str, Any]]]):
    meant = defaultdict(set)
    for post, statement in told:
        iri = statement["verb"]["id"]
        meant[post.provider.provider_id].add(post.provider.verbs.get(iri) or verbs.IRIS[iri])
    meant["sis"].add(verbs.REPORTED)  # of so few students perhaps nobody is reported
    assert meant == {
        "practice": {verbs.ANSWERED},
        "video": {verbs.PLAYED, verbs.SEEKED, verbs.PROGRESSED, verbs.PAUSED},
        "course": {
            verbs.LAUNCHED, verbs.INITIALIZED, verbs.COMPLETED, verbs.PASSED, verbs.FAILED, verbs.TERMINATED,
            verbs.ABANDONED,
        },
        "lms": {verbs.SUBMITTED, verbs.SCORED},
        "sis": {verbs.ATTENDED, verbs.ABSENT, verbs.SCORED, verbs.REPORTED},
    }  # fmt: skip


def test_nearly_all_evidence_is_aligned_to_a_skill(told: list[tuple[Post, dict[str, Any]]]):
    aligned = {(alignment.provider_id, alignment.activity_id) for alignment in alignments()}
    answers = [s for post, s in told if post.provider is PRACTICE]
    without = [s for s in answers if (PRACTICE.provider_id, s["object"]["id"]) not in aligned]
    assert 0 < len(without) < 0.05 * len(answers)


def _activity(district: District, told: list[tuple[Post, dict[str, Any]]]) -> dict[str, dict[date, int]]:
    """Learning statements by student and day, those of attendance and grading left out."""
    owner = {identifier(a): s.student_id for s in district.students for a in s.actors.values()}
    found: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for post, statement in told:
        if post.provider in (PRACTICE, VIDEO, COURSE):
            day = local_day(statement)
            found[owner[identifier(statement["actor"])]][day] += 1
    return found


@pytest.fixture(scope="module")
def larger() -> tuple[District, list[tuple[Post, dict[str, Any]]]]:
    district = build(3, size=150, start=START)
    return district, [(p, json.loads(p.body)) for p in history(district, ZONE, after=(0, ""), until=UNTIL)]


def test_the_fading_really_do_less_and_the_steady_do_not(larger):
    district, told = larger
    activity = _activity(district, told)
    lately = TODAY - timedelta(days=14)
    shares = defaultdict(list)
    for student in district.students:
        early = sum(n for day, n in activity[student.student_id].items() if day < START + timedelta(days=28)) / 20
        late = sum(n for day, n in activity[student.student_id].items() if day >= lately) / 10
        shares[student.traits.trajectory].append(late / early)
    mean = {trajectory: sum(found) / len(found) for trajectory, found in shares.items()}
    assert mean[Trajectory.FADING] < 0.15
    assert mean[Trajectory.STEADY] > 0.85
    assert mean[Trajectory.RECOVERING] > 0.8


def test_the_recovering_were_gone_for_a_while(larger):
    district, told = larger
    activity = _activity(district, told)
    for student in district.students:
        if student.traits.trajectory is Trajectory.RECOVERING:
            away = [
                START + timedelta(days=n)
                for n in range(87)
                if day_of(START + timedelta(days=n)).in_session
                and student.traits.onset + 3
                <= school_days(START, START + timedelta(days=n))
                < student.traits.onset + 11
            ]
            assert sum(activity[student.student_id].get(day, 0) > 0 for day in away) <= 3


def test_the_struggling_go_on_working_but_succeed_less(larger):
    district, told = larger
    kinds = {identifier(s.actors["practice"]): s.traits.trajectory for s in district.students}
    right = defaultdict(list)
    for post, statement in told:
        if post.provider is PRACTICE:
            late = microseconds(statement["timestamp"]) > UNTIL - 10 * 24 * HOUR
            early = microseconds(statement["timestamp"]) < UNTIL - 50 * 24 * HOUR
            if late or early:
                right[kinds[identifier(statement["actor"])], late].append(statement["result"]["success"])
    rate = {key: sum(found) / len(found) for key, found in right.items()}
    assert rate[Trajectory.STRUGGLING, True] < rate[Trajectory.STRUGGLING, False] - 0.25
    assert rate[Trajectory.STEADY, True] > rate[Trajectory.STEADY, False] - 0.05


def test_a_tablet_class_posts_two_days_late_and_a_provider_was_off_line_for_an_hour(
    told: list[tuple[Post, dict[str, Any]]],
):
    delays = defaultdict(list)
    for post, statement in told:
        delays[post.provider.provider_id].append(post.at - microseconds(statement["timestamp"]))
    assert any(abs(delay - 48 * HOUR) < HOUR for delay in delays["practice"])
    assert any(10 * 60_000_000 < delay <= HOUR + 2 * 60_000_000 for delay in delays["practice"])
    assert all(delay <= 48 * HOUR + 1_000_000 for found in delays.values() for delay in found)


def test_each_class_hands_in_a_project_as_a_group_each_week(told: list[tuple[Post, dict[str, Any]]]):
    groups = [statement for _, statement in told if statement["actor"].get("objectType") == "Group"]
    assert len(groups) > 100
    assert all(1 <= len(group["actor"]["member"]) <= 4 for group in groups)


def test_expected_work_is_handed_in_by_nearly_all_and_missed_or_late_by_those_who_slip(larger):
    district, told = larger
    expected = {item.activity_id: item for item in line_items(district, TODAY) if item.kind == "work"}
    owner = {identifier(s.actors["lms"]): s for s in district.students}
    handed_in: dict[tuple[str, str], date] = {}
    for _, statement in told:
        if statement["verb"]["id"].endswith("turned-in") and statement["object"]["id"] in expected:
            key = owner[identifier(statement["actor"])].student_id, statement["object"]["id"]
            handed_in[key] = local_day(statement)
    missing, late = defaultdict(list), defaultdict(list)
    for student in district.students:
        for item in expected.values():
            if item.section_id in student.sections.values() and item.due_on >= TODAY - timedelta(days=21):
                done = handed_in.get((student.student_id, item.activity_id))
                missing[student.traits.trajectory].append(done is None)
                late[student.traits.trajectory].append(done is not None and done > item.due_on)

    def share(of: dict[Trajectory, list[bool]], trajectory: Trajectory) -> float:
        return sum(of[trajectory]) / len(of[trajectory])

    assert share(missing, Trajectory.FADING) > 0.5
    assert share(late, Trajectory.STRUGGLING) > 0.1
    for trajectory in (Trajectory.STEADY, Trajectory.SLOW_STEADY):
        assert share(missing, trajectory) < 0.1
        assert share(late, trajectory) < 0.05


def test_marks_fall_with_those_who_slip_and_the_slow_but_steady_pass(larger):
    district, told = larger
    marks = {item.activity_id: item for item in line_items(district, TODAY) if item.kind == "mark"}
    owner = {identifier(s.actors["sis"]): s for s in district.students}
    given = defaultdict(list)
    for _, statement in told:
        if item := marks.get(statement["object"]["id"]):
            trajectory = owner[identifier(statement["actor"])].traits.trajectory
            assert local_day(statement) > item.due_on
            given[trajectory, item.term].append(statement["result"]["score"]["scaled"])
    mean = {key: sum(found) / len(found) for key, found in given.items()}
    assert {term for _, term in mean} == {"period 1", "period 2", "period 3"}
    for slipping in (Trajectory.FADING, Trajectory.STRUGGLING):
        assert mean[slipping, "period 3"] < mean[slipping, "period 1"] - 0.12
    assert min(mean[Trajectory.SLOW_STEADY, term] for term in ("period 1", "period 2", "period 3")) > 0.7


def test_incidents_are_reported_of_few_who_do_not_slip(larger):
    district, told = larger
    owner = {identifier(s.actors["sis"]): s.traits.trajectory for s in district.students}
    reported = [s for _, s in told if s["verb"]["id"].endswith("/reported")]
    slipping = [s for s in reported if "steady" not in owner[identifier(s["actor"])]]
    assert len(slipping) > 2 * (len(reported) - len(slipping))
    assert {s["context"]["extensions"][BEHAVIOR] for s in reported} == {"suspension", "incident"}


def test_a_provider_is_silent_at_one_school_for_a_week(larger):
    district, told = larger
    school = {identifier(s.actors["practice"]): s.school_id for s in district.students}
    days = defaultdict(set)
    for post, statement in told:
        if post.provider is SILENT:
            days[school[identifier(statement["actor"])]].add(school_days(START, local_day(statement)))
    assert set(range(60)) - days["school-3"] == {30, 31, 32, 33, 34}
    assert days["school-1"] == days["school-2"] == set(range(60))


def test_names_stand_in_agents_alone(district: District, told: list[tuple[Post, dict[str, Any]]]):
    people = [(s.given_name, s.family_name) for s in district.students] + [m.name.split(" ") for m in district.staff]
    names = {name.lower() for person in people for name in person}
    texts = set()
    for _, statement in told:
        rest = statement | {"actor": None, "context": statement.get("context", {}) | {"instructor": None}}
        texts.add(json.dumps(rest | {"id": "", "timestamp": ""}).lower())
    text = "\n".join(texts)
    assert [name for name in names if name in text] == []


def test_every_invalid_statement_is_refused(district: District):
    rng = chance("faults")
    rules: set[str] = set()
    for _ in range(60):
        provider = rng.choice(PROVIDERS)
        faults = faults_of([invalid(rng, district.students[0], provider, uuid4_of(rng), UNTIL)], provider.version)
        assert faults
        rules.update(fault.rule for fault in faults)
    assert len(rules) >= 5


def live_traffic(district: District, seconds: int, rate: int) -> list[tuple[int, Post]]:
    live = Live(district, start=UNTIL, day=60)
    return [
        (now, post) for now in range(UNTIL, UNTIL + seconds * 1_000_000, 1_000_000) for post in live.tick(now, rate)
    ]


def test_live_traffic_keeps_its_rate_and_the_rules_and_never_tells_the_future(district: District):
    traffic = live_traffic(district, 600, 5)
    assert 3000 <= len(traffic) <= 3300
    for provider in PROVIDERS:
        own = [json.loads(post.body) for _, post in traffic if post.provider is provider]
        assert own
        assert faults_of(own, provider.version) == []
    assert all(microseconds(json.loads(post.body)["timestamp"]) <= now for now, post in traffic)
    assert len({post.statement_id for _, post in traffic}) == len(traffic)


def test_the_silence_of_the_fading_is_not_filled_by_live_traffic(district: District):
    faded = {
        identifier(actor)
        for student in district.students
        if student.traits.trajectory is Trajectory.FADING
        for actor in student.actors.values()
    }
    assert faded
    assert not [p for _, p in live_traffic(district, 120, 5) if identifier(json.loads(p.body)["actor"]) in faded]


def test_a_provider_that_was_away_posts_what_happened_meanwhile_when_it_is_back(district: District):
    traffic = live_traffic(district, 1000, 5)
    live = Live(district, start=UNTIL, day=60)
    away = [second for second in range(1000) if live.away(UNTIL + second * 1_000_000) is PRACTICE]
    assert len(away) == 180
    during = [
        now
        for now, post in traffic
        if post.provider is PRACTICE and now - UNTIL in range(away[0] * 10**6, away[-1] * 10**6)
    ]
    back = UNTIL + (away[-1] + 1) * 1_000_000
    burst = [post for now, post in traffic if post.provider is PRACTICE and now == back]
    assert during == []
    assert len(burst) > 100


def test_live_traffic_follows_the_day_and_is_never_silent():
    assert share_of_rate(10) == 1.0
    assert all(share_of_rate(hour) >= 0.5 for hour in range(24))
