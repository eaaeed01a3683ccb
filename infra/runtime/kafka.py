"""Clients of the broker: connection arguments, topics, and how far consumers are behind."""

from __future__ import annotations

import ssl
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from infra.runtime.settings import KafkaSettings
from schemas import topics

CONSUMER_GROUP = "roundtrip-streams"


class TopicMismatchError(RuntimeError):
    """A topic that exists with another number of partitions than the settings say."""


class PartitionLag(NamedTuple):
    """One partition of a topic: offsets of the next record to write and of the next to process."""

    partition: int
    end: int
    committed: int

    @property
    def lag(self) -> int:
        """Records written and not yet processed."""
        return max(self.end - self.committed, 0)


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """TLS context of the settings, None for a protocol without TLS."""
    if "SSL" not in settings.security_protocol:
        return None
    context = ssl.create_default_context(cafile=str(settings.ssl_cafile) if settings.ssl_cafile else None)
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    return context


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments that kafka-python and aiokafka clients share."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.bootstrap_servers.split(",")],
        "security_protocol": settings.security_protocol,
    }
    if context := ssl_context(settings):
        arguments["ssl_context"] = context
    if settings.security_protocol.startswith("SASL"):
        arguments["sasl_mechanism"] = settings.sasl_mechanism
        arguments["sasl_plain_username"] = settings.sasl_username
        arguments["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return arguments


def statements_topic(settings: KafkaSettings) -> str:
    """Kafka name of the statements topic in the current generation."""
    return topics.generation_name(topics.STATEMENTS, settings.generation)


def create_topics(settings: KafkaSettings) -> None:
    """Create the topics that are missing; raises TopicMismatchError where a number of partitions differs."""
    admin = KafkaAdminClient(**connection(settings))
    try:
        for topic in topics.ALL:
            partitions = topic.partitions or settings.partitions
            retention = topic.retention_ms or settings.statements_retention_hours * 3_600_000
            name = topics.generation_name(topic, settings.generation)
            wanted = NewTopic(
                name,
                partitions,
                settings.replication_factor,
                topic_configs={"retention.ms": str(retention), "max.message.bytes": str(8 * 1024 * 1024)},
            )
            try:
                admin.create_topics([wanted])
            except TopicAlreadyExistsError:
                _check_partitions(admin, name, partitions)
    finally:
        admin.close()


def _check_partitions(admin: KafkaAdminClient, name: str, wanted: int) -> None:
    [described] = admin.describe_topics([name])
    found = len(described["partitions"])
    if found != wanted:
        raise TopicMismatchError(
            f"topic {name} has {found} partitions, the settings say {wanted}: set ROUNDTRIP_KAFKA__PARTITIONS={found}, "
            f"or raise ROUNDTRIP_KAFKA__GENERATION for a new topic and rebuild"
        )


def lag(settings: KafkaSettings, topic: str, group: str = CONSUMER_GROUP) -> list[PartitionLag]:
    """How far a consumer group is behind on each partition of a topic, in partition order.

    Raises kafka.errors.KafkaError when the broker does not answer.
    """
    consumer = KafkaConsumer(group_id=group, enable_auto_commit=False, **connection(settings))
    try:
        partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = consumer.end_offsets(partitions)
        starts = consumer.beginning_offsets(partitions)
        return [PartitionLag(tp.partition, ends[tp], consumer.committed(tp) or starts[tp]) for tp in partitions]
    finally:
        consumer.close()


def owners(settings: KafkaSettings, topic: str, group: str = CONSUMER_GROUP) -> dict[str, list[int]]:
    """Partitions of a topic by the member of the group that reads them; a member without any is named too.

    Empty when nobody is in the group. Raises kafka.errors.KafkaError when the broker does not answer.
    """
    admin = KafkaAdminClient(**connection(settings))
    try:
        [described] = admin.describe_groups([group]).values()
    finally:
        admin.close()
    return {
        str(member["member_id"]): sorted(
            partition
            for assigned in (member["member_assignment"] or {}).get("assigned_partitions", ())
            if assigned["topic"] == topic
            for partition in assigned["partitions"]
        )
        for member in described["members"]
    }
