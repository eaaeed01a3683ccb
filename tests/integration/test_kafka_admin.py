"""Topics and lag, against Apache Kafka."""

from __future__ import annotations

import pytest
from kafka import KafkaConsumer, KafkaProducer

from infra.runtime import kafka
from infra.runtime.settings import KafkaSettings
from schemas import topics

pytestmark = pytest.mark.kafka


def _generation(settings: KafkaSettings, generation: int, **changes: object) -> KafkaSettings:
    return settings.model_copy(update={"generation": generation, **changes})


def test_topics_are_created_once_and_again_without_harm(kafka_settings: KafkaSettings) -> None:
    settings = _generation(kafka_settings, 900)
    kafka.create_topics(settings)
    kafka.create_topics(settings)
    assert [p.partition for p in kafka.lag(settings, kafka.statements_topic(settings))] == [0, 1, 2, 3]
    assert len(kafka.lag(settings, topics.DEAD_LETTERS.name)) == 1


def test_another_number_of_partitions_is_refused_with_the_way_out(kafka_settings: KafkaSettings) -> None:
    kafka.create_topics(_generation(kafka_settings, 901))
    with pytest.raises(kafka.TopicMismatchError, match=r"has 4 partitions, the settings say 8.*PARTITIONS=4"):
        kafka.create_topics(_generation(kafka_settings, 901, partitions=8))


def test_lag_is_what_was_written_and_not_committed(kafka_settings: KafkaSettings) -> None:
    settings = _generation(kafka_settings, 902)
    kafka.create_topics(settings)
    topic = kafka.statements_topic(settings)
    producer = KafkaProducer(**kafka.connection(settings))
    for n in range(5):
        producer.send(topic, b"x", partition=n % 2)
    producer.close()
    assert [p.lag for p in kafka.lag(settings, topic, "nobody")] == [3, 2, 0, 0]


def test_members_of_a_group_are_told_with_the_partitions_that_they_read(kafka_settings: KafkaSettings) -> None:
    settings = _generation(kafka_settings, 903)
    kafka.create_topics(settings)
    topic = kafka.statements_topic(settings)
    consumer = KafkaConsumer(topic, group_id="members", **kafka.connection(settings))
    consumer.poll(10_000)
    [partitions] = kafka.owners(settings, topic, "members").values()
    consumer.close()
    assert partitions == [0, 1, 2, 3]
    assert kafka.owners(settings, topic, "members") == {}
