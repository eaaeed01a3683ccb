"""Ids that requests take with their content, and who may have them: the rule, apart from where it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

Taking = tuple[bytes, int]
"""The 16 bytes of an id, and the digest of the content that it is to stand for."""


_NONE: Final[Mapping[bytes, int]] = {}


class ReservationsAwayError(Exception):
    """Who has which id cannot be told now."""


def code(statement_id: str) -> bytes:
    """The bytes of an id."""
    return bytes.fromhex(statement_id.replace("-", ""))


class Reservations(Protocol):
    """Ids that ingest processes took lately. Shared by all of them: of two that take one id at once, one is first."""

    async def take(self, requests: Sequence[Sequence[Taking]]) -> list[list[int]]:
        """Take the ids of requests that go together, in order, each request whole or not at all.

        For each request the indexes of what another content has; empty: all is taken, or was by equal content before.
        Raises ReservationsAwayError.
        """

    async def run(self) -> None:
        """What is to be done beside the requests, until cancelled."""

    def close(self) -> None:
        """Release files and threads."""


def decide(
    requests: Sequence[Sequence[Taking]], now: Mapping[bytes, int], before: Mapping[bytes, int] = _NONE
) -> tuple[list[list[int]], dict[bytes, int]]:
    """Conflicts of each request, and what is newly taken by those that have none; ``now`` and ``before`` tell what ids
    stand for, and what only the latter knows is taken again.

    A refused request takes nothing: what was right in it may be sent with another content later.
    """
    conflicts: list[list[int]] = []
    taken: dict[bytes, int] = {}
    for request in requests:
        own = dict(request)
        ids, wrong = own.keys(), []
        new = all(ids.isdisjoint(one.keys()) for one in (taken, now, before))
        if not new or len(own) < len(request):
            own = {}
            for index, (one, digest) in enumerate(request):
                known = now.get(one)
                if known is None:
                    known = before.get(one)
                    known = own.setdefault(one, taken.get(one, digest) if known is None else known)
                if known != digest:
                    wrong.append(index)
        conflicts.append(wrong)
        if not wrong:
            taken.update(own)
    return conflicts, taken
