"""Agents in the registry: put back into statements, and looked for by who they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, select, text

from ingest.identity.matching import identifier
from ingest.xapi.agents import exact, keys, put_back
from ingest.xapi.parse import DECODER, ENCODER
from schemas.registry.tables import agents, identities, identity_links

# As the partial index has it, to the letter: groups are few among many agents.
_GROUPS: Final = text("""json LIKE '%"member":[%'""")
_AT_ONCE: Final = 500

T_ = TypeVar("T_")


class Places(NamedTuple):
    """Where statements about an agent stand.

    ``keys``: of its variants and of the groups it is a member of. ``students``: under whom what these did is kept; a
    statement stays under the student it came in with, so those of the past are among them.
    """

    keys: list[str]
    students: list[str]


class Kept(NamedTuple):
    """A statement as it is stored, and the JSON of its agents by their keys."""

    statement: bytes
    agents: dict[str, str]

    def whole(self) -> dict[str, Any]:
        """The statement with its agents, value for value; a new one each time."""
        return put_back(DECODER.decode(self.statement), _decoded(self.agents))


class AgentReader:
    """Agents of the registry, by key or by identifier; called in a thread."""

    def __init__(self, engine: Engine, home_page: str) -> None:
        self._engine = engine
        self._home_page = home_page
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="agents")

    def close(self) -> None:
        """Release the threads."""
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, call: Callable[[], T_]) -> T_:
        """One of the calls below, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)

    def put_back(self, statements: list[bytes]) -> list[dict[str, Any]]:
        """Statements with their agents, value for value."""
        decoded = [DECODER.decode(one) for one in statements]
        known = _decoded(self._texts({key for one in decoded for key in keys(one)}))
        return [put_back(one, known) for one in decoded]

    def with_agents(self, statements: Iterable[bytes]) -> list[Kept]:
        """Statements, each with what its agents are put back from."""
        own = [(one, set(keys(DECODER.decode(one)))) for one in statements]
        texts = self._texts({key for _, wanted in own for key in wanted})
        return [Kept(one, {key: texts[key] for key in _with_members(wanted, texts)}) for one, wanted in own]

    def identity_of(self, agent: dict[str, Any]) -> str | None:
        """Identity of an agent or group; None for one that never appeared."""
        kind, value = identifier(agent, exact(agent))
        query = select(identities.c.identity_id).where(identities.c.kind == kind, identities.c.value == value)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def places(self, identity: str) -> Places:
        """Where an identity's statements stand."""
        with self._engine.connect() as connection:
            own = list(connection.execute(select(agents.c.agent_key).where(agents.c.identity_id == identity)).scalars())
            member = agents.c.json.contains(f'"{identity}.', autoescape=True)
            groups = connection.execute(select(agents.c.agent_key, agents.c.json).where(_GROUPS, member)).all()
            # What a group does is kept under its first member.
            firsts = {DECODER.decode(row.json)["member"][0].partition(".")[0] for row in groups}
            students = _students(connection, {identity, *firsts})
        return Places([*own, *(row.agent_key for row in groups)], sorted(students))

    def variants(self, identity: str) -> list[dict[str, Any]]:
        """All that an identity was sent as, oldest first, a group without its members."""
        query = select(agents.c.agent_key, agents.c.json).where(agents.c.identity_id == identity)
        with self._engine.connect() as connection:
            found = list(connection.execute(query).all())
        found.sort(key=lambda row: int(row.agent_key.rpartition(".")[2]))
        return [DECODER.decode(row.json) for row in found]

    def _texts(self, wanted: set[str]) -> dict[str, str]:
        """JSON of agents, and of the members of those that are groups."""
        known = self._read(wanted)
        inner = _members(known.values()) - known.keys()
        return {**known, **self._read(inner)} if inner else known

    def _read(self, wanted: set[str]) -> dict[str, str]:
        ordered = sorted(wanted)
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(ordered), _AT_ONCE):
                some = agents.c.agent_key.in_(ordered[start : start + _AT_ONCE])
                rows = connection.execute(select(agents.c.agent_key, agents.c.json).where(some))
                found.update((key, told) for key, told in rows)
        for erased in wanted - found.keys():
            # An erased agent stays whole as an agent, and tells nothing.
            told = {"objectType": "Agent", "account": {"homePage": self._home_page, "name": erased}}
            found[erased] = ENCODER.encode(told).decode()
        return found


def _members(agents: Iterable[str]) -> set[str]:
    return {key for one in agents if '"member"' in one for key in DECODER.decode(one).get("member", ())}


def _with_members(wanted: set[str], texts: dict[str, str]) -> set[str]:
    return wanted | _members(texts[key] for key in wanted)


def _decoded(texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {key: DECODER.decode(told) for key, told in texts.items()}
    for one in known.values():
        if "member" in one:
            one["member"] = [known[key] for key in one["member"]]
    return known


def _students(connection: Connection, of: set[str]) -> set[str]:
    own, moved = identities.c, identity_links.c
    found: set[str | None] = set(connection.execute(select(own.student_id).where(own.identity_id.in_(of))).scalars())
    for row in connection.execute(select(moved.from_student, moved.to_student).where(moved.identity_id.in_(of))):
        found |= {row.from_student, row.to_student}
    return {student for student in found if student is not None}
