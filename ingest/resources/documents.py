"""State, agent profile and activity profile resources (Communication 2.2, 2.3, 2.6 and 2.7)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import ClassVar, Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from ingest.credentials import Credential
from ingest.documents import asked as parameters
from ingest.documents.conditions import Conditions, conditions
from ingest.documents.merging import MergeError, is_json, properties
from ingest.documents.store import BusyError, ConflictError, DocumentStore, Owner, Place, PreconditionError
from ingest.errors import ApiError, broken, retry_after
from ingest.http import CONTENT_TYPE, JSON, Answer, Exchange, Headers
from ingest.identity.matching import identifier
from ingest.identity.resolver import Request, Resolver
from ingest.resources.base import Door, Handler, Resource
from ingest.xapi.agents import exact
from ingest.xapi.faults import Rule
from ingest.xapi.parse import ENCODER
from ingest.xapi.version import TWO

NOT_FOUND = Rule("document.not_found", "1.0.3 Communication 2.2", "Ask for a document that was written before.")
PRECONDITION = Rule(
    "document.precondition", "1.0.3 Communication 3.1", "Read the document again and send its ETag as If-Match."
)
CONFLICT = Rule(
    "document.conflict", "1.0.3 Communication 3.1", "Read the document and send its ETag as If-Match to replace it."
)
CONDITION_MISSING = Rule(
    "document.condition_missing",
    "1.0.3 Communication 3.1",
    "Send If-None-Match: * for a new one, If-Match for one that is there.",
)
MERGE = Rule("document.merge", "1.0.3 Communication 2.2", "POST a JSON object onto a JSON object, or PUT the whole.")

_THREADS: Final = 4
_METHODS: Final = ("GET", "PUT", "POST", "DELETE")
_OPAQUE: Final = "application/octet-stream"
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{1,255}").fullmatch
# A document is whatever somebody wrote: a browser is to show it as nothing else, and to run none of it.
_INERT: Final = ((b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"sandbox"))

T_ = TypeVar("T_")


class Registry:
    """What the resources share: the documents, the agents they belong to, and threads in which both are asked."""

    def __init__(self, store: DocumentStore, resolver: Resolver, limit: int, timeout_seconds: float) -> None:
        """``limit``: the largest document, in bytes."""
        self.store = store
        self.limit = limit
        self._resolver = resolver
        self._timeout = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="documents")

    def close(self) -> None:
        """Release the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, call: Callable[[], T_]) -> T_:
        """Ask the registry; raises ApiError 503 when it does not answer, or not in time, and what the store raises."""
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except (SQLAlchemyError, BusyError, TimeoutError):
            raise retry_after(503, "the registry does not answer: try again", 2) from None

    async def identity(self, asked: dict[str, str], *, make: bool) -> str:
        """Identity of the parameter agent; empty for one that was never told of and is not to be made."""
        agent = parameters.agent(asked)
        text = exact(agent)
        known = self._resolver.cached(text, acting=False)
        if known is None and make:
            # It acts nowhere yet: no student is made for it.
            known = (await self._resolver.resolve({text: Request(agent, False)}))[text]
        if known is not None:
            return known.identity.identity_id
        kind, value = identifier(agent, text)
        return await self.run(lambda: self.store.identity_of(kind, value)) or ""


