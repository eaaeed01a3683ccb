"""Moves the identities of a plan to other students and back, as a registrar does while statements arrive."""

from __future__ import annotations

import time

from sqlalchemy import Engine

from ingest.identity import moving
from tests.faults.compare import Case, student_ids
from tests.faults.statements import HOME_PAGE


class Mover:
    """Does the moves of a case in their order, each when it is due and both accounts are known."""

    def __init__(self, engine: Engine, case: Case) -> None:
        self._engine = engine
        self._case = case
        self._left = list(case.plan.moves)
        self._began = time.monotonic()
        self.done: list[str] = []

    def tick(self) -> None:
        """Do the next move if it is time."""
        if not self._left or time.monotonic() < self._began + self._left[0].at:
            return
        known = student_ids(self._engine)
        move = self._left[0]
        if move.account in known and move.to in known:
            del self._left[0]
            self._case.former.setdefault(move.account, known[move.account])
            back = move.to == move.account
            self._move(move.account, None if back else known[move.to])
            self.done.append("identity moved back" if back else "identity moved")

    def finish(self) -> None:
        """Leave out what could not be done: an account that nobody has met."""
        while self._left:
            before = len(self._left)
            self._began = -1e9
            self.tick()
            if len(self._left) == before:
                del self._left[0]

    def _move(self, account: str, student: str | None) -> None:
        """To a student; None: back to where it came from."""
        now = time.time_ns() // 1000
        with self._engine.begin() as connection:
            found = moving.find(connection, f"{HOME_PAGE} {account}")
            if student is None:
                moving.unlink(connection, found, now, "faults", "it was right before")
            elif found.student_id != student:
                moving.link(connection, found, student, now, "faults", "another student's")
