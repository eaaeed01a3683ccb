"""The about resource (Communication 2.8): which versions are spoken; needs no credential."""

from __future__ import annotations

from typing import Final

from ingest.credentials import Credential
from ingest.http import JSON, Answer, Exchange
from ingest.resources.base import Handler, Resource
from ingest.xapi.parse import ENCODER
from ingest.xapi.version import ONE, TWO

_BODY: Final = ENCODER.encode({"version": [TWO, ONE]})


class About(Resource):
    """/xapi/about."""

    public = True

    def methods(self) -> dict[str, Handler]:
        return {"GET": self._get, "HEAD": self._get}

    async def _get(self, exchange: Exchange, _by: Credential, _version: str) -> Answer:
        exchange.parameters(frozenset())
        return 200, _BODY, [JSON]
