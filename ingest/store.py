"""Reads of the analytics store: a few threads, a client each, made when first needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from clickhouse_connect.driver.client import Client

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import ClickHouseSettings

T_ = TypeVar("T_")


class Store:
    """Runs queries in threads. Raises what clickhouse_connect raises when the store is away."""

    def __init__(self, settings: ClickHouseSettings, threads: int = 4) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")
        self._local = threading.local()

    def run(self, query: Callable[[Client], T_]) -> asyncio.Future[T_]:
        """Call ``query`` with a client, in a thread."""
        return asyncio.get_running_loop().run_in_executor(self._threads, self._call, query)

    def close(self) -> None:
        """Release the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _call(self, query: Callable[[Client], T_]) -> T_:
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = open_clickhouse(self._settings)
        return query(client)
