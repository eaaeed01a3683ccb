"""What finders decide, without servers: voided statements, copies, moved identities; what goes into the log once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from schemas.events import CREDIT, REMOVAL, TIMESTAMP_GENERATED, Item, Removal
from streams.corrections import copies, links, voids
from streams.corrections.facts import Void
from streams.corrections.items import Acted, Body, Correction, Key, Removed, Standing, credit, removal
from streams.corrections.outbox import Lately, Outbox
from streams.corrections.people import Move, People

NOW = 1_790_000_000_000_000
X, Y, Z = (f"{n}0000000-0000-4000-8000-000000000000" for n in "123")
S, V = "a0000000-0000-4000-8000-000000000000", "b0000000-0000-4000-8000-000000000000"
HERE = Removed("voided", restored=False)
BACK = Removed("unlinked", restored=True)


def row(
    student: str = X, *, at: int = 10, stored: int = 20, digest: int = 7, provider: str = "p", verb: str = "answered",
    credited: bool = False, offset: int = 5, generation: int = 1,
) -> Standing:  # fmt: skip
    return Standing(Key(student, at, S), stored, provider, digest, generation, 0, offset, 0, credited, verb)


def told(found: Sequence[Correction]) -> list[tuple[str, str]]:
    return [(one.item.student_id, one.reason) for one in found]


def test_a_removal_says_where_the_row_of_the_statement_stands() -> None:
    made = removal(row(credited=True), "voided", V, NOW)
    assert (made.item.flags, made.item.stored, made.item.timestamp) == (REMOVAL, NOW, 10)
    assert not made.item.primary
    assert msgspec.json.decode(made.item.statement, type=Removal) == Removal("voided", V, 20, True, 0, 5, 0)


def test_a_credit_carries_the_statement_as_it_was_accepted() -> None:
    made = credit(row(), Body(["a"], b"{}"), Y, "link").item
    assert (made.student_id, made.flags, made.stored, made.digest, made.skills) == (Y, CREDIT, 20, 7, ["a"])
    generated = credit(row(at=20), Body([], b"{}"), Y, "link").item
    assert generated.flags == CREDIT | TIMESTAMP_GENERATED


def test_a_voided_statement_is_taken_from_everybody_it_is_credited_to() -> None:
    decided = voids.decide([Void(V, "p", S)], [row(X), row(Y, credited=True)], {}, NOW)
    assert told(decided.corrections) == [(X, "voided"), (Y, "voided")]
    assert not decided.waiting
    again = voids.decide([Void(V, "p", S)], [row(X), row(Y, credited=True)], {Key(X, 10, S): HERE}, NOW)
    assert told(again.corrections) == [(Y, "voided")]


def test_a_voided_statement_that_was_put_back_is_taken_out_again() -> None:
    decided = voids.decide([Void(V, "p", S)], [row(X)], {Key(X, 10, S): BACK}, NOW)
    assert told(decided.corrections) == [(X, "voided")]


def test_a_voiding_that_comes_first_waits_also_while_only_a_members_credit_is_there() -> None:
    void = Void(V, "p", S)
    assert voids.decide([void], [], {}, NOW).waiting == [void]
    assert voids.decide([void], [row(Y, credited=True)], {}, NOW).waiting == [void]


def test_nobody_voids_what_another_provider_sent_nor_a_voiding_statement() -> None:
    other = voids.decide([Void(V, "q", S)], [row(X)], {}, NOW)
    assert (other.corrections, other.waiting, other.refused[0][1]) == ([], [], voids.OTHER_PROVIDER)
    voiding = voids.decide([Void(V, "p", S)], [row(X, verb="voided")], {}, NOW)
    assert (voiding.corrections, voiding.waiting, voiding.refused[0][1]) == ([], [], voids.VOIDING_STATEMENT)


def test_of_one_id_the_first_that_was_stored_stays() -> None:
    rows = [row(Y, stored=30, digest=8), row(X, stored=20), row(Z, stored=30, digest=8, credited=True)]
    found = copies.decide(rows, {}, 1, NOW, NOW)
    assert sorted(told(found)) == [(Y, "conflict"), (Z, "conflict")]
    assert {one.cause for one in found} == {"1/0/5/0"}


def test_the_same_content_at_another_time_is_a_duplicate() -> None:
    assert told(copies.decide([row(X), row(X, at=11, stored=30)], {}, 1, NOW, NOW)) == [(X, "duplicate")]


def test_members_of_a_group_share_an_id_and_are_no_copies() -> None:
    assert copies.decide([row(X), row(Y, credited=True)], {}, 1, NOW, NOW) == []


def test_the_same_content_under_two_students_is_left_to_the_links() -> None:
    apart = [row(X), row(Y, stored=30)]
    assert copies.decide(apart, {}, 1, NOW, NOW) == []


def test_what_stands_twice_in_one_place_of_a_record_is_one_statement_and_stays() -> None:
    """To take out one of the two would take out the place."""
    moved_on = [row(X), row(Y, stored=30), row(Y, credited=True)]
    assert copies.decide(moved_on, {Key(X, 10, S): Removed("unlinked", restored=False)}, 1, NOW, NOW) == []
    moved_back = [row(X), row(Y, stored=30), row(X, stored=30, credited=True)]
    assert copies.decide(moved_back, {Key(Y, 10, S): Removed("unlinked", restored=False)}, 1, NOW, NOW) == []


def test_the_members_of_a_copy_follow_when_their_statements_own_row_is_out_already() -> None:
    rows = [row(X), row(Z, stored=30, digest=8, credited=True)]
    assert copies.decide(rows, {}, 1, 29, NOW) == []
    assert told(copies.decide(rows, {}, 1, 30, NOW)) == [(Z, "conflict")]


def test_credits_alone_are_not_the_first_whatever_the_clocks_of_ingest_say() -> None:
    """Their own row came second in its partition, or it would stand."""
    rows = [row(Z, stored=10, digest=8, credited=True), row(X), row(Y, credited=True)]
    assert told(copies.decide(rows, {}, 1, NOW, NOW)) == [(Z, "conflict")]
    again = [row(Y, at=11, stored=10, credited=True), row(X), row(Y, credited=True)]
    [found] = copies.decide(again, {}, 1, NOW, NOW)
    assert (found.name[0], found.reason) == (Key(Y, 11, S), "duplicate")


def test_what_is_out_already_or_of_an_earlier_generation_is_left_alone() -> None:
    rows = [row(X), row(Y, stored=30, digest=8)]
    assert copies.decide(rows, {Key(Y, 10, S): Removed("conflict", restored=False)}, 1, NOW, NOW) == []
    assert copies.decide(rows, {}, 2, NOW, NOW) == []


def test_a_copy_of_what_was_voided_is_a_copy_all_the_same() -> None:
    assert told(copies.decide([row(X), row(X, at=11, stored=30)], {Key(X, 10, S): HERE}, 1, NOW, NOW)) == [
        (X, "duplicate")
    ]


def test_a_copy_that_was_voided_before_it_was_found_is_a_copy_all_the_same() -> None:
    both = {Key(X, 10, S): HERE, Key(Y, 10, S): HERE, Key(X, 11, S): HERE}
    assert told(copies.decide([row(X), row(Y, stored=30, digest=8)], both, 1, NOW, NOW)) == [(Y, "conflict")]
    assert told(copies.decide([row(X), row(X, at=11, stored=30)], both, 1, NOW, NOW)) == [(X, "duplicate")]


def test_what_its_provider_voids_is_not_moved_on_and_a_voiding_statement_cannot_be_voided() -> None:
    def planned(one: Standing) -> links.Planned:
        return links.Planned(one, Y, "link")

    some = [planned(row()), planned(row(provider="q")), planned(row(verb="voided"))]
    assert links.without_voided(some, [Void(V, "p", S)]) == some[1:]


def people_with(*moves: tuple[str, str], groups: dict[str, list[str]] | None = None) -> People:
    """Identity i was moved along; j is student Z."""
    known = People({"i": moves[-1][1], "j": Z}, groups or {})
    known.moves["i"] = [Move(f"link-{n}", "i", a, b, n) for n, (a, b) in enumerate(moves)]
    return known


def moved(
    rows: list[tuple[Standing, str]], credits: list[Standing], removed: dict[Key, Removed], known: People
) -> list[tuple[str, str, str]]:
    removals, planned = links.decide([Acted(*one) for one in rows], credits, removed, known, NOW)
    found = [(one.item.student_id, one.reason, one.cause) for one in removals]
    return found + [(one.student_id, "credited", one.cause) for one in planned]


def test_what_an_identity_did_goes_to_its_new_student() -> None:
    assert moved([(row(X), "i.1")], [], {}, people_with((X, Y))) == [
        (X, "unlinked", "link-0"),
        (Y, "credited", "link-0"),
    ]


def test_what_was_moved_is_not_moved_again_and_goes_back_with_the_link() -> None:
    out, there = {Key(X, 10, S): Removed("unlinked", restored=False)}, row(Y, credited=True)
    assert moved([(row(X), "i.1")], [there], out, people_with((X, Y))) == []
    back = moved([(row(X), "i.1")], [there], out, people_with((X, Y), (Y, X)))
    assert back == [(Y, "unlinked", "link-1"), (X, "credited", "link-1")]


def test_half_of_a_move_is_completed() -> None:
    out = {Key(X, 10, S): Removed("unlinked", restored=False)}
    assert moved([(row(X), "i.1")], [], out, people_with((X, Y))) == [(Y, "credited", "link-0")]
    both = [row(Y, credited=True)]
    assert moved([(row(X), "i.1")], both, {}, people_with((X, Y))) == [(X, "unlinked", "link-0")]


def test_what_is_void_or_a_copy_is_credited_to_nobody() -> None:
    for reason in ("voided", "duplicate", "conflict"):
        out = {Key(X, 10, S): Removed(reason, restored=False)}
        assert moved([(row(X), "i.1")], [], out, people_with((X, Y))) == []


def test_of_a_groups_statement_only_the_moved_members_share_moves() -> None:
    known = people_with((X, Y), groups={"g.1": ["i", "j"]})
    found = moved([(row(X), "g.1")], [row(Z, credited=True)], {}, known)
    assert found == [(X, "unlinked", "link-0"), (Y, "credited", "link-0")]
    first = moved([(row(Z), "g.1")], [row(X, credited=True)], {}, known)
    assert first == [(X, "unlinked", "link-0"), (Y, "credited", "link-0")]


def test_a_copy_that_came_while_a_member_was_another_student_leaves_nothing_behind_there() -> None:
    known = people_with((X, Y), (Y, X), groups={"g.1": ["i", "j"]})
    credits = [row(X, credited=True), row(Y, stored=30, credited=True)]
    assert moved([(row(Z), "g.1")], credits, {}, known) == [(Y, "unlinked", "link-1")]


def test_a_student_gets_back_the_own_copy_of_several() -> None:
    out = {Key(X, 10, S): Removed("unlinked", restored=False), Key(Y, 10, S): Removed("unlinked", restored=False)}
    known = people_with((X, Y), (Y, X))
    for own_ones in ([row(X), row(Y, stored=30)], [row(Y, stored=30), row(X)]):
        _, planned = links.decide([Acted(one, "i.1") for one in own_ones], [], out, known, NOW)
        assert [(one.row.key.student_id, one.row.stored, one.student_id) for one in planned] == [(X, 20, X)]


def test_copies_from_before_and_after_a_move_are_one_statement() -> None:
    both = [(row(X), "i.1"), (row(Y, stored=30), "i.1")]
    assert set(moved(both, [], {}, people_with((X, Y)))) == {(X, "unlinked", "link-0")}
    assert set(moved(both, [], {}, people_with((X, Y), (Y, X)))) == {(Y, "unlinked", "link-1")}


def test_a_student_stays_credited_who_is_a_member_in_another_way() -> None:
    known = people_with((X, Z), groups={"g.1": ["i", "j"]})
    assert moved([(row(X), "g.1")], [row(Z, credited=True)], {}, known) == [(X, "unlinked", "link-0")]
    back = people_with((X, Z), (Z, X), groups={"g.1": ["i", "j"]})
    out = {Key(X, 10, S): Removed("unlinked", restored=False)}
    assert moved([(row(X), "g.1")], [row(Z, credited=True)], out, back) == [(X, "credited", "link-1")]


def test_a_correction_is_held_back_until_it_is_written_and_then_goes_again_after_ever_longer_pauses() -> None:
    seconds, sent = [0.0], list[Sequence[Item]]()

    async def publish(items: Sequence[Item]) -> dict[int, int]:
        sent.append(items)
        return {2: len(sent)}

    lately = Lately(lambda: seconds[0])
    outbox = Outbox(publish, lately)
    one, other = removal(row(X), "voided", V, NOW), removal(row(Y), "voided", V, NOW)

    def goes(correction: Correction) -> bool:
        return asyncio.run(outbox.put([correction])) == [correction]

    assert asyncio.run(outbox.put([one, one])) == [one]
    assert asyncio.run(outbox.put([removal(row(X), "voided", V, NOW + 1), other])) == [other]
    seconds[0] = 100.0
    lately.written({1: 9, 2: 0})
    assert not goes(one)
    lately.written({2: 1})
    assert goes(one)
    assert not goes(other)
    pauses = []
    for _ in range(4):
        began = seconds[0]
        lately.written({2: len(sent)})
        while not goes(one):
            seconds[0] += 1.0
        pauses.append(seconds[0] - began)
    assert pauses == [3.0, 5.0, 9.0, 17.0]
    assert {len(items) for items in sent} == {1}


def test_what_was_never_written_goes_into_the_log_again_after_an_hour() -> None:
    seconds = [0.0]

    async def publish(_items: Sequence[Item]) -> dict[int, int]:
        return {0: 5}

    outbox, one = Outbox(publish, Lately(lambda: seconds[0])), removal(row(X), "voided", V, NOW)
    assert asyncio.run(outbox.put([one])) == [one]
    seconds[0] = 3_600.0
    assert asyncio.run(outbox.put([one])) == []
    seconds[0] = 3_601.0
    assert asyncio.run(outbox.put([one])) == [one]


def test_what_kafka_did_not_take_is_put_into_the_log_the_next_time() -> None:
    async def away(_items: Sequence[Item]) -> dict[int, int]:
        raise ConnectionError

    async def there(_items: Sequence[Item]) -> dict[int, int]:
        return {0: 1}

    lately, one = Lately(lambda: 0.0), removal(row(X), "voided", V, NOW)
    with pytest.raises(ConnectionError):
        asyncio.run(Outbox(away, lately).put([one]))
    assert asyncio.run(Outbox(there, lately).put([one])) == [one]
