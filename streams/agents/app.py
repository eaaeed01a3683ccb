"""The Faust app: its settings for envelopes, and its agents, which hand over and never raise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import faust
from faust.types import TP

from infra.runtime.kafka import CONSUMER_GROUP, ssl_context, statements_topic
from infra.runtime.settings import KafkaSettings, Settings
from schemas import topics
from streams.agents.assignor import Assignor
from streams.agents.transport import ReadCommittedTransport

Handler = Callable[[Sequence[Any]], Awaitable[None]]
"""Takes the messages of a batch; raises nothing but CancelledError."""

SMALL_BATCH = 500
LONG_SECONDS = 86_400.0


def create_app(settings: Settings, partitions: Mapping[str, int]) -> faust.App:
    """The app, without agents; ``partitions`` is the number of partitions by topic."""
    kafka, streams = settings.kafka, settings.streams
    app = faust.App(
        CONSUMER_GROUP,
        broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka),
        autodiscover=False,
        PartitionAssignor=Assignor,
        web_enabled=False,
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        # Records here are envelopes of up to some hundred statements: few of them make a batch.
        broker_max_poll_records=streams.batch_envelopes,
        stream_buffer_maxsize=streams.batch_envelopes,
        # Of each partition, in one answer; an answer is in memory twice or more while it is taken apart. A record that
        # is larger comes alone.
        consumer_max_fetch_size=512 * 1024,
        broker_session_timeout=kafka.session_timeout_seconds,
        broker_heartbeat_interval=min(3.0, kafka.session_timeout_seconds / 3),
        # A worker that waits for ClickHouse keeps its partitions; whether it makes progress is told by its health.
        broker_max_poll_interval=LONG_SECONDS,
        # Batches may outlive a rebalance: their effects are idempotent. Waiting for them would block the group.
        stream_wait_empty=False,
        # Faust warns where it sees no commits of its own; there are none (see the transport).
        stream_processing_timeout=LONG_SECONDS,
        broker_commit_livelock_soft_timeout=LONG_SECONDS,
    )
    app.transport = ReadCommittedTransport(app.conf.broker_consumer, app)
    # There are no tables: without this an empty directory for them is made in the working directory.
    app._create_directories = lambda: None
    app.finalize()
    app.assignor.known = partitions
    return app


def add_agents(app: faust.App, settings: Settings, handlers: dict[str, Handler]) -> None:
    """One agent a topic, each handing batches to the handler of its topic's name."""
    for name, handler in handlers.items():
        large = name == statements_topic(settings.kafka)
        most = settings.streams.batch_envelopes if large else SMALL_BATCH
        within = settings.streams.batch_seconds if large else 1.0
        topic = app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
        app.agent(topic, concurrency=1, name=f"streams.{name}")(_agent(handler, most, within))


def _agent(handler: Handler, most: int, within: float) -> Any:
    async def agent(stream: Any) -> None:
        async for events in stream.noack_take(most, within=within):
            await handler([event.message for event in events])

    return agent


def partitions_of(topic: str, assigned: set[TP]) -> list[int]:
    """Partitions of a topic among those assigned, sorted."""
    return sorted(tp.partition for tp in assigned if tp.topic == topic)


def consumed(settings: KafkaSettings) -> list[str]:
    """Names of the topics that a worker reads."""
    return [statements_topic(settings), topics.PROVIDER_MINUTES.name, topics.REJECTIONS.name, topics.CASE_EVENTS.name]


def _credentials(settings: KafkaSettings) -> Any:
    context = ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None
