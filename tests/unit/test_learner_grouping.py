"""Groups of a class by next skill."""

from __future__ import annotations

from streams.learner.grouping import groups, steps
from streams.learner.next_skill import NOTHING, Next, Standing
from streams.learner.words import Word

GRAPH = {"percent": ["unit rate"], "unit rate": ["ratio"], "slope": ["percent", "equations"], "equations": ["ratio"]}


def on(skill: str, chance: float = 0.5, *, unknown: tuple[str, ...] = (), leads_to: tuple[str, ...] = ()) -> Next:
    return Next(skill, Standing(Word.EMERGING, chance), leads_to, unknown, {}, True)


def test_students_with_the_same_next_skill_are_a_group_the_largest_first():
    found = groups(
        {"ada": on("ratio"), "ben": on("percent"), "cleo": on("ratio"), "dan": on("percent"), "eva": on("ratio")}
    )
    assert [(group.skill, len(group.members)) for group in found] == [("ratio", 3), ("percent", 2)]


def test_the_weakest_comes_first_and_who_never_tried_comes_last():
    never = Next("ratio", NOTHING, (), (), {}, True)
    (group,) = groups({"ada": on("ratio", 0.6), "ben": on("ratio", 0.2), "cleo": never})
    assert group.members == ("ben", "ada", "cleo")


def test_who_has_no_next_skill_is_in_no_group():
    assert groups({"ada": Next(None, NOTHING, (), (), {}, False)}) == []


def test_a_group_tells_for_how_many_a_prerequisite_is_unknown_and_what_waits():
    (group,) = groups(
        {
            "ada": on("unit rate", unknown=("ratio",), leads_to=("percent", "slope")),
            "ben": on("unit rate", leads_to=("percent",)),
        }
    )
    assert group.unknown == (("ratio", 1),)
    assert group.leads_to == (("percent", 2), ("slope", 1))


def test_the_way_between_two_skills_is_the_shortest_and_has_a_direction():
    assert steps(GRAPH, "ratio", "slope") == ("ratio", "equations", "slope")
    assert steps(GRAPH, "unit rate", "slope") == ("unit rate", "percent", "slope")
    assert steps(GRAPH, "slope", "ratio") == ()
    assert steps(GRAPH, "equations", "percent") == ()
