"""Faust's partition assignor, told how many partitions each topic has.

The leader of a group shares out the partitions that its client's metadata knows. Right after a broker came back, that
may be none: Faust then ignores the topic, all members go on without partitions, and nothing makes them meet again.
The worker knows the topics before it starts (it waits for them), and their number of partitions is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.assignor.partition_assignor import PartitionAssignor


class KnownTopics:
    """Metadata of a cluster, with numbers of partitions for what it does not know yet."""

    def __init__(self, cluster: Any, partitions: Mapping[str, int]) -> None:
        self._cluster = cluster
        self._partitions = partitions

    def partitions_for_topic(self, topic: str) -> set[int]:
        """Numbers of the partitions of a topic; empty for one that nobody knows."""
        return self._cluster.partitions_for_topic(topic) or set(range(self._partitions.get(topic, 0)))


class Assignor(PartitionAssignor):  # type: ignore[misc]
    """Shares out partitions as Faust does; ``known`` is the number of partitions by topic."""

    known: Mapping[str, int] = {}

    def _get_copartitioned_groups(self, topics: set[str], cluster: Any, subscriptions: Any) -> Any:
        return super()._get_copartitioned_groups(topics, KnownTopics(cluster, self.known), subscriptions)
