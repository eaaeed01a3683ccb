"""The activities resource (Communication 2.5): an activity with all that is known of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error as StoreError
from urllib3.exceptions import HTTPError

from ingest.credentials import Credential
from ingest.errors import retry_after
from ingest.http import JSON, Answer, Exchange, misused
from ingest.progress import Progress
from ingest.reading.filters import Filter
from ingest.reading.pages import page
from ingest.reading.rows import Row
from ingest.reading.windows import Shares
from ingest.resources.base import Door, Handler, Resource
from ingest.resources.statement_reads import reads_of
from ingest.sandbox.store import Page, Sandbox
from ingest.store import Store
from ingest.xapi import merging, terms
from ingest.xapi.matching import Wanted
from ingest.xapi.parse import DECODER, ENCODER

_PARAMETERS: Final = frozenset({"activityId"})
_LOOKED_AT: Final = 100
"""Statements about the activity whose definitions are merged: so many of the first and so many of the last."""


class Activities(Resource):
    """/xapi/activities."""

    scopes = MappingProxyType({"GET": "statements/read/mine"})

    def __init__(self, door: Door, progress: Progress, store: Store, sandbox: Sandbox) -> None:
        super().__init__(door)
        self._progress = progress
        self._store = store
        self._sandbox = sandbox
        self._shares = Shares()

    def methods(self) -> dict[str, Handler]:
        return {"GET": self._get, "HEAD": self._get}

    async def _get(self, exchange: Exchange, by: Credential, _version: str) -> Answer:
        activity_id = exchange.parameters(_PARAMETERS).get("activityId")
        if not terms.is_iri(activity_id):
            raise misused("activityId", "GET needs the parameter activityId, an IRI")
        assert activity_id is not None
        await self._progress.own_writes(by.key)
        if by.sandbox:
            rows = await self._sandbox.page(by.provider_id, Page(Wanted(activity=activity_id), None, _LOOKED_AT))
            statements = [row.statement for row in reversed(rows)]
        else:
            whose, shares = reads_of(by), self._shares
            try:
                found = await self._store.run(lambda client: _first_and_last(client, activity_id, whose, shares))
            except (StoreError, HTTPError, OSError):
                raise retry_after(503, "the store does not answer: try again", 2) from None
            statements = [DECODER.decode(row.json) for row in found]
        told = merging.activity(activity_id, _definitions(statements, activity_id))
        return 200, ENCODER.encode(told), [JSON]


def _first_and_last(client: Client, activity_id: str, provider_id: str, shares: Shares) -> list[Row]:
    """Statements about an activity, earliest first, those in the middle left out where there are many."""
    wanted = Filter(limit=_LOOKED_AT - 1, activity=activity_id)
    last = page(client, wanted, provider_id, None, shares)[::-1]
    if len(last) < _LOOKED_AT:
        return last
    first = page(client, Filter(limit=_LOOKED_AT - 1, activity=activity_id, ascending=True), provider_id, None, shares)
    return [*first, *last]


def _definitions(statements: list[dict[str, Any]], activity_id: str) -> list[dict[str, Any]]:
    targets = [one["object"] for one in statements]
    return [
        target["definition"]
        for target in targets
        # What only refers to a statement about the activity is among them, too.
        if isinstance(target, dict) and target.get("id") == activity_id and "definition" in target
    ]
