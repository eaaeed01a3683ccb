"""Measures of predictions and lists: as scikit-learn has them, or as counted by hand."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from schemas.reports import Report, Section, decode, encode
from streams.measures import report
from streams.measures.groups import error_rates, members
from streams.measures.intervals import bootstrap, share
from streams.measures.lists import flagged, lead_time, top
from streams.measures.reliability import ece, reliability
from streams.measures.scores import auc, brier, log_loss, rmse


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Chances with many ties, and outcomes that follow them."""
    chance = np.random.default_rng(7)
    said = np.round(chance.beta(2, 3, size=4000), 2)
    return (chance.random(4000) < said).astype(float), said


def test_the_scores_are_those_of_scikit_learn_also_with_ties(drawn):
    true, said = drawn
    assert auc(true, said) == pytest.approx(roc_auc_score(true, said), abs=1e-12)
    assert log_loss(true, said) == pytest.approx(sklearn_log_loss(true, said), abs=1e-9)
    assert brier(true, said) == pytest.approx(brier_score_loss(true, said), abs=1e-12)
    assert rmse(true, said) == pytest.approx(math.sqrt(brier(true, said)))


def test_equal_scores_for_all_discriminate_nothing_and_one_class_has_no_auc():
    assert auc([1, 0, 1, 0], [0.4] * 4) == 0.5
    assert auc([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]) == 1.0
    assert math.isnan(auc([1, 1], [0.1, 0.2]))


def test_a_certain_prediction_that_is_wrong_costs_much_but_not_everything():
    assert log_loss([1.0], [0.0]) == pytest.approx(-math.log(1e-15))


@pytest.mark.parametrize(
    ("outcomes", "predictions"), [([0, 1], [0.5]), ([0, 2], [0.5, 0.5]), ([0, 1], [0.5, float("nan")])]
)
def test_what_is_no_outcome_or_prediction_is_refused(outcomes, predictions):
    with pytest.raises(ValueError):
        auc(outcomes, predictions)


def test_bins_of_equal_width_are_counted_by_hand():
    found = reliability([0, 0, 1, 1], [0.05, 0.15, 0.15, 1.0], bins=10)
    assert [(one.observed, one.n) for one in found] == [(0.0, 1), (0.5, 2), (1.0, 1)]
    assert [one.predicted for one in found] == pytest.approx([0.05, 0.15, 1.0])
    assert ece([0, 0, 1, 1], [0.05, 0.15, 0.15, 1.0]) == pytest.approx((0.05 + 2 * 0.35 + 0) / 4)


def test_bins_of_equal_count_never_part_equal_predictions_whatever_the_order(drawn):
    true, said = drawn
    found = reliability(true, said, bins=10, by="count")
    order = np.random.default_rng(1).permutation(true.size)
    assert [one.n for one in reliability(true[order], said[order], by="count")] == [one.n for one in found]
    assert sum(one.n for one in found) == true.size
    assert max(one.n for one in found) < 2 * min(one.n for one in found)
    assert len(reliability([0, 1, 1], [0.5, 0.5, 0.5], by="count")) == 1


def test_chances_that_hold_are_calibrated_and_shifted_ones_are_not(drawn):
    true, said = drawn
    assert ece(true, said) < 0.03
    assert ece(true, np.clip(said + 0.2, 0, 1)) == pytest.approx(0.2, abs=0.03)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ece([1], [1.2])


def test_the_top_of_a_list_counts_hits_and_takes_its_part_of_equal_scores():
    outcomes = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    exact = top(outcomes, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 0.2)
    assert (exact.listed, exact.hits, exact.precision.value) == (2, 2, 1.0)
    assert exact.recall.value == pytest.approx(2 / 3)
    tied = top(outcomes, [9, 5, 5, 5, 5, 1, 1, 1, 1, 1], 0.3)
    assert tied.listed == 3
    assert tied.hits == pytest.approx(1 + 2 * 2 / 4)
    assert top(outcomes, range(10), 0.01).listed == 1
    assert top([], [], 0.1).precision is None
    with pytest.raises(ValueError, match="share to list"):
        top(outcomes, range(10), 0)


