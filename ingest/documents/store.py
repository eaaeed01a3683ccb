"""Documents in the registry: each write is one compare-and-set, right across processes, on SQLite and PostgreSQL.

Nothing is decided on what was read before, but by the WHERE of an update or the conflict of an insert; where another
process was faster, it is tried again on what that one wrote.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, delete, false, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from ingest.documents.conditions import Conditions
from ingest.documents.merging import merged
from schemas.registry.lrs import documents
from schemas.registry.tables import identities

_TRIES: Final = 100
_PAUSE_SECONDS: Final = 0.002


class Owner(msgspec.Struct, frozen=True):
    """Whose documents of which kind: the provider's, apart for its sandbox, of an activity, an agent or both."""

    kind: str
    provider_id: str
    sandbox: bool
    activity_id: str = ""
    identity_id: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where one document is kept; ``registration`` is empty where there is none."""

    owner: Owner
    name: str
    registration: str = ""

    def key(self) -> str:
        """Key in the table: a hash of all that names it."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()


class Document(msgspec.Struct, frozen=True):
    """A document as it is kept; ``updated_at`` in µs."""

    content_type: str
    content: bytes
    etag: str
    updated_at: int


class PreconditionError(Exception):
    """What a condition asked does not hold of the document that is there."""


class ConflictError(Exception):
    """A write without condition onto a document that is there, where that is refused."""


class BusyError(Exception):
    """Others were faster each time."""


def etag_of(content: bytes) -> str:
    """Entity tag: the SHA-1 of the content, hex (Communication 3.1)."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


class DocumentStore:
    """Documents by their place; called in threads. All methods raise SQLAlchemyError when the registry is away."""

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        """``clock`` gives µs since the epoch."""
        self._engine = engine
        self._clock = clock

    def identity_of(self, kind: str, value: str) -> str | None:
        """Identity of an agent by its identifier; None for one that was never told of."""
        query = select(identities.c.identity_id).where(identities.c.kind == kind, identities.c.value == value)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def get(self, place: Place) -> Document | None:
        """The document there."""
        own = documents.c
        query = select(own.content_type, own.content, own.etag, own.updated_at).where(own.document_key == place.key())
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return Document(row.content_type, bytes(row.content), row.etag, row.updated_at) if row else None

    def names(self, owner: Owner, registration: str, since: int | None) -> list[tuple[str, int]]:
        """Names of an owner's documents, oldest first, each with when it was last written (µs).

        ``registration``: empty for all of them; ``since``: only those written after (µs).
        """
        own = documents.c
        clause = _owned(owner, registration)
        query: Select[Any] = select(own.name, own.updated_at).where(clause).order_by(own.updated_at, own.name)
        if since is not None:
            query = query.where(own.updated_at > since)
        with self._engine.connect() as connection:
            # One name may stand under several registrations: it is told once, with its newest time.
            found = {row.name: row.updated_at for row in connection.execute(query)}
        return list(found.items())

    def put(self, place: Place, content_type: str, content: bytes, asked: Conditions, *, overwrite: bool) -> None:
        """Put a document in its place.

        ``overwrite``: without a condition it takes the place of what is there. Raises PreconditionError, and
        ConflictError where nothing was asked and something is there.
        """
        values = self._values(content_type, content)

        def attempt(connection: Connection) -> bool:
            if _update(connection, place, values, asked, allowed=overwrite or asked.given):
                return True
            if not asked.hold(None):
                raise PreconditionError
            if _insert(connection, place, values):
                return True
            if not (asked.given or overwrite):
                raise ConflictError
            # It is there: what was asked does not hold of it, or it came between the update and the insert.
            there = _etag(connection, place)
            if there is not None and not asked.hold(there):
                raise PreconditionError
            return False

        self._in_transactions(attempt)

    def post(self, place: Place, content_type: str, content: bytes, asked: Conditions) -> None:
        """Put a document in its place, merged with what is there; raises PreconditionError and MergeError."""

        def attempt() -> bool:
            there = self.get(place)
            if not asked.hold(there.etag if there else None):
                raise PreconditionError
            if there is None:
                values = self._values(content_type, content)
                with self._engine.begin() as transaction:
                    return _insert(transaction, place, values)
            values = self._values(content_type, merged(there.content, there.content_type, content, content_type))
            unchanged = and_(documents.c.etag == there.etag, documents.c.content_type == there.content_type)
            written = update(documents).where(documents.c.document_key == place.key(), unchanged).values(values)
            with self._engine.begin() as transaction:
                return bool(transaction.execute(written).rowcount)

        _until_done(attempt)

    def delete(self, place: Place, asked: Conditions) -> None:
        """Take a document away; one that is not there is no error unless a condition asks for it."""

        def attempt(connection: Connection) -> bool:
            mine = documents.c.document_key == place.key()
            if connection.execute(delete(documents).where(mine, _holds(asked))).rowcount:
                return True
            if not asked.hold(there := _etag(connection, place)):
                raise PreconditionError
            return there is None

        self._in_transactions(attempt)

    def delete_all(self, owner: Owner, registration: str) -> None:
        """Take away all documents of an owner; ``registration``: empty for all of them."""
        with self._engine.begin() as transaction:
            transaction.execute(delete(documents).where(_owned(owner, registration)))

    def _values(self, content_type: str, content: bytes) -> dict[str, Any]:
        return {
            "content_type": content_type,
            "content": content,
            "etag": etag_of(content),
            "updated_at": self._clock(),
        }

    def _in_transactions(self, attempt: Callable[[Connection], bool]) -> None:
        def one() -> bool:
            with self._engine.begin() as transaction:
                return attempt(transaction)

        _until_done(one)


def _until_done(attempt: Callable[[], bool]) -> None:
    for number in range(_TRIES):
        if attempt():
            return
        time.sleep(_PAUSE_SECONDS * min(number, 10))
    raise BusyError


def _holds(asked: Conditions) -> ColumnElement[bool]:
    """The conditions as a clause on the row that is there."""
    clause: ColumnElement[bool] = true()
    if (match := asked.match) is not None and not match.any:
        clause = and_(clause, documents.c.etag.in_(sorted(match.strong)))
    if (none := asked.none_match) is not None:
        clause = and_(clause, false() if none.any else documents.c.etag.not_in(sorted(none.strong | none.weak)))
    return clause


def _update(connection: Connection, place: Place, values: dict[str, Any], asked: Conditions, *, allowed: bool) -> bool:
    if not allowed:
        return False
    mine = documents.c.document_key == place.key()
    return bool(connection.execute(update(documents).where(mine, _holds(asked)).values(values)).rowcount)


def _insert(connection: Connection, place: Place, values: dict[str, Any]) -> bool:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    owner = msgspec.structs.asdict(place.owner)
    row = {"document_key": place.key(), "name": place.name, "registration": place.registration, **owner, **values}
    # RETURNING tells whether it was made: psycopg gives no row count here.
    made = dialect.insert(documents).values(row).on_conflict_do_nothing().returning(documents.c.document_key)
    return connection.execute(made).first() is not None


def _etag(connection: Connection, place: Place) -> str | None:
    return connection.execute(select(documents.c.etag).where(documents.c.document_key == place.key())).scalar()


def _owned(owner: Owner, registration: str) -> ColumnElement[bool]:
    own = documents.c
    clause = and_(*(own[name] == value for name, value in msgspec.structs.asdict(owner).items()))
    return and_(clause, own.registration == registration) if registration else clause
