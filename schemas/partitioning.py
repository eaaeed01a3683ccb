"""Which partition a student's statements go to: Kafka's own default partitioner, on the student id.

Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey, so that any
Kafka client that keys by student id lands in the same partition.
"""

from __future__ import annotations

from functools import lru_cache

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """32-bit murmur2 of ``data`` with Kafka's seed, as an unsigned integer."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=200_000)
def partition_of(student_id: str, partitions: int) -> int:
    """Partition (0 … partitions-1) of a student's statements."""
    return (murmur2(student_id.encode()) & 0x7FFFFFFF) % partitions
