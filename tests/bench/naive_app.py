"""Faust as its own guide has it: one statement a record, decoded from JSON by the topic, tables written as it comes.

The same states as Roundtrip's (Elo of the student and of the student in the skill, counts of the day), but none of its
promises: no dead letters, no duplicates, no out-of-order attempts, and nothing in ClickHouse. Tables live in memory,
with their changelogs in Kafka. It prints how long it took from the first statement to the last, in seconds.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import Any

import faust

TOPIC = "naive-statements"
TOOK = "seconds from first to last:"
BROKER = os.environ.get("NAIVE_BROKER", "")
STATEMENTS = int(os.environ.get("NAIVE_STATEMENTS", "0"))
PARTITIONS = int(os.environ.get("NAIVE_PARTITIONS", "4"))

app = faust.App(
    "naive",
    broker=f"kafka://{BROKER}",
    store="memory://",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
statements = app.topic(TOPIC, key_type=str, value_serializer="json", partitions=PARTITIONS)
days = app.Table("days", default=dict, partitions=PARTITIONS)
skills = app.Table("skills", default=dict, partitions=PARTITIONS)
seen = 0
began = 0.0


@app.agent(statements)
async def learn(stream: Any) -> None:
    """Count the day of each statement, and fold each attempt into its student's skills."""
    global seen, began
    async for key, statement in stream.items():
        began = began or time.perf_counter()
        day = days[key]
        date = statement["timestamp"][:10]
        day[date] = day.get(date, 0) + 1
        days[key] = day
        result = statement.get("result")
        if result:
            known = skills[key]
            item = statement["object"]["id"].rpartition("/")[2]
            skill = f"skill-{int(item) % 250}"
            student, own = known.get("student", 0.0), known.get(skill, 0.0)
            error = float(result["success"]) - 1.0 / (1.0 + math.exp(-(student + own)))
            known["student"], known[skill] = student + 0.2 * error, own + 0.4 * error
            skills[key] = known
        seen += 1
        if seen == STATEMENTS:
            print(f"{TOOK} {time.perf_counter() - began}", flush=True)


if __name__ == "__main__":
    sys.argv = ["naive", "worker", "--loglevel", "warn", "--without-web"]
    app.main()
