"""The analytics store's client and its migrations."""

from __future__ import annotations

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httputil import get_pool_manager

from infra.runtime.settings import ClickHouseSettings
from schemas.tables import for_cluster, migrations


class NewerStoreError(RuntimeError):
    """The store was migrated by a newer version of this program."""


_COPYING_SECONDS = 86_400.0


def open_clickhouse(settings: ClickHouseSettings, *, database: str | None = None) -> Client:
    """A client of the store; raises clickhouse_connect's OperationalError when it does not answer.

    One client serves one thread at a time. On a replicated cluster its reads are sequentially consistent, since a
    worker goes on from what was written last.
    """
    return clickhouse_connect.get_client(
        host=settings.host,
        port=settings.port,
        username=settings.username,
        password=settings.password.get_secret_value(),
        secure=settings.secure,
        database=settings.database if database is None else database,
        connect_timeout=int(settings.connect_timeout_seconds) or 1,
        send_receive_timeout=int(settings.query_timeout_seconds) or 1,
        autogenerate_session_id=False,
        settings={"select_sequential_consistency": 1, "insert_quorum": "auto"} if settings.replicated else {},
        pool_mgr=get_pool_manager(),
    )


def migrate(settings: ClickHouseSettings) -> int:
    """Create the database and run the migrations that have not run; returns the version reached.

    Raises NewerStoreError when the store is ahead of this program.
    """
    known = migrations()
    on_cluster = f" ON CLUSTER '{settings.cluster}'" if settings.cluster else ""
    with open_clickhouse(settings, database="default") as client:
        client.command(f"CREATE DATABASE IF NOT EXISTS `{settings.database}`{on_cluster}")
    # One that copies a table takes as long as it takes.
    with open_clickhouse(settings.model_copy(update={"query_timeout_seconds": _COPYING_SECONDS})) as client:
        client.command(
            for_cluster(
                "CREATE TABLE IF NOT EXISTS schema_versions\n"
                "(number UInt32 COMMENT 'number of the migration', name String COMMENT 'its name',\n"
                " at DateTime DEFAULT now() COMMENT 'when it ran')\n"
                "ENGINE = MergeTree ORDER BY number COMMENT 'Migrations that have run.'",
                cluster=settings.cluster,
                replicated=settings.replicated,
            )
        )
        reached = int(client.query("SELECT max(number) FROM schema_versions").result_rows[0][0])
        if reached > len(known):
            raise NewerStoreError(
                f"the store is at version {reached}, this program knows {len(known)}: install the newer version"
            )
        for migration in known[reached:]:
            for statement in migration.statements:
                client.command(for_cluster(statement, cluster=settings.cluster, replicated=settings.replicated))
            client.insert("schema_versions", [[migration.number, migration.name]], column_names=["number", "name"])
        _leave_out_statistics(client, on_cluster)
        _compress_projections(client, on_cluster)
    return len(known)


def _leave_out_statistics(client: Client, on_cluster: str) -> None:
    """Tables of many rows, read by their keys, need no statistics of each column, which newer servers keep by default.

    No setting in the migrations: older servers refuse a setting that they do not know. Shadows of tables are made like
    the table, so they have none either.
    """
    asked = (
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND engine_full LIKE '%merge_selector_base%' AND engine_full NOT LIKE '%auto_statistics_types%'"
        " AND (SELECT any(value) FROM system.merge_tree_settings WHERE name = 'auto_statistics_types') != ''"
    )
    for (table,) in client.query(asked).result_rows:
        client.command(f"ALTER TABLE `{table}`{on_cluster} MODIFY SETTING auto_statistics_types = ''")


def _compress_projections(client: Client, on_cluster: str) -> None:
    """Columns of projections cannot be given a codec; without one, the keys of statements take ten bytes more each.

    No setting in the migrations either: servers that do not know it keep them larger.
    """
    asked = (
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND engine_full LIKE '%deduplicate_merge_projection_mode%'"
        " AND engine_full NOT LIKE '%default_compression_codec%'"
        " AND (SELECT count() FROM system.merge_tree_settings WHERE name = 'default_compression_codec') > 0"
    )
    for (table,) in client.query(asked).result_rows:
        client.command(f"ALTER TABLE `{table}`{on_cluster} MODIFY SETTING default_compression_codec = 'ZSTD(1)'")
