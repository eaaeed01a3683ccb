"""The sample district: the same for the same seed, and fit to be a district."""

from collections import Counter
from datetime import date

from infra.dev.simulation.content import PROVIDERS, alignments
from infra.dev.simulation.district import build
from infra.dev.simulation.people import identifier
from infra.dev.simulation.school_calendar import day_of, days_between, first_day
from infra.dev.simulation.skills import SKILLS
from infra.dev.simulation.traits import Trajectory
from schemas import verbs

START = date(2026, 8, 26)
DISTRICT = build(7, size=240, start=START)


def test_the_same_seed_gives_the_same_district_and_another_seed_another():
    assert build(7, size=240, start=START) == DISTRICT
    assert build(8, size=240, start=START).students[0] != DISTRICT.students[0]


def test_a_district_has_as_many_students_as_asked_in_three_schools_and_grades_6_to_12():
    assert len(DISTRICT.students) == 240
    assert {student.grade for student in DISTRICT.students} == set(range(6, 13))
    assert set(Counter(student.school_id for student in DISTRICT.students).values()) == {80}


def test_no_section_is_larger_than_a_class_and_each_has_a_teacher():
    large = build(7, size=1000, start=START)
    seats = Counter(section for student in large.students for section in student.sections.values())
    taught = {scope[1] for member in large.staff if member.role == "teacher" for scope in member.scopes}

    assert max(seats.values()) <= 28
    assert set(seats) == {section.section_id for section in large.sections} == taught


def test_a_student_is_known_to_each_provider_by_another_identifier():
    for student in DISTRICT.students:
        assert len({identifier(actor) for actor in student.actors.values()}) == len(PROVIDERS)
    kinds = {identifier(actor)[0] for actor in DISTRICT.students[0].actors.values()}
    assert kinds == {"mbox", "mbox_sha1sum", "openid", "account"}


def test_identifiers_belong_to_one_person_and_the_roster_misses_only_a_few():
    known = {(identity.kind, identity.value) for identity in DISTRICT.identities}
    sent = {identifier(actor) for student in DISTRICT.students for actor in student.actors.values()}

    assert len(known) == len(DISTRICT.identities)
    assert len(sent) == len(DISTRICT.students) * len(PROVIDERS)
    assert len(sent - known) == 3


def test_no_id_tells_a_name():
    names = {name.lower() for student in DISTRICT.students for name in (student.given_name, student.family_name)}
    ids = {
        *(student.student_id for student in DISTRICT.students),
        *(student.registration for student in DISTRICT.students),
        *(member.staff_id for member in DISTRICT.staff),
        *(section.section_id for section in DISTRICT.sections),
        *(school.school_id for school in DISTRICT.schools),
        *(alignment.activity_id for alignment in alignments()),
    }
    assert not [(name, one) for one in ids for name in names if name in one.lower()]


def test_every_student_is_watched_by_a_counselor_and_every_provider_has_a_contact():
    scopes = {scope for member in DISTRICT.staff if member.role == "counselor" for scope in member.scopes}
    for student in DISTRICT.students:
        assert scopes & {
            ("school", student.school_id),
            ("grade", f"{student.school_id}/{student.grade}"),
            ("caseload", student.student_id),
        }
    contacts = {scope[1] for member in DISTRICT.staff if member.role == "provider" for scope in member.scopes}
    assert contacts == {provider.provider_id for provider in PROVIDERS}
    assert len({member.email for member in DISTRICT.staff}) == len(DISTRICT.staff)


def test_most_students_are_steady_and_every_other_trajectory_occurs():
    counts = Counter(student.traits.trajectory for student in DISTRICT.students)
    assert set(counts) == set(Trajectory)
    assert counts[Trajectory.STEADY] > 120


def test_a_skill_builds_only_on_skills_before_it_so_there_is_no_cycle():
    before: set[str] = set()
    for skill in SKILLS:
        assert set(skill.requires) <= before
        before.add(skill.code)
    assert len(before) == len(SKILLS) == 40


def test_providers_map_their_own_verbs_to_canonical_ones():
    assert all(verb in verbs.ALL for provider in PROVIDERS for verb in provider.verbs.values())


def test_school_is_held_on_weekdays_that_are_no_holidays():
    assert day_of(date(2026, 11, 20)).in_session
    assert day_of(date(2026, 11, 21)).label == "Weekend"
    assert day_of(date(2026, 11, 26)).label == "Thanksgiving"
    assert day_of(date(2026, 9, 7)).label == "Labor Day"
    assert day_of(date(2027, 5, 31)).label == "Memorial Day"


def test_sixty_school_days_are_held_before_any_day_of_the_year():
    for day in days_between(date(2026, 1, 1), date(2027, 1, 1)):
        start = first_day(day.day, 60)
        assert day_of(start).in_session
        assert sum(one.in_session for one in days_between(start, day.day)) - day.in_session == 60