def test_a_rule_lists_whom_it_flags():
    found = flagged([1, 0, 1, 0], [1, 1, 0, 0])
    assert (found.listed, found.share, found.precision.value, found.recall.value) == (2, 0.5, 0.5, 0.5)
    assert flagged([1, 0], [0, 0]).precision is None


def test_lead_time_is_of_those_listed_before_it_happened():
    found = lead_time([10, None, 50, 5, 3], [30, 40, 45, 10, None])
    assert (found.happened, found.caught, found.median) == (4, 2, 12.5)
    assert math.isnan(lead_time([None], [4]).median)


def test_a_share_has_its_interval_and_nothing_has_none():
    found = share(0, 20)
    assert (found.value, found.n, found.low) == (0.0, 20, 0.0)
    assert found.high == pytest.approx(0.1611, abs=1e-4)
    assert share(0, 0) is None


def width(estimate):
    return estimate.high - estimate.low


def test_the_bootstrap_is_the_same_by_seed_and_wider_by_student(drawn):
    true, said = drawn
    assert bootstrap(auc, true, said, rounds=50) == bootstrap(auc, true, said, rounds=50)
    repeated = np.repeat(true[:200], 20), np.repeat(said[:200], 20)
    by_row = bootstrap(brier, *repeated, rounds=100)
    by_student = bootstrap(brier, *repeated, np.repeat(np.arange(200), 20), rounds=100)
    assert width(by_student) > 3 * width(by_row)
    assert by_row.value == by_student.value == brier(*repeated)
    assert bootstrap(auc, [1, 1], [0.1, 0.2], rounds=5).low is None


def test_error_rates_by_group_are_counted_and_small_groups_are_not_told():
    outcomes = [1] * 10 + [0] * 10 + [1] * 20 + [0] * 20 + [1] * 4
    listed = [1] * 8 + [0] * 2 + [1] * 1 + [0] * 9 + [1] * 10 + [0] * 10 + [0] * 20 + [1] * 4
    groups = ["a"] * 20 + ["b"] * 40 + ["c"] * 4
    alone, other, small = error_rates(outcomes, listed, groups)
    # c is too small; a, the next smallest, would give it away.
    assert (alone.n, small.n, small.false_positive) == (None, None, None)
    assert (other.n, other.false_positive.value, other.false_negative.value) == (40, 0.0, 0.5)
    first, second = error_rates(outcomes[:60], listed[:60], groups[:60])
    assert (first.false_positive.value, first.false_negative.value, second.n) == (0.1, 0.2, 40)
    assert (first.precision, second.precision) == (None, None) or first.precision.n >= 10


def test_a_rate_of_too_few_is_not_told_though_its_group_is_large():
    outcomes, listed = [1] * 3 + [0] * 30 + [1] * 20 + [0] * 20, [1] * 73
    first, second = error_rates(outcomes, listed, ["a"] * 33 + ["b"] * 40)
    assert (first.n, first.false_negative, second.false_negative) == (33, None, None)
    assert first.false_positive.n == 30


def test_sizes_of_groups_are_of_students_not_of_rows():
    groups, who = ["a"] * 30 + ["b"] * 30 + ["c"] * 30, [*[1] * 30, *range(30), *range(30, 60)]
    assert members(groups, who)["a"] is None
    assert members(groups)["a"].size == 30


def test_a_report_survives_its_json(drawn):
    true, said = drawn
    bins = reliability(true, said)
    errors = error_rates(true, said > 0.5, ["x", "y"] * 2000)
    section = Section(
        "Calibration",
        figures=[report.reliability_figure("All", bins, "correct answers"), report.error_figure("By group", errors)],
        tables=[report.error_table("By group", errors), report.top_table("Lists", [("10%", top(true, said, 0.1))])],
    )
    made = Report("skills", "Skills", "made up", 1, ["Good."], [section], {"auc": 0.7})
    assert decode(encode(made)) == made
    assert "Farthest" in section.figures[0].says
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"kind": "other"}')


def test_lines_say_where_they_begin_and_end():
    line = report.Series("score", [report.Point(2, 0.65), report.Point(8, 0.79), report.Point(12, None)])
    figure = report.line_figure("AUC", [line], report.Axis("week", "count"), report.Axis("AUC"))
    assert figure.says == "AUC by week. score: 0.650 at 2, 0.790 at 8."
