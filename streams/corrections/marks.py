"""How far a finder has looked, in the registry: a worker that takes over goes on where the last one ended."""

from __future__ import annotations

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from schemas.registry.tables import marks

_STEP_US = 1_000_000


class Mark:
    """The mark of one finder; read when it is made."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._mine = marks.c.name == name
        self._name = name
        with engine.connect() as connection:
            self.until: int | None = connection.scalar(select(marks.c.until).where(self._mine))

    def advance(self, until: int) -> None:
        """Everything stored before ``until`` (µs) was looked at; a mark does not go back."""
        if until < (self.until or 0) + _STEP_US:
            return
        if not self._raise(until):
            self._make(until)
        self.until = until

    def _raise(self, until: int) -> bool:
        further = self._mine & (marks.c.until < until)
        with self._engine.begin() as connection:
            return bool(connection.execute(update(marks).where(further).values(until=until)).rowcount)

    def _make(self, until: int) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(marks).values(name=self._name, until=until))
        except IntegrityError:  # another worker is as far, or was first
            return
