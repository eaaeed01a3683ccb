"""The link to Kafka: a producer that does not start is let go, and the next one is tried."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ingest import producers
from ingest.producers import Link


class Stub:
    """What the link uses of a producer; one that hangs never starts."""

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs
        self.said: list[str] = []
        self.client = SimpleNamespace(close=self._note("closed"))
        self._sender = SimpleNamespace(close=self._note("sender closed"))
        self._message_accumulator = SimpleNamespace(fail_all=lambda _error: None)

    async def start(self) -> None:
        try:
            if self._hangs:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.said.append("cut off")
            raise

    async def stop(self) -> None:
        self.said.append("stopped")

    def _note(self, what: str) -> Any:
        async def told() -> None:
            self.said.append(what)

        return told


async def test_a_producer_that_never_starts_is_let_go_and_the_next_one_takes_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(producers, "_START_SECONDS", (0.01,))
    monkeypatch.setattr(producers, "_WAIT_SECONDS", 20.0)
    made = [Stub(hangs=True), Stub(hangs=True), Stub(hangs=False)]
    waiting: list[Any] = list(made)
    link = Link("statements", lambda: waiting.pop(0))
    link.start()
    assert await link.get() is made[2]
    await link.stop()
    assert made[2].said == ["stopped"]
    for stub in made[:2]:
        assert {"cut off", "closed", "sender closed"} <= set(stub.said)
