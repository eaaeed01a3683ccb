"""Everything that log and store hold, as text, and the names that must not stand in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, select

from infra.runtime.settings import KafkaSettings
from schemas.registry import tables
from tests.fixtures.log_reader import read_log


def names_of(engine: Engine, authority: str) -> set[str]:
    """Names, addresses and account names that the registry knows of students, staff and agents, in lower case.

    ``authority``: home page of the accounts of providers, which are nobody's.
    """
    found: set[str] = set()
    with engine.connect() as connected:
        for given, family in connected.execute(select(tables.students.c.given_name, tables.students.c.family_name)):
            found |= {given or "", family or ""}
        for name, email in connected.execute(select(tables.staff.c.name, tables.staff.c.email)):
            found |= {name, email}
        for kind, value in connected.execute(select(tables.identities.c.kind, tables.identities.c.value)):
            if kind != "anonymous_group" and not value.startswith(authority):
                found.add(value.removeprefix("mailto:"))
                found.add(value.rpartition(" ")[2])
        for (text,) in connected.execute(select(tables.agents.c.json)):
            found.add(json.loads(text).get("name", ""))
    # A bare number may be anything; with its home page it stands in the set as well.
    return {name.lower() for name in found if len(name) > 2 and not name.isdecimal()}


def seen(names: Iterable[str], texts: Iterable[str]) -> set[str]:
    """The names that stand in the texts as words of their own."""
    found: set[str] = set()
    wanted = re.compile(
        r"(?<![\w-])(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r")(?![\w-])"
    )
    for text in texts:
        found.update(wanted.findall(text.lower()))
    return found


def log_texts(settings: KafkaSettings) -> Iterator[str]:
    """Keys, values and headers of all records of all topics, Kafka's own included, decompressed."""
    for record in read_log(settings, []):
        parts = [record.key or b"", record.value or b"", *(value or b"" for _, value in record.headers)]
        yield b"\n".join(parts).decode("utf-8", "replace")


def store_texts(client: Client) -> Iterator[str]:
    """All values of all columns that may hold text, in all tables."""
    columns = client.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND type LIKE '%String%'"
    ).result_rows
    for table, column in columns:
        for (value,) in client.query(f"SELECT DISTINCT toString(`{column}`) FROM `{table}`").result_rows:
            yield value
