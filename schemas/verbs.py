"""Canonical verbs: what a statement means to the platform, whatever verb its provider uses.

A provider's own verb IRI is mapped to one of these at the door (registry table ``provider_verbs``); the IRIs
below need no mapping. Sources: the ADL vocabulary (adlnet.gov/expapi), cmi5 sections 9.3 and 9.5.1
(w3id.org/xapi/adl), the xAPI video profile (w3id.org/xapi/video); for what none of them has a word, IRIs of our own.
"""

from __future__ import annotations

from typing import Final

from schemas.extensions import OWN

ANSWERED: Final = "answered"
SCORED: Final = "scored"
PASSED: Final = "passed"
FAILED: Final = "failed"
COMPLETED: Final = "completed"
SUBMITTED: Final = "submitted"
LAUNCHED: Final = "launched"
INITIALIZED: Final = "initialized"
TERMINATED: Final = "terminated"
ABANDONED: Final = "abandoned"
WAIVED: Final = "waived"
SATISFIED: Final = "satisfied"
EXPERIENCED: Final = "experienced"
INTERACTED: Final = "interacted"
PROGRESSED: Final = "progressed"
PLAYED: Final = "played"
PAUSED: Final = "paused"
SEEKED: Final = "seeked"
ATTENDED: Final = "attended"
ABSENT: Final = "absent"
REPORTED: Final = "reported"
VOIDED: Final = "voided"
OTHER: Final = "other"

OUTCOMES: Final = frozenset({ANSWERED, SCORED, PASSED, FAILED})
"""Verbs whose result is evidence of skill: their statements become attempts."""

ATTENDANCE: Final = frozenset({ATTENDED, ABSENT})
"""Verbs that tell presence; they are no learning activity of the student's own."""

ADMINISTRATIVE: Final = ATTENDANCE | {REPORTED, VOIDED, WAIVED, SATISFIED}
"""Verbs that somebody else or a system states about the student: never counted as activity."""

ALL: Final = frozenset(
    {
        *OUTCOMES, *ADMINISTRATIVE, COMPLETED, SUBMITTED, LAUNCHED, INITIALIZED, TERMINATED, ABANDONED,
        EXPERIENCED, INTERACTED, PROGRESSED, PLAYED, PAUSED, SEEKED, OTHER,
    }
)  # fmt: skip

_ADL = "http://adlnet.gov/expapi/verbs/"
_CMI5 = "https://w3id.org/xapi/adl/verbs/"
_VIDEO = "https://w3id.org/xapi/video/verbs/"
_ACTIVITY = "http://activitystrea.ms/schema/1.0/"
_OWN = f"{OWN}/verbs/"

IRIS: Final[dict[str, str]] = {
    **{
        _ADL + name: name
        for name in (
            ANSWERED, SCORED, PASSED, FAILED, COMPLETED, LAUNCHED, INITIALIZED, TERMINATED, EXPERIENCED,
            INTERACTED, PROGRESSED, ATTENDED, VOIDED,
        )
    },
    **{_CMI5 + name: name for name in (ABANDONED, WAIVED, SATISFIED)},
    **{_VIDEO + name: name for name in (PLAYED, PAUSED, SEEKED)},
    **{_OWN + name: name for name in (ABSENT, REPORTED)},
    _ACTIVITY + "submit": SUBMITTED,
}  # fmt: skip
"""Verb IRI to canonical verb, for verbs that mean the same whoever sends them."""
