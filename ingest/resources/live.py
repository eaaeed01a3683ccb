"""GET /live/statements: statements as they are accepted, as server-sent events (HTML Living Standard, 9.2).

Not of the specification, so it stands outside of /xapi and asks for no version.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar, Final

from aiokafka.errors import KafkaError

from infra.runtime.logging import bind_request, get_logger
from ingest.credentials import Credential
from ingest.errors import ApiError, broken
from ingest.http import Answer, Exchange, misused
from ingest.identity.matching import identifier
from ingest.resources.base import Door, Handler, Resource
from ingest.tail.choosing import Asked
from ingest.tail.hub import Hub
from ingest.tail.listener import event, heartbeat
from ingest.tail.places import Place, from_event_id
from ingest.xapi import terms
from ingest.xapi.agents import exact
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.matching import Wanted
from ingest.xapi.parse import parse
from ingest.xapi.validation.actors import actor

log = get_logger(__name__)

SANDBOX = Rule("live.sandbox", "live tail", "Listen with a credential that is not of the sandbox.")
LAST_ID = Rule("live.last_event_id", "live tail", "Send Last-Event-ID as it came with an event, or leave it out.")

_PARAMETERS: Final = frozenset(
    {"verb", "activity", "agent", "registration", "related_agents", "related_activities", "last_event_id"}
)
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies that hold answers back until they are large
)
_RETRY: Final = b"retry: 2000\n"


class LiveStatements(Resource):
    """Sends what the listener's provider sent, or everything to who may read everything."""

    speaks_xapi = False
    scopes: ClassVar = {"GET": "statements/read/mine"}

    def __init__(self, door: Door, hub: Hub, generation: int, heartbeat_seconds: float) -> None:
        super().__init__(door)
        self._hub = hub
        self._generation = generation
        self._heartbeat = heartbeat_seconds

    def methods(self) -> dict[str, Handler]:
        """GET, and HEAD, which answers the head alone."""
        return {"GET": self._get}

    async def _get(self, exchange: Exchange, by: Credential, _version: str) -> Answer:
        if by.sandbox:
            raise broken(403, SANDBOX, "what sandbox credentials send is in no log, and so in no tail")
        parameters = exchange.parameters(_PARAMETERS)
        asked = Asked("" if by.reads_all else by.provider_id, _wanted(parameters), _agent(parameters))
        last_id = exchange.header(b"last-event-id") or parameters.get("last_event_id", "")
        try:
            since = from_event_id(last_id, self._generation) if last_id else {}
        except ValueError as error:
            raise broken(400, LAST_ID, str(error)) from None
        if not exchange.silent:
            await self._hub.enter()
            exchange.stream = lambda: self._stream(exchange, asked, since)
        return 200, b"", list(_HEADERS)

    async def _stream(self, exchange: Exchange, asked: Asked, since: dict[int, Place] | None) -> None:
        telling = asyncio.create_task(self._tell(exchange, asked, since))
        gone = asyncio.create_task(exchange.gone())
        try:
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = gone.done()
            telling.cancel()
            gone.cancel()
            [error, _] = await asyncio.gather(telling, gone, return_exceptions=True)
        if isinstance(error, Exception):
            with bind_request(exchange.request_id):
                log.error("a listener was let go", error=repr(error))
        if not left:
            await exchange.send(b"", more=False)

    async def _tell(self, exchange: Exchange, asked: Asked, since: dict[int, Place] | None) -> None:
        listener = None
        try:
            await exchange.send(_RETRY + heartbeat(self._hub.now) if not since else _RETRY + b": going on\n\n")
            if since is None:  # of another generation of the log
                await exchange.send(event("gap", self._hub.now, b'{"dropped":null,"after":""}'))
            listener = await self._hub.resume(asked, since, exchange.send) if since else self._hub.join(asked)
            checked = time.monotonic()
            while not listener.closed:
                events = await listener.take(self._heartbeat)
                if time.monotonic() - checked >= self._heartbeat:
                    await self._door.authenticator.authenticate(exchange.headers.get(b"authorization"))
                    checked = time.monotonic()
                if not listener.closed:
                    await exchange.send(events or heartbeat(self._hub.now))
        except (ApiError, KafkaError, OSError) as error:
            log.info("a listener was let go", error=repr(error))
        finally:
            await self._hub.leave(listener)


def _wanted(parameters: dict[str, str]) -> Wanted:
    for name in ("verb", "activity"):
        if name in parameters and not terms.is_iri(parameters[name]):
            raise misused(name, f"{name} is no IRI")
    if "registration" in parameters and not terms.is_uuid(parameters["registration"]):
        raise misused("registration", "registration is no UUID")
    for name in ("related_agents", "related_activities"):
        if parameters.get(name, "false") not in ("true", "false"):
            raise misused(name, f"{name} is true or false")
    return Wanted(
        verb=parameters.get("verb", ""),
        activity=parameters.get("activity", ""),
        registration=parameters.get("registration", ""),
        related_agents=parameters.get("related_agents") == "true",
        related_activities=parameters.get("related_activities") == "true",
    )


def _agent(parameters: dict[str, str]) -> tuple[str, str] | None:
    if "agent" not in parameters:
        return None
    faults = Faults()
    value: Any = parse(parameters["agent"].encode(), faults)
    if not faults:
        actor(value, "agent", faults)
    if faults:
        raise ApiError(400, f"the parameter agent: {faults[0].message}", faults)
    return identifier(value, exact(value))
