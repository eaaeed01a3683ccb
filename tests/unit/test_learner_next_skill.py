"""What to learn next, over graphs of prerequisites."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.learner.next_skill import CycleError, Standing, below, depths, next_skill
from streams.learner.words import ONCE_MASTERED, Word

GRAPH = {
    "unit rate": ["ratio"],
    "percent": ["unit rate"],
    "slope": ["unit rate", "equations"],
    "equations": ["expressions"],
}
SCOPE = ["unit rate", "percent", "slope", "equations", "expressions"]


def standing(word: Word, chance: float = 0.5) -> Standing:
    return Standing(word, chance)


def everything(word: Word) -> dict[str, Standing]:
    return {skill: standing(word) for skill in ["ratio", *SCOPE]}


def test_the_weakest_skill_whose_prerequisites_are_met_is_next():
    known = {
        "ratio": standing(Word.MASTERED), "unit rate": standing(Word.NEARLY, 0.6),
        "expressions": standing(Word.EMERGING, 0.4), "equations": standing(Word.EMERGING, 0.1),
    }  # fmt: skip
    found = next_skill(GRAPH, known, SCOPE)
    assert found.skill == "expressions"
    assert found.leads_to == ("equations", "slope")


def test_what_is_blocked_says_the_way_down_to_what_is_missing_first():
    found = next_skill(GRAPH, {"expressions": standing(Word.EMERGING, 0.4)}, SCOPE)
    assert found.blocked["slope"] == ("slope", "equations", "expressions")
    assert found.blocked["percent"] == ("percent", "unit rate")


def test_a_prerequisite_from_outside_with_evidence_of_weakness_comes_first():
    found = next_skill(GRAPH, {"ratio": standing(Word.EMERGING, 0.3), "unit rate": standing(Word.EMERGING, 0.2)}, SCOPE)
    assert found.skill == "ratio"
    assert found.blocked["unit rate"] == ("unit rate", "ratio")


def test_a_prerequisite_from_outside_without_evidence_blocks_nothing_and_is_named():
    found = next_skill(GRAPH, {"unit rate": standing(Word.EMERGING, 0.2)}, SCOPE)
    assert (found.skill, found.unknown) == ("unit rate", ("ratio",))


def test_who_masters_what_builds_on_a_skill_is_taken_to_meet_it():
    found = next_skill(GRAPH, {"percent": standing(Word.MASTERED), "equations": standing(Word.MASTERED)}, SCOPE)
    assert found.skill == "slope"
    assert found.unknown == ()


def test_what_was_tried_comes_before_what_never_was():
    found = next_skill(GRAPH, {"expressions": standing(Word.NEARLY, 0.69)}, SCOPE)
    assert found.skill == "expressions"


def test_ties_fall_to_what_stands_lower_in_the_graph_and_then_to_the_code():
    graph = {"b": ["a"], "d": []}
    assert next_skill(graph, {k: standing(Word.EMERGING) for k in "abd"}, "abd").skill == "a"
    assert next_skill({}, {k: standing(Word.EMERGING) for k in "yx"}, "yx").skill == "x"


def test_a_student_without_evidence_has_no_next_skill_and_that_is_said():
    found = next_skill(GRAPH, {}, SCOPE)
    assert (found.skill, found.evidence) == (None, False)


def test_when_all_is_mastered_nothing_is_next_and_what_faded_comes_before_nothing():
    done = everything(Word.MASTERED)
    found = next_skill(GRAPH, done, SCOPE)
    assert (found.skill, found.evidence, found.blocked) == (None, True, {})
    assert next_skill(GRAPH, done | {"percent": standing(Word.REFRESH)}, SCOPE).skill == "percent"


def test_what_faded_meets_what_builds_on_it_and_waits_until_nothing_else_is_open():
    known = everything(Word.MASTERED) | {"equations": standing(Word.REFRESH, 0.1), "slope": standing(Word.NEARLY)}
    assert next_skill(GRAPH, known, SCOPE).skill == "slope"


def test_a_cycle_is_refused_with_its_path():
    with pytest.raises(CycleError) as refused:
        depths({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    assert refused.value.path == ("a", "b", "c", "a")


def test_a_chain_deeper_than_python_calls_is_measured():
    chain = {str(n + 1): [str(n)] for n in range(5_000)}
    assert depths(chain)["5000"] == 5_000


@given(st.data())
def test_what_is_next_is_open_and_what_is_blocked_ends_at_something_open(data):
    skills = [f"s{n}" for n in range(8)]
    graph = {s: data.draw(st.lists(st.sampled_from(skills[:n]), unique=True)) for n, s in enumerate(skills) if n}
    words = st.sampled_from([word for word in Word if word is not Word.NOT_STARTED])
    known = data.draw(st.dictionaries(st.sampled_from(skills), st.builds(Standing, words, st.floats(0, 1))))
    found = next_skill(graph, known, data.draw(st.lists(st.sampled_from(skills), unique=True)))
    assert found.skill not in found.blocked
    for skill, path in found.blocked.items():
        assert path[0] == skill
        assert path[-1] not in found.blocked
        assert all(lower in graph[upper] for upper, lower in pairwise(path))
    mastered = {skill for skill, one in known.items() if one.word in ONCE_MASTERED}
    if found.skill is not None and found.skill not in mastered:
        implied = mastered.union(*(below(graph, one) for one in mastered))
        assert all(needed in implied or needed not in known for needed in graph.get(found.skill, ()))
