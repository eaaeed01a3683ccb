"""From items of the log to statements as another LRS takes them: chosen, agents put back, in its version."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from ingest.attachments.store import AttachmentStore
from ingest.forwarding.delivery import Outgoing
from ingest.forwarding.rules import Forward, from_provider, wants
from ingest.tail.choosing import PutBack
from ingest.xapi.formats import in_version
from ingest.xapi.parse import DECODER, ENCODER
from schemas.events import Item

_AT_ONCE: Final = 200


class Preparing:
    """Needs the registry for agents and the attachment store for what goes with a statement."""

    def __init__(self, put_back: PutBack, attachments: AttachmentStore) -> None:
        self._put_back = put_back
        self._attachments = attachments

    async def outgoing(self, forward: Forward, items: Sequence[tuple[int, Item]]) -> AsyncIterator[Outgoing]:
        """The statements that a forward wants, in order; raises what the registry and the store raise."""
        chosen = [
            item
            for _, item in items
            if from_provider(item, forward.filter) and wants(item, DECODER.decode(item.statement), forward.filter)
        ]
        for begin in range(0, len(chosen), _AT_ONCE):
            some = chosen[begin : begin + _AT_ONCE]
            told = await self._put_back([item.statement for item in some])
            for item, statement in zip(some, told, strict=True):
                yield await self.one(item.statement_id, statement, forward.version, item.stored)

    async def one(self, statement_id: str, statement: dict[str, Any], version: str, stored: int) -> Outgoing:
        """A statement whose agents are put back, with the data of its attachments as far as it is kept here."""
        parts = []
        for attachment in attachments_of(statement):
            sha2 = attachment["sha2"].lower()
            if (data := await self._attachments.get(sha2)) is not None:
                parts.append((attachment["contentType"], attachment["sha2"], data))
        return Outgoing(statement_id, ENCODER.encode(in_version(statement, version)), tuple(parts), stored)


def attachments_of(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """Attachments of a statement and of the SubStatement in it."""
    found = list(statement.get("attachments", ()))
    target = statement["object"]
    if isinstance(target, dict) and target.get("objectType") == "SubStatement":
        found += target.get("attachments", ())
    return found
