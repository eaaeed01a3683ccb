"""Parts of the door that need no server: matching, catalogue, limits, minutes, consistency, cursors."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.catalogue import Catalogue
from ingest.errors import retry_after
from ingest.identity.matching import identifier
from ingest.limits import RateLimit
from ingest.minutes import MINUTE_US, REJECTIONS_A_MINUTE, Minutes, masked
from ingest.progress import PartitionProgress, consistent_through
from ingest.reading import Filter, cursor, from_cursor
from ingest.slots import take_slot
from ingest.xapi.agents import exact
from ingest.xapi.faults import Fault

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ({"mbox": "mailto:a@example.org", "name": "A"}, ("mbox", "mailto:a@example.org")),
        ({"mbox_sha1sum": "AB" * 20}, ("mbox_sha1sum", "ab" * 20)),
        ({"openid": "https://id.example.org/a"}, ("openid", "https://id.example.org/a")),
        (
            {"account": {"homePage": "https://s.example", "name": "7 b"}, "objectType": "Group"},
            ("account", "https://s.example 7 b"),
        ),
    ],
)
def test_an_agent_is_recognised_by_its_identifier(agent: dict[str, object], expected: tuple[str, str]) -> None:
    assert identifier(agent, exact(agent)) == expected


def test_an_anonymous_group_is_recognised_by_its_content() -> None:
    one = {"objectType": "Group", "member": ["a.1", "b.1"]}
    same = {"member": ["a.1", "b.1"], "objectType": "Group"}
    other = {"objectType": "Group", "member": ["a.1"]}
    assert identifier(one, exact(one)) == identifier(same, exact(same)) != identifier(other, exact(other))
    assert identifier(one, exact(one))[0] == "anonymous_group"


def test_a_verb_is_the_providers_own_before_everybodys() -> None:
    adl = "http://adlnet.gov/expapi/verbs/passed"
    catalogue = Catalogue({"p": {"https://p.example/did": "answered", adl: "completed"}}, {}, frozenset())
    assert catalogue.verb("p", "https://p.example/did") == "answered"
    assert catalogue.verb("p", adl) == "completed"
    assert catalogue.verb("q", adl) == "passed"
    assert catalogue.verb("q", "https://p.example/did") == "other"


def test_skills_are_the_providers_alignment_then_everybodys_then_those_the_statement_names() -> None:
    catalogue = Catalogue(
        {}, {"p": {"https://a": ["own"]}, "": {"https://a": ["all"], "https://b": ["all"]}}, frozenset({"urn:skill:1"})
    )

    def skills(activity: str, provider: str = "p", *named: str) -> list[str]:
        return catalogue.skills_of(provider, activity, named)

    assert skills("https://a") == ["own"]
    assert skills("https://a", "q") == ["all"]
    assert skills("https://b") == ["all"]
    assert skills("https://c", "p", "urn:skill:1", "urn:skill:2", "urn:skill:1") == ["urn:skill:1"]
    assert skills("https://c") == []
    assert skills("", "p", "urn:skill:1") == []


def test_a_rate_gives_a_burst_and_then_a_wait() -> None:
    limit = RateLimit(10.0, 100)
    assert limit.take("p", 100, now=0.0) == 0.0
    assert limit.take("p", 10, now=0.0) == pytest.approx(1.0)
    assert limit.take("q", 10, now=0.0) == 0.0
    assert limit.take("p", 10, now=1.0) == 0.0
    assert limit.take("p", 1, now=1.0) > 0.0


def test_more_than_a_burst_passes_a_full_bucket_and_is_paid_for_later() -> None:
    limit = RateLimit(10.0, 100)
    assert limit.take("p", 150, now=0.0) == 0.0
    assert limit.take("p", 1, now=5.0) == pytest.approx(0.1)


def test_a_rate_of_zero_limits_nothing() -> None:
    assert RateLimit(0.0, 1).take("p", 10**9, now=0.0) == 0.0


def test_retry_after_is_whole_seconds_and_at_least_one() -> None:
    assert retry_after(503, "x", 0.2).headers == ((b"retry-after", b"1"),)
    assert retry_after(503, "x", 2.1).headers == ((b"retry-after", b"3"),)


def test_counts_go_to_the_minute_of_stored_and_of_the_answer() -> None:
    minutes = Minutes("i-1")
    minutes.accepted("p", MINUTE_US - 1, 50)
    minutes.answered("p", MINUTE_US + 1, duration_us=3000)
    minutes.answered("p", MINUTE_US + 2, duration_us=20_000_000, rejected=7)
    [first, second], _ = minutes.take(MINUTE_US)
    assert (first.minute, first.accepted, first.requests) == (0, 50, 0)
    assert (second.minute, second.accepted, second.requests, second.rejected) == (MINUTE_US, 0, 2, 7)
    assert second.latency_us == 20_003_000
    assert second.latency_buckets[2] == second.latency_buckets[-1] == 1


def test_counts_are_cumulative_and_taken_only_when_they_changed() -> None:
    minutes = Minutes("i-1")
    minutes.accepted("p", 0, 1)
    minutes.take(0)
    assert minutes.take(0) == ([], [])
    minutes.accepted("p", 1, 2)
    [row], _ = minutes.take(0)
    assert row.accepted == 3


def test_counts_that_could_not_be_published_are_due_again() -> None:
    minutes = Minutes("i-1")
    minutes.accepted("p", 0, 1)
    fault = Fault("iri", "s", "$", "m", "f")
    minutes.refused("p", 0, "r", 400, [fault])
    taken = minutes.take(0)
    minutes.give_back(*taken)
    assert minutes.take(0) == taken


def test_long_past_minutes_are_forgotten() -> None:
    minutes = Minutes("i-1")
    minutes.accepted("p", 0, 5)
    minutes.take(0)
    minutes.take(60 * MINUTE_US)
    minutes.accepted("p", 0, 1)
    [row], _ = minutes.take(60 * MINUTE_US)
    assert row.accepted == 1


def test_rejections_are_bounded_by_provider_and_minute_and_carry_no_address() -> None:
    minutes = Minutes("i-1")
    fault = Fault("property.unknown", "s", "$['ada@example.org']", "no 'ada@example.org' here", "f", "x@y")
    for _ in range(REJECTIONS_A_MINUTE + 5):
        minutes.refused("p", 0, "r", 400, [fault])
    minutes.refused("p", MINUTE_US, "r", 400, [fault])
    _, rejections = minutes.take(0)
    assert len(rejections) == REJECTIONS_A_MINUTE + 1
    assert "ada" not in str(rejections[0])
    assert masked("no 'ada@example.org' here") == "no '…' here"


def progress(offset: int, end: int, stored: int, checked: int) -> PartitionProgress:
    return PartitionProgress(offset, end, stored, checked)


def test_consistency_follows_the_slowest_partition_and_the_clock_where_all_is_written() -> None:
    idle = progress(9, 9, 10 * SECOND, 100 * SECOND)
    behind = progress(4, 9, 50 * SECOND, 100 * SECOND)
    assert consistent_through({0: idle, 1: idle}, 2, SECOND) == 99 * SECOND
    assert consistent_through({0: idle, 1: behind}, 2, SECOND) == 49 * SECOND


def test_nothing_is_vouched_for_before_every_partition_is_known() -> None:
    idle = progress(9, 9, 10 * SECOND, 100 * SECOND)
    assert consistent_through({0: idle}, 2, 0) == 0
    assert consistent_through({}, 2, 0) == 0
    assert consistent_through({0: progress(-1, -1, 0, 0)}, 1, SECOND) == 0


def test_a_cursor_carries_the_whole_filter() -> None:
    wanted = Filter(limit=5, verb="https://v", since=7, after=(9, "id"), ascending=True)
    assert from_cursor(cursor(wanted)) == wanted


@pytest.mark.parametrize("text", ["", "!", "abc", "eyJsaW1pdCI6ImEifQ", "é"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no cursor"):
        from_cursor(text)


def test_a_slot_keeps_its_name_and_is_taken_once(tmp_path: Path) -> None:
    first, second = take_slot(tmp_path), take_slot(tmp_path)
    assert first.name != second.name
    first.lock.close()
    again = take_slot(tmp_path)
    assert again.name == first.name
    second.lock.close()
    again.lock.close()
