"""What is not there under /xapi: a 404 in words, with the headers of every answer."""

from __future__ import annotations

from ingest.credentials import Credential
from ingest.errors import broken
from ingest.http import Answer, Exchange
from ingest.resources.base import Handler, Resource
from ingest.xapi.faults import Rule

RESOURCE = Rule(
    "resource",
    "1.0.3 Communication 2.0",
    "Use a resource of xAPI: statements, activities, agents, their profiles and states, or about, under /xapi/.",
)


class Missing(Resource):
    """Any other path under /xapi."""

    public = True

    def methods(self) -> dict[str, Handler]:
        return dict.fromkeys(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"), self._refuse)

    async def _refuse(self, exchange: Exchange, _by: Credential, _version: str) -> Answer:
        raise broken(404, RESOURCE, f"{exchange.path[:100]} is no resource that is served here")
