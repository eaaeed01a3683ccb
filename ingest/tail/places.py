"""Where a listener stands in the log, as the id of a server-sent event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_ID = re.compile(r"(\d{1,9})/(\d{1,6}:\d{1,18}:\d{1,9}(?:,\d{1,6}:\d{1,18}:\d{1,9})*)").fullmatch


class Place(NamedTuple):
    """The next item of a partition: its envelope's offset, and its index in there."""

    offset: int
    idx: int


def event_id(generation: int, places: Mapping[int, Place]) -> str:
    """As generation/partition:offset:idx,… with one part for each partition."""
    return f"{generation}/" + ",".join(
        [f"{partition}:{place.offset}:{place.idx}" for partition, place in sorted(places.items())]
    )


def from_event_id(text: str, generation: int) -> dict[int, Place] | None:
    """Places of an id, None where it is of another generation of the log; raises ValueError where it is no id."""
    found = _ID(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is no id of an event of this service")
    if int(found[1]) != generation:
        return None
    places = {}
    for part in found[2].split(","):
        partition, offset, idx = part.split(":")
        places[int(partition)] = Place(int(offset), int(idx))
    return places
