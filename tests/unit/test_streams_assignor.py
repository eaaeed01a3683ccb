"""Partitions are shared out also by a leader whose client knows no topic yet."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.cluster import ClusterMetadata

from infra.runtime.settings import KafkaSettings, Settings
from streams.agents.app import create_app

SETTINGS = Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:9"))


def shared_out(known: Mapping[str, int]) -> dict[str, list[int]]:
    """Partitions of two workers, by a leader that has just found its broker again."""
    assignor = create_app(SETTINGS, known).assignor
    member = assignor.metadata({"statements"})
    found = assignor.assign(ClusterMetadata(), {"one": member, "two": member})
    return {
        name: sorted(number for _, numbers in assignment.assignment for number in numbers)
        for name, assignment in found.items()
    }


def test_a_leader_without_metadata_shares_out_what_the_worker_waited_for() -> None:
    shares = shared_out({"statements": 4})
    assert sorted(shares["one"] + shares["two"]) == [0, 1, 2, 3]
    assert len(shares["one"]) == len(shares["two"]) == 2


def test_what_nobody_knows_cannot_be_shared_out() -> None:
    assert shared_out({}) == {"one": [], "two": []}
