"""The report's page: one file by itself, everything of the report in it, and its figures in words too."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from dashboards import palette
from infra.runtime.written import interval, plain, written
from schemas.reports import Axis, Column, Estimate, Figure, Point, Report, Section, Series, Table
from streams.evaluating.drawing import svg
from streams.evaluating.drawing.parts import apart, ticks
from streams.evaluating.render import html

SCHOOLS = Figure(
    "intervals",
    "Error rates by school",
    [
        Series("Missed", [Point("Cedar <Grove>", 0.4, 0.3, 0.5, 40), Point("Harbor", 0.2, 0.1, 0.3, 1200)]),
        Series("Listed without cause", [Point("Harbor", 0.1, 0.05, 0.2, 80)]),
    ],
    Axis("school", "text"),
    Axis("share", "percent"),
    "Missed: Cedar 40% of 40.",
)
WEEKS = Figure(
    "lines",
    "AUC by week",
    [
        Series("score", [Point(2, 0.64, 0.6, 0.68), Point(8, 0.79), Point(12, None)]),
        Series("rules", [Point(2, 0.6), Point(8, 0.71)]),
    ],
    Axis("week", "count"),
    Axis("AUC"),
    "It rises.",
)
BINS = Figure(
    "reliability",
    "Reliability",
    [Series("observed", [Point(0.1, 0.12, 0.1, 0.14, 900), Point(0.8, 0.75, 0.7, 0.8, 90)])],
    Axis("predicted", "percent"),
    Axis("observed share", "percent"),
    "It holds.",
)
TABLE = Table(
    "By school",
    [Column("School"), Column("Students", "count"), Column("Missed", "percent")],
    [["Cedar <Grove>", 1234, Estimate(0.4, 40, 0.3, 0.5)], ["Small", "n<10", None]],
    "A note.",
)
REPORT = Report(
    "warnings", "Warnings & more", "Made up.", 1_760_000_000_000_000, ["Of 100, 62 did."],
    [Section("First", "One.\n\nTwo.", [TABLE], [SCHOOLS, WEEKS, BINS]), Section("Second"), Section("Third")],
)  # fmt: skip


class _Balanced(HTMLParser):
    """Fails at a tag that is not closed in its order."""

    EMPTY = frozenset({"meta", "line", "circle", "rect", "path", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def test_the_page_stands_alone_without_scripts_and_addresses():
    page = html(REPORT)
    assert "<script" not in page
    assert not re.search(r"""(?:https?:)?//|src=|url\(|@import""", page)


def test_the_page_has_everything_escaped_and_its_tags_closed():
    page = html(REPORT)
    for said in ("Warnings &amp; more", "Of 100, 62 did.", "Cedar &lt;Grove&gt;", "1,234", "40.0%", "30.0–50.0", "n 40",
                 "n&lt;10", "A note.", "9 October 2025, 08:53", "<p>Two.</p>"):  # fmt: skip
        assert said in page
    assert "<Grove>" not in page
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []


@pytest.mark.parametrize("figure", [SCHOOLS, WEEKS, BINS])
def test_a_figure_says_in_words_what_it_shows(figure):
    drawn = svg(figure)
    assert 'role="img"' in drawn
    assert figure.says in drawn
    assert "nan" not in drawn


def test_a_figure_labels_its_lines_and_gives_each_rate_its_n():
    assert ">score</text>" in svg(WEEKS)
    assert ">rules</text>" in svg(WEEKS)
    assert "n 1,200" in svg(SCHOOLS)
    assert svg(BINS).count('class="bar"') == 2


def test_a_figure_without_points_is_left_out_and_the_page_says_so():
    empty = Figure("intervals", "Nothing", [Series("Missed", [])], Axis("school", "text"), Axis("share"), "Nothing.")
    assert svg(empty) == ""
    alone = Report("warnings", "T", "D", 0, [], [Section("S", figures=[empty])])
    assert "Nothing that may be shown" in html(alone)


def test_the_report_has_the_colours_of_the_pages():
    page = html(REPORT)
    for name in ("ink", "soft", "line", "accent", "warn", "good", "none"):
        assert f"--{name}: light-dark({getattr(palette.LIGHT, name)}, {getattr(palette.DARK, name)})" in page


def test_values_are_written_with_their_units_and_what_is_unknown_as_a_dash():
    assert (written(None, "count"), written(float("nan"), "number")) == ("–", "–")
    assert written(41.26, "microseconds") == "41.3 µs"
    assert plain(Estimate(0.621, 512, 0.58, 0.661), "percent") == "62.1% (58.0–66.1), n 512"
    assert interval(Estimate(0.621, 512), "percent") == ""


def test_ticks_lie_around_what_is_drawn_and_labels_keep_apart():
    steps = ticks(0.61, 0.79)
    assert steps[0] <= 0.61 < 0.79 <= steps[-1]
    assert len(steps) <= 7
    assert len(ticks(0.5, 0.5)) >= 2
    places = sorted(apart([10, 11, 12, 80], 16))
    assert min(after - before for before, after in pairwise(places)) >= 15.9
