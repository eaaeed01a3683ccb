"""Results and scores (Data 2.4.5)."""

from __future__ import annotations

import math
from typing import Any, Final

from ingest.xapi.faults import Faults, Rule
from ingest.xapi.timestamps import is_duration
from ingest.xapi.validation.values import boolean, extensions, is_number, object_, properties, string, wrong_type

SCALED = Rule("score.scaled", "1.0.3 Data 2.4.5.1", "Send a decimal from -1 to 1.")
BOUNDS = Rule("score.bounds", "1.0.3 Data 2.4.5.1", "Send min below max, and raw between them.")
RANGE = Rule("score.range", "1.0.3 Data 2.4.5.1", "Send a number that is a double (IEEE 754): below 1.8e308.")
DURATION = Rule("duration", "1.0.3 Data 4.6", "Send an ISO 8601 duration, as PT35.12S or P1DT2H.")

_RESULT: Final = frozenset({"score", "success", "completion", "response", "duration", "extensions"})
_SCORE: Final = frozenset({"scaled", "raw", "min", "max"})


def result(value: Any, path: str, faults: Faults) -> None:
    """A result (Data 2.4.5)."""
    if not object_(value, path, faults, "a result"):
        return
    properties(value, _RESULT, path, faults)
    if "score" in value:
        score(value["score"], f"{path}.score", faults)
    if "success" in value:
        boolean(value["success"], f"{path}.success", faults)
    if "completion" in value:
        boolean(value["completion"], f"{path}.completion", faults)
    if "response" in value:
        string(value["response"], f"{path}.response", faults)
    if "duration" in value:
        duration(value["duration"], f"{path}.duration", faults)
    if "extensions" in value:
        extensions(value["extensions"], f"{path}.extensions", faults)


def score(value: Any, path: str, faults: Faults) -> None:
    """A score (Data 2.4.5.1)."""
    if not object_(value, path, faults, "a score"):
        return
    properties(value, _SCORE, path, faults)
    numbers = {}
    for name in value.keys() & _SCORE:
        if is_number(value[name]) and not _is_double(value[name]):
            faults.add(RANGE, f"{path}.{name}", "the number is out of range", value[name])
        elif is_number(value[name]):
            numbers[name] = value[name]
        else:
            wrong_type(faults, f"{path}.{name}", value[name], "a number")
    if "scaled" in numbers and not -1 <= numbers["scaled"] <= 1:
        faults.add(SCALED, f"{path}.scaled", "is not between -1 and 1", numbers["scaled"])
    low, high, raw = numbers.get("min"), numbers.get("max"), numbers.get("raw")
    if low is not None and high is not None and low >= high:
        faults.add(BOUNDS, f"{path}.min", "min is not below max", low)
    if raw is not None and ((low is not None and raw < low) or (high is not None and raw > high)):
        faults.add(BOUNDS, f"{path}.raw", "raw is not between min and max", raw)


def _is_double(value: Any) -> bool:
    """Whether a number is in the range of doubles, in which scores are reckoned with."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def duration(value: Any, path: str, faults: Faults) -> None:
    """An ISO 8601 duration (Data 4.6)."""
    if not isinstance(value, str):
        wrong_type(faults, path, value, "a duration")
    elif not is_duration(value):
        faults.add(DURATION, path, "is no ISO 8601 duration", value)
