"""ASSISTments' responses as xAPI statements: a pure function of the file, so that the same file tells the same ids.

Data set: Feng, Heffernan, Koedinger 2009, "Addressing the assessment challenge in an online system that tutors as it
assesses". It tells no times, only an order; a response is put as many seconds after the base as its line is down.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from infra.dev.replay.dataset import Response
from streams.learner.fold import Attempt

PROVIDER_ID: Final = "assistments"
PROVIDER_NAME: Final = "ASSISTments 2009 (replay)"
HOME: Final = "https://assistments.example"
HOME_PAGE: Final = f"{HOME}/students"
SUBJECT: Final = "Mathematics"
BASE: Final = datetime(2009, 9, 7, 14, tzinfo=UTC)
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, f"{HOME}/responses")
_ANSWERED: Final = "http://adlnet.gov/expapi/verbs/answered"


def item_iri(item: int) -> str:
    """Activity id of an item."""
    return f"{HOME}/items/{item}"


def skill_id(skill: int) -> str:
    """Id of a base skill in the catalogue."""
    return f"A09.{skill:03}"


def statement_id(split: str, response: Response) -> str:
    """UUIDv5 of data set, user and line."""
    return str(uuid.uuid5(_NAMESPACE, f"{split}/{response.user}/{response.line}"))


def statement(split: str, response: Response) -> dict[str, Any]:
    """The response as a statement: answered, with success."""
    at = BASE + timedelta(seconds=response.line)
    return {
        "id": statement_id(split, response),
        "actor": {"objectType": "Agent", "account": {"homePage": HOME_PAGE, "name": str(response.user)}},
        "verb": {"id": _ANSWERED, "display": {"en-US": "answered"}},
        "object": {
            "objectType": "Activity",
            "id": item_iri(response.item),
            "definition": {"type": "http://adlnet.gov/expapi/activities/cmi.interaction"},
        },
        "result": {"success": response.correct},
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def attempt(split: str, response: Response, skills: list[int]) -> Attempt:
    """The response as the fold takes it."""
    return Attempt(
        timestamp=int((BASE + timedelta(seconds=response.line)).timestamp()) * 1_000_000,
        statement_id=statement_id(split, response),
        item=item_iri(response.item),
        skills=sorted(skill_id(skill) for skill in skills),
        outcome=1.0 if response.correct else 0.0,
    )
