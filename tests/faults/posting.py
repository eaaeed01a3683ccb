"""Posts a plan as careful providers do: each request again until it is answered 200, each way in order."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

from infra.dev.posting import Connection
from ingest.credentials import Issued
from tests.faults.plan import Plan, Request

PATIENCE_SECONDS = 90.0


class Poster:
    """``accepted``: statements in requests answered 200.

    ``unclear``: those in requests that were not answered, or by a 5xx: what became of them is not known, and they are
    sent again. ``refused``: ids whose second content was answered 409.
    """

    def __init__(self, url: str, credentials: Sequence[Issued], plan: Plan) -> None:
        self.accepted = 0
        self.unclear = 0
        self.refused: set[str] = set()
        self.error = ""
        self._url = url
        self._credentials = credentials
        self._plan = plan
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._post())
        except Exception as error:
            self.error = f"posting failed: {error!r}"

    async def _post(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as ways:
            for way, issued in enumerate(self._credentials):
                requests = [request for request in self._plan.requests if request.way == way]
                ways.create_task(self._post_way(issued, requests, began))

    async def _post_way(self, issued: Issued, requests: Sequence[Request], began: float) -> None:
        connection = Connection(self._url, issued.key, issued.secret, timeout=20.0)
        try:
            await connection.until_known(patience=PATIENCE_SECONDS)
            for request in requests:
                await asyncio.sleep(max(began + request.after - time.monotonic(), 0.0))
                before = connection.retried
                answer = await connection.post_until_kept(request.body(), patience=PATIENCE_SECONDS)
                ids = {one["id"] for one in request.statements if "id" in one}
                if answer.status == 409 and ids and ids <= self._plan.conflicts:
                    self.refused |= ids
                    continue
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status}: {answer.body[:300]!r}")
                self.accepted += len(request.statements)
                self.unclear += len(request.statements) * (connection.retried - before)
        finally:
            connection.close()
