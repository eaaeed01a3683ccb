"""ClickHouse migrations: plain SQL files, numbered, with a comment on each table and column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

MIGRATIONS = Path(__file__).parent / "clickhouse"


class Migration(NamedTuple):
    """One numbered file, split into statements."""

    number: int
    name: str
    statements: list[str]


def migrations(root: Path = MIGRATIONS) -> list[Migration]:
    """All migrations in order; raises ValueError where the numbers have a gap."""
    found = []
    for expected, path in enumerate(sorted(root.glob("[0-9]*.sql")), start=1):
        number, _, name = path.stem.partition("_")
        if int(number) != expected:
            raise ValueError(f"{path.name}: expected number {expected:04d}")
        parts = [part.strip() for part in re.split(r";\s*(?:\n|$)", path.read_text())]
        found.append(Migration(expected, name, [part for part in parts if part]))
    return found


def for_cluster(sql: str, *, cluster: str, replicated: bool) -> str:
    """A migration's statement with the engine clause and ON CLUSTER that the settings ask for."""
    if replicated:
        sql = re.sub(r"ENGINE = (\w*MergeTree)", r"ENGINE = Replicated\1", sql)
    if cluster:
        name = cluster.replace("\\", "\\\\").replace("'", "\\'")
        sql = re.sub(
            r"^(CREATE (?:TABLE|(?:MATERIALIZED )?VIEW)(?: IF NOT EXISTS)?|ALTER TABLE) (\w+)",
            rf"\1 \2 ON CLUSTER '{name}'",
            sql,
            count=1,
        )
        sql = re.sub(r"^(EXCHANGE TABLES \w+ AND \w+|DROP TABLE (?:IF EXISTS )?\w+)", rf"\1 ON CLUSTER '{name}'", sql)
    return sql
