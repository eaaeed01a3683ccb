"""Statements from the analytics store, agents put back from the registry."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, select

from ingest.identity.matching import identifier
from ingest.xapi.agents import exact, keys, put_back
from ingest.xapi.parse import DECODER
from ingest.xapi.terms import VOIDED
from schemas.registry.tables import agents, identities

PAGE: Final = 100
"""Statements of a page when no limit is asked for, and at most."""

_NOT_VOIDED: Final = (
    "(verb_iri = {voiding:String} OR toString(statement_id) NOT IN"
    " (SELECT lower(activity) FROM statements FINAL WHERE verb_iri = {voiding:String}))"
)


class Filter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a GET asks for (Communication 2.1.3); also the content of a ``more`` cursor, so no state is kept.

    Times in µs, since exclusive, until inclusive. ``after``: stored and id of the last statement of the page before.
    """

    limit: int = PAGE
    ascending: bool = False
    identity: str = ""
    verb: str = ""
    activity: str = ""
    registration: str = ""
    since: int | None = None
    until: int | None = None
    after: tuple[int, str] | None = None


class Row(NamedTuple):
    """One statement of a page."""

    statement_id: str
    stored: int
    json: bytes


def cursor(wanted: Filter) -> str:
    """A filter as text for a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(wanted)).decode().rstrip("=")


def from_cursor(text: str) -> Filter:
    """The filter in a cursor; raises ValueError for anything else."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Filter)
    except ValueError as error:  # of base64, of UTF-8, of msgspec
        raise ValueError("is no cursor of this service") from error


def by_id(client: Client, statement_id: str, provider_id: str, *, voided: bool) -> bytes | None:
    """JSON of a provider's statement, which must be voided or must not be (Data 2.3.2); None where there is none."""
    found = client.query(
        "SELECT statement, verb_iri, (SELECT count() FROM statements FINAL"
        " WHERE verb_iri = {voiding:String} AND lower(activity) = {id:String}) > 0"
        " FROM statements FINAL WHERE statement_id = toUUID({id:String}) AND provider_id = {provider:String}"
        " ORDER BY stored LIMIT 1",
        parameters={"id": statement_id.lower(), "provider": provider_id, "voiding": VOIDED},
    ).result_rows
    if not found:
        return None
    text, verb_iri, target = found[0]
    is_voided = bool(target) and verb_iri != VOIDED
    return _bytes(text) if is_voided == voided else None


def page(client: Client, wanted: Filter, provider_id: str, group_keys: list[str]) -> list[Row]:
    """A provider's statements that match and are not voided, one more than the limit where there are more."""
    clauses = ["provider_id = {provider:String}", _NOT_VOIDED]
    parameters: dict[str, Any] = {"limit": wanted.limit + 1, "provider": provider_id, "voiding": VOIDED}
    for name, column in (("verb", "verb_iri"), ("activity", "activity")):
        if value := getattr(wanted, name):
            clauses.append(f"{column} = {{{name}:String}}")
            parameters[name] = value
    if wanted.registration:
        clauses.append("registration = toUUID({registration:String})")
        parameters["registration"] = wanted.registration
    if wanted.identity:
        clauses.append(
            "(startsWith(actor, {identity:String}) OR startsWith(activity, {identity:String})"
            " OR actor IN {groups:Array(String)} OR activity IN {groups:Array(String)})"
        )
        parameters["identity"] = f"{wanted.identity}."
        parameters["groups"] = group_keys
    for name, sign in (("since", ">"), ("until", "<=")):
        if (moment := getattr(wanted, name)) is not None:
            clauses.append(f"stored {sign} fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')")
            parameters[name] = moment
    if wanted.after is not None:
        sign = ">" if wanted.ascending else "<"
        clauses.append(f"(toUnixTimestamp64Micro(stored), toString(statement_id)) {sign} ({{at:Int64}}, {{id:String}})")
        parameters["at"], parameters["id"] = wanted.after
    order = "ASC" if wanted.ascending else "DESC"
    # Put together from the constants above: what was asked for is in the parameters.
    query = " ".join(
        (
            "SELECT toString(statement_id), toUnixTimestamp64Micro(stored), statement FROM statements FINAL WHERE",
            " AND ".join(clauses),
            f"ORDER BY stored {order}, toString(statement_id) {order}",
            "LIMIT {limit:UInt32}",
        )
    )
    rows = client.query(query, parameters=parameters).result_rows
    return [Row(str(key), int(stored), _bytes(text)) for key, stored, text in rows]


class AgentReader:
    """Agents of the registry, by key or by identifier; called in a thread."""

    def __init__(self, engine: Engine, home_page: str) -> None:
        self._engine = engine
        self._home_page = home_page
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="agents")

    def close(self) -> None:
        """Release the threads."""
        self.threads.shutdown(wait=False, cancel_futures=True)

    def put_back(self, statements: list[bytes]) -> list[dict[str, Any]]:
        """Statements with their agents, value for value."""
        decoded = [DECODER.decode(one) for one in statements]
        known = self._load({key for one in decoded for key in keys(one)})
        return [put_back(one, known) for one in decoded]

    def identity_of(self, agent: dict[str, Any]) -> str | None:
        """Identity of an agent or group; None for one that never appeared."""
        kind, value = identifier(agent, exact(agent))
        query = select(identities.c.identity_id).where(identities.c.kind == kind, identities.c.value == value)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def groups_of(self, identity: str) -> list[str]:
        """Keys of the groups that an identity is a member of: they match a filter by agent, too."""
        query = select(agents.c.agent_key).where(agents.c.json.contains(f'"{identity}.', autoescape=True))
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def _load(self, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
        known = self._read(set(wanted))
        inner = {key for one in known.values() for key in one.get("member", ())}
        if inner:
            of_groups = self._read(inner)
            for one in known.values():
                if "member" in one:
                    one["member"] = [of_groups[key] for key in one["member"]]
        return known

    def _read(self, wanted: set[str]) -> dict[str, dict[str, Any]]:
        query = select(agents.c.agent_key, agents.c.json).where(agents.c.agent_key.in_(wanted))
        with self._engine.connect() as connection:
            found = {key: DECODER.decode(text) for key, text in connection.execute(query)}
        for erased in wanted - found.keys():
            # An erased agent stays whole as an agent, and tells nothing.
            found[erased] = {"objectType": "Agent", "account": {"homePage": self._home_page, "name": erased}}
        return found


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
