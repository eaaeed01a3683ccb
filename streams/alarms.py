"""What operations has to look at: rows of the table alarms, raised once, cleared once, known again after a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Template

from infra.runtime.logging import get_logger
from streams.rows import tables
from streams.rows.tables import Row
from streams.sink import Sink

log = get_logger(__name__)

_STANDING = Template(
    "SELECT subject, toUnixTimestamp64Micro(since), message FROM alarms FINAL WHERE alarm = '$kind' AND until IS NULL"
)


class Alarms:
    """Alarms of one kind, by subject; one thread at a time. ``clock`` tells now in µs."""

    def __init__(self, sink: Sink, kind: str, clock: Callable[[], int]) -> None:
        """``kind``: short code, the column ``alarm``."""
        self._sink = sink
        self._kind = kind
        self._clock = clock
        self._standing: dict[str, tuple[int, str]] | None = None

    def set(self, wanted: Mapping[str, str], among: Callable[[str], bool] = lambda subject: True) -> None:
        """Have exactly these stand: messages by subject. New ones are raised, changed ones told, others cleared.

        Subjects that are not ``among`` those that this worker speaks for are left as they stand.
        """
        if self._standing is None:
            self._standing = self._read()
        now = self._clock()
        rows: list[Row] = []
        standing: dict[str, tuple[int, str]] = {}
        for subject, message in wanted.items():
            since, told = self._standing.get(subject, (now, ""))
            standing[subject] = since, message
            if not told:
                log.error("alarm", alarm=self._kind, subject=subject, message=message)
            if told != message:
                rows.append((self._kind, subject, since, None, message, now))
        for subject, (since, message) in self._standing.items():
            if subject in wanted:
                continue
            if not among(subject):
                standing[subject] = since, message
            else:
                log.info("alarm is over", alarm=self._kind, subject=subject)
                rows.append((self._kind, subject, since, now, message, now))
        for refused in self._sink.insert(tables.ALARMS, rows):
            log.warning("refused by ClickHouse", table=tables.ALARMS.table, error=refused.message)
        self._standing = standing

    def forget(self) -> None:
        """Somebody else keeps them from now on: what stands is read again when they come back here."""
        self._standing = None

    def _read(self) -> dict[str, tuple[int, str]]:
        # The kind is a word of this program, not of anybody outside.
        columns = self._sink.read(_STANDING.substitute(kind=self._kind))
        return {subject: (since, message) for subject, since, message in zip(*columns, strict=True)}
