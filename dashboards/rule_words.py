"""What each warning rule looks at, where it draws its line, and where that comes from: words for the evidence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboards import words


@dataclass(frozen=True)
class About:
    """One rule. ``value`` and ``line`` write the indicator and the line of a row of the table warnings."""

    looks_at: str
    value: Callable[[float], str]
    line: Callable[[float], str]
    source: str


def _points(threshold: float) -> str:
    return f"{100 * threshold:.0f} points against the own past"


def _days(number: float) -> str:
    return words.plural(round(number), "usual school day")


def _share(number: float) -> str:
    return words.percent(number)


def _number(number: float) -> str:
    return f"{number:.3g}"


def _of_past(threshold: float) -> str:
    return f"{words.percent(threshold)} less than the own past"


_BALFANZ: Final = "Balfanz, Herzog & Mac Iver 2007, Educational Psychologist 42(4)"
_BOWERS: Final = "Bowers, Sprott & Taff 2013, The High School Journal 96(2)"
_ON_TRACK: Final = "Allensworth & Easton 2005 and 2007, University of Chicago"
_TIME: Final = "Fredricks, Blumenfeld & Paris 2004; Kuzilek et al. 2017, Scientific Data 4"

RULES: Final[Mapping[str, About]] = {
    "inactivity": About(
        "usual school days in a row without activity", _days, _days, f"{_TIME} (falling activity comes before leaving)"
    ),
    "falling_success": About("share of answers that are right", _share, _points, _BOWERS),
    "falling_scores": About("scores of the last five pieces of work", _share, _points, _BOWERS),
    "chronic_absence": About(
        "share of this year's school days missed, whatever the reason", _share, lambda line: f"{_share(line)} missed",
        f"Balfanz & Byrnes 2012, The Importance of Being in School; {_BALFANZ}",
    ),
    "rising_absence": About("share of the last 20 school days missed", _share, _points, _BOWERS),
    "incidents": About(
        "behaviour incidents within 40 school days", _number, lambda line: words.plural(round(line), "incident"),
        _BALFANZ,
    ),
    "failing_core": About(
        "marks in core courses", _share, lambda line: f"a mark below {_share(line)}", f"{_BALFANZ}; {_ON_TRACK}"
    ),
    "falling_marks": About("average mark of the term", _share, _points, _BOWERS),
    "missing_work": About(
        "share of the work due in 20 school days that was not handed in", _share,
        lambda line: f"{words.plural(round(line), 'piece')} of work, and a third of it",
        "Kuzilek et al. 2017, Scientific Data 4; Allensworth & Easton 2007",
    ),
    "late_work": About(
        "share of the work of 20 school days that was handed in late", _share,
        lambda line: f"{words.plural(round(line), 'piece')} of work, and half of it", "Allensworth & Easton 2007",
    ),
    "off_track": About(
        "credits earned in grade 9", _number, lambda line: f"{line:.3g} credits by the end of the year", _ON_TRACK
    ),
    "less_time": About("minutes of activity on a school day", _number, _of_past, _TIME),
    "slower_pace": About("answers on an active day", _number, _of_past, _TIME),
}  # fmt: skip


def facts(row: Mapping[str, Any]) -> dict[str, str]:
    """What a warning says of itself: what it looks at, the line, and the source of the rule, in words."""
    about = RULES.get(row["rule"])
    if about is None:
        return {"Now": _number(row["value"]), "Line drawn at": _number(row["threshold"])}
    return {
        "Looks at": about.looks_at,
        "Now": about.value(row["value"]),
        "Line drawn at": about.line(row["threshold"]),
        "Source": about.source,
    }