class Documents(Resource):
    """One of the three; subclasses say what names a document."""

    kind: ClassVar[str]
    name: ClassVar[str]
    """Parameter that names one document."""
    owned_by: ClassVar[frozenset[str]]
    """Parameters that name whose it is: activityId, agent or both."""
    registrations: ClassVar[bool] = False

    def __init__(self, door: Door, registry: Registry) -> None:
        super().__init__(door)
        self._registry = registry
        self._one = self.owned_by | {self.name} | ({"registration"} if self.registrations else frozenset())

    def methods(self) -> dict[str, Handler]:
        return {"GET": self._get, "PUT": self._put, "POST": self._post, "DELETE": self._delete}

    async def _get(self, exchange: Exchange, by: Credential, _version: str) -> Answer:
        asked = exchange.parameters(self._one | {"since"})
        since, registration = parameters.since(asked), parameters.registration(asked)
        one = parameters.text(asked, self.name) if self.name in asked else None
        owner = await self._owner(asked, by, make=False)
        if one is None:
            return await self._names(owner, registration, since)
        document = await self._registry.run(lambda: self._registry.store.get(Place(owner, one, registration)))
        if document is None:
            raise broken(404, NOT_FOUND, "there is no such document")
        headers: Headers = [
            (b"etag", f'"{document.etag}"'.encode()),
            (b"last-modified", _date(document.updated_at)),
        ]
        if _conditions(exchange).names(document.etag):
            return 304, b"", headers
        return 200, document.content, [(b"content-type", document.content_type.encode("latin-1")), *headers, *_INERT]

    async def _names(self, owner: Owner, registration: str, since: int | None) -> Answer:
        found = await self._registry.run(lambda: self._registry.store.names(owner, registration, since))
        headers: Headers = [JSON]
        if found:
            headers.append((b"last-modified", _date(max(written for _, written in found))))
        return 200, ENCODER.encode([name for name, _ in found]), headers

    async def _put(self, exchange: Exchange, by: Credential, version: str) -> Answer:
        content, content_type, place = await self._written(exchange, by)
        asked, store = _conditions(exchange), self._registry.store
        if not asked.given and version != TWO and not self.registrations:
            # 1.0.3: a profile is never put unseen.
            there = await self._registry.run(lambda: store.get(place))
            raise _conflict() if there else broken(400, CONDITION_MISSING, "neither If-Match nor If-None-Match is sent")
        overwrite = version != TWO and self.registrations
        await self._write(lambda: store.put(place, content_type, content, asked, overwrite=overwrite))
        return 204, b"", []

    async def _post(self, exchange: Exchange, by: Credential, _version: str) -> Answer:
        content, content_type, place = await self._written(exchange, by)
        if is_json(content_type):
            try:
                properties(content, "the document that was posted")
            except MergeError as error:
                raise broken(400, MERGE, str(error)) from None
        asked = _conditions(exchange)
        await self._write(lambda: self._registry.store.post(place, content_type, content, asked))
        return 204, b"", []

    async def _delete(self, exchange: Exchange, by: Credential, _version: str) -> Answer:
        asked = exchange.parameters(self._one)
        registration, conditions_ = parameters.registration(asked), _conditions(exchange)
        if self.name not in asked and self.registrations:
            owner = await self._owner(asked, by, make=False)
            if conditions_.given:
                raise broken(412, PRECONDITION, "many documents have no ETag: name one by its stateId")
            await self._registry.run(lambda: self._registry.store.delete_all(owner, registration))
            return 204, b"", []
        name = parameters.text(asked, self.name)
        place = Place(await self._owner(asked, by, make=False), name, registration)
        await self._write(lambda: self._registry.store.delete(place, conditions_))
        return 204, b"", []

    async def _written(self, exchange: Exchange, by: Credential) -> tuple[bytes, str, Place]:
        """Content, content type and place of a request that writes one document."""
        asked = exchange.parameters(self._one)
        name, registration = parameters.text(asked, self.name), parameters.registration(asked)
        content_type = exchange.header(b"content-type") or _OPAQUE
        if not _HEADER_VALUE(content_type):
            raise broken(400, CONTENT_TYPE, "the content type is too long, or has characters that no header has")
        content = await exchange.body(self._registry.limit)
        return content, content_type, Place(await self._owner(asked, by, make=True), name, registration)

    async def _write(self, call: Callable[[], None]) -> None:
        try:
            await self._registry.run(call)
        except PreconditionError:
            raise broken(412, PRECONDITION, "the document there is not the one that the request asks for") from None
        except ConflictError:
            raise _conflict() from None
        except MergeError as error:
            raise broken(400, MERGE, str(error)) from None

    async def _owner(self, asked: dict[str, str], by: Credential, *, make: bool) -> Owner:
        activity = parameters.iri(asked, "activityId") if "activityId" in self.owned_by else ""
        identity = ""
        if "agent" in self.owned_by:
            # "?" is no identity's id: nothing is kept under it.
            identity = await self._registry.identity(asked, make=make) or "?"
        return Owner(self.kind, by.provider_id, by.sandbox, activity, identity)


class State(Documents):
    """/xapi/activities/state (Communication 2.3)."""

    kind = "state"
    name = "stateId"
    scopes = dict.fromkeys(_METHODS, "state")
    owned_by = frozenset({"activityId", "agent"})
    registrations = True


class ActivityProfile(Documents):
    """/xapi/activities/profile (Communication 2.7)."""

    kind = "activity_profile"
    name = "profileId"
    scopes = dict.fromkeys(_METHODS, "profile")
    owned_by = frozenset({"activityId"})


class AgentProfile(Documents):
    """/xapi/agents/profile (Communication 2.6)."""

    kind = "agent_profile"
    name = "profileId"
    scopes = dict.fromkeys(_METHODS, "profile")
    owned_by = frozenset({"agent"})


def _conditions(exchange: Exchange) -> Conditions:
    return conditions(exchange.header(b"if-match"), exchange.header(b"if-none-match"))


def _conflict() -> ApiError:
    return broken(409, CONFLICT, "there is a document already, and the request does not say which one it replaces")


def _date(moment: int) -> bytes:
    """µs since the epoch as an HTTP date."""
    return formatdate(moment / 1_000_000, usegmt=True).encode()
