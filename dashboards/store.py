"""The one way from a page to the facts: every question is asked by a viewer, and answered within their scope."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import Empty, LifoQueue
from typing import Any
from uuid import UUID

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, Error, OperationalError
from clickhouse_connect.driver.httputil import get_pool_manager
from sqlalchemy import Engine
from urllib3.exceptions import HTTPError

from dashboards import people, suppression
from dashboards.access import OUTSIDE, Decision, StudentFacts, Viewer, decide, may, provider_filter, row_filter
from dashboards.queries import Query, Scope, load
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import Settings

Row = dict[str, Any]
"""One row of an answer. Times are aware, in UTC; ids of students are strings."""

_REMEMBERED = 500
_PULSE_SECONDS = 3.0
"""A server that says nothing for so long is taken to be away."""


class StoreError(RuntimeError):
    """The store does not answer, or not with an answer."""


class NotAllowedError(RuntimeError):
    """The viewer may not ask this; the decision says why."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


class Store:
    """Questions to ClickHouse, asked by a viewer.

    Safe to share between threads. An answer is remembered for ``remember_s`` seconds for all who may see exactly the
    same, so that many open pages cost as much as one.

    Args:
        settings: the whole tree.
        registry: where the roster stands that decides about a student.
        remember_s: seconds for which an answer is good, where its query does not say more; 0: always ask.
        now: the clock of the audit rows.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Engine,
        *,
        remember_s: float | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._now = now
        self._remember_s = settings.dashboards.refresh_seconds / 2 if remember_s is None else remember_s
        self._clients: LifoQueue[Client] = LifoQueue()
        self._answers: dict[tuple[object, ...], tuple[float, list[Row]]] = {}
        self._lock = threading.Lock()
        address = settings.clickhouse
        self._ping = f"http{'s' if address.secure else ''}://{address.host}:{address.port}/ping"
        self._pool = get_pool_manager()
        self._heard_at = self._silent_at = float("-inf")

    def query(self, viewer: Viewer, name: str, **parameters: Any) -> list[Row]:
        """The rows that answer queries/<name>.sql, within the viewer's scope.

        Raises:
            NotAllowedError: the viewer's role may not ask this, or may not see this student.
            StoreError: ClickHouse does not answer.
        """
        query = load()[name]
        self._authorise(viewer, query, parameters)
        key = (name, viewer.cache_key, repr(sorted(parameters.items())))
        with self._lock:
            known = self._answers.get(key)
        if known and time.monotonic() < known[0]:
            return known[1]
        rows = self._ask(query, parameters | self._narrowing(viewer, query))
        if spec := query.suppress:
            threshold = self._settings.dashboards.suppress_below
            rows = suppression.suppress(rows, group=spec.group, size=spec.size, counts=spec.counts, threshold=threshold)
        with self._lock:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            good_for = max(self._remember_s, query.good_for_s) if self._remember_s else 0.0
            self._answers[key] = (time.monotonic() + good_for, rows)
        return rows

    def open_student(self, viewer: Viewer, student_id: str, page: str) -> tuple[StudentFacts, Decision]:
        """Decide about a student's record and write it to the audit, once for each time a page is opened.

        Raises:
            NotAllowedError: not in the viewer's scope, or no such student; the same words for both.
            StoreError: the audit cannot be written, so nothing is shown.
        """
        facts = people.student_facts(self._registry, student_id) if _is_uuid(student_id) else None
        decision = _decide(viewer, facts)
        if _is_uuid(student_id):
            self.record(viewer, page, {student_id: decision})
        if not decision.allowed or facts is None:
            raise NotAllowedError(decision)
        return facts, decision

    def open_section(self, viewer: Viewer, section_id: str, page: str, decision: Decision) -> list[str]:
        """Ids of the students of a section that are open to the viewer; each is written to the audit, open or not.

        ``decision`` is the one about the section: where it refuses, no student is open.

        Raises:
            NotAllowedError: the section is not in the viewer's scope.
            StoreError: the audit cannot be written, so nothing is shown.
        """
        found = people.section_facts(self._registry, section_id)
        decided = {one.student_id: decide(viewer, one) if decision.allowed else decision for one in found}
        if decided:
            self.record(viewer, page, decided)
        if not decision.allowed:
            raise NotAllowedError(decision)
        return [student for student, one in decided.items() if one.allowed]

    def record(self, viewer: Viewer, page: str, decided: Mapping[str, Decision], action: str = "view") -> None:
        """Write to the audit what somebody did with students' records, or was refused; raises StoreError."""
        now = self._now()
        rows = [
            [
                now,
                viewer.staff_id,
                viewer.role.value,
                UUID(student),
                page,
                action if one.allowed else "denied",
                one.reason,
            ]
            for student, one in decided.items()
        ]
        names = ["at", "viewer_id", "role", "student_id", "page", "action", "reason"]
        with self._client() as client:
            client.insert("audit", rows, column_names=names)
        self._forget("student_access")

    def _authorise(self, viewer: Viewer, query: Query, parameters: Row) -> None:
        if query.scope.area is not None and not (decision := may(viewer, query.scope.area)).allowed:
            raise NotAllowedError(decision)
        if query.scope is Scope.STUDENT:
            student_id = str(parameters["student"])
            facts = people.student_facts(self._registry, student_id) if _is_uuid(student_id) else None
            decision = _decide(viewer, facts)
            if not decision.allowed:
                raise NotAllowedError(decision)

    def _narrowing(self, viewer: Viewer, query: Query) -> Row:
        wanted: Row = {"generation": self._settings.kafka.generation, **row_filter(viewer), **provider_filter(viewer)}
        return {name: value for name, value in wanted.items() if name in query.parameters}

    def _ask(self, query: Query, parameters: Row) -> list[Row]:
        with self._client() as client:
            result = client.query(query.sql, parameters=parameters, tz_mode="aware")
            return [dict(row) for row in result.named_results()]

    def _forget(self, name: str) -> None:
        with self._lock:
            self._answers = {key: value for key, value in self._answers.items() if key[0] != name}

    @contextmanager
    def _client(self) -> Iterator[Client]:
        """A client of one's own; one that failed is not used again."""
        try:
            self._feel_pulse()
            try:
                client = self._clients.get_nowait()
            except Empty:
                client = open_clickhouse(self._settings.clickhouse)
            yield client
        except (OperationalError, HTTPError, OSError) as error:
            raise StoreError("The store of records does not answer.") from error
        except DatabaseError as error:
            raise StoreError("The store of records answered with an error.") from error
        except Error as error:
            raise StoreError("The store of records could not be asked.") from error
        self._clients.put(client)
        self._heard_at = time.monotonic()

    def _feel_pulse(self) -> None:
        """Raises HTTPError when the server does not even say that it is there: a question would wait for a minute.

        What one found is good for all for a few seconds, so that a page with many questions says at once what is wrong.
        """
        now = time.monotonic()
        if now - self._silent_at < _PULSE_SECONDS:
            raise HTTPError(f"silent at {self._ping}")
        if now - self._heard_at < _PULSE_SECONDS:
            return
        try:
            self._pool.request("GET", self._ping, timeout=_PULSE_SECONDS, retries=False)
        except HTTPError:
            self._silent_at = time.monotonic()
            raise
        self._heard_at = time.monotonic()


def _decide(viewer: Viewer, facts: StudentFacts | None) -> Decision:
    """Unknown students get the answer of students out of scope: whether an id exists is nobody's to learn."""
    return decide(viewer, facts) if facts else Decision(False, OUTSIDE)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
