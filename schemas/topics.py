"""Every stream of the platform: one frozen Topic each, with its key, retention and Avro subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic.

    ``partitions`` is None where the setting kafka.partitions decides; ``retention_ms`` likewise where
    kafka.statements_retention_hours does.
    """

    name: str
    subject: str
    key: str
    partitions: int | None
    retention_ms: int | None
    description: str


STATEMENTS: Final = Topic(
    "statements",
    "statements",
    key="none; the partition is murmur2(student id) mod N",
    partitions=None,
    retention_ms=None,
    description="Envelopes: the accepted statements that one partition received within a few milliseconds.",
)
DEAD_LETTERS: Final = Topic(
    "dead-letters",
    "dead_letters",
    key="position of the origin: topic/partition/offset/index",
    partitions=1,
    retention_ms=90 * _DAY_MS,
    description="What a worker could not process, with its reason and its bytes, to be repaired and replayed.",
)
PROVIDER_MINUTES: Final = Topic(
    "provider-minutes",
    "provider_minutes",
    key="provider id",
    partitions=1,
    retention_ms=7 * _DAY_MS,
    description="What each ingest process answered each provider in a minute; later counts replace earlier ones.",
)
REJECTIONS: Final = Topic(
    "rejections",
    "rejections",
    key="provider id",
    partitions=1,
    retention_ms=7 * _DAY_MS,
    description="Requests that ingest refused, with rule, JSON path and fix; without the statement's agents.",
)
CASE_EVENTS: Final = Topic(
    "case-events",
    "case_events",
    key="student id",
    partitions=1,
    retention_ms=90 * _DAY_MS,
    description="Every transition of a case, at least once: who, when, why. The registry is the truth; no names.",
)

ALL: Final = (STATEMENTS, DEAD_LETTERS, PROVIDER_MINUTES, REJECTIONS, CASE_EVENTS)


def generation_name(topic: Topic, generation: int) -> str:
    """Kafka name of a topic: a new generation of the statements topic gets a new name."""
    return topic.name if topic is not STATEMENTS or generation == 1 else f"{topic.name}-g{generation}"
