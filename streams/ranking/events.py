"""What the ranking looks at: events of one student in one course, by day."""

from __future__ import annotations

from typing import Final, NamedTuple

REGISTERED: Final = "registered"
DUE: Final = "due"
SUBMITTED: Final = "submitted"
MARKED: Final = "marked"
CLICKED: Final = "clicked"
ATTENDED: Final = "attended"
MISSED: Final = "missed"
INCIDENT: Final = "incident"

CONTENT: Final = "content"
FORUM: Final = "forum"
QUIZ: Final = "quiz"
OTHER: Final = "other"
TYPES: Final = (CONTENT, FORUM, QUIZ, OTHER)
"""Kinds of activity that clicks are told apart by."""


class Event(NamedTuple):
    """Something that became known of a student on a day; days count from the start of the course (0: its first day).

    =============  ======================  ==========================================================================
    kind           item                    value
    =============  ======================  ==========================================================================
    registered                             –; the day is the day of registration, before the start below 0
    due            the item that fell due  its weight in the course, in per cent (0 or less counts as 1)
    submitted      the item handed in      1 where it was carried over from before (banked), else 0
    marked         the item whose mark     share of the full mark, 0 … 1; the day is the one on which it was visible
    clicked        one of ``TYPES``        number of clicks
    attended                               –; a school day on which the student was there
    missed                                 –; a school day at least half of which the student was away
    incident                               number of reports of behaviour
    =============  ======================  ==========================================================================
    """

    day: int
    kind: str
    item: str = ""
    value: float = 0.0
