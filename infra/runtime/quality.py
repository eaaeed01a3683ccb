"""Reports on the quality of models in the registry: kept by the command, read by the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, insert, select

from infra.runtime.logging import get_logger
from schemas.registry.insight import quality_reports
from schemas.reports import Kind, Report, decode, encode


class Kept(NamedTuple):
    """A report as it is kept. ``source``: "store" for the district's own records, else the name of the data."""

    report_id: str
    source: str
    created_at: datetime
    report: Report


STORE = "store"
"""Source of reports on the district's own records."""


def keep(connection: Connection, report: Report, source: str, now_us: int) -> str:
    """Keep a report; returns its id."""
    report_id = str(uuid4())
    connection.execute(
        insert(quality_reports).values(
            report_id=report_id,
            kind=report.kind,
            source=source,
            created_at=now_us,
            report=encode(report).decode(),
        )
    )
    return report_id


def newest(connection: Connection, kind: Kind, source: str | None = None, *, elsewhere: bool = False) -> Kept | None:
    """The newest report of a kind: of one source, of any, or on any data but the district's own (``elsewhere``).

    One that cannot be read is passed over.
    """
    asked = select(quality_reports).where(quality_reports.c.kind == kind).order_by(quality_reports.c.created_at.desc())
    if source is not None:
        asked = asked.where(quality_reports.c.source == source)
    if elsewhere:
        asked = asked.where(quality_reports.c.source != STORE)
    for row in connection.execute(asked):
        try:
            report = decode(row.report)
        except msgspec.MsgspecError as error:
            get_logger(__name__).warning("a report cannot be read", report=row.report_id, error=str(error))
            continue
        return Kept(row.report_id, row.source, datetime.fromtimestamp(row.created_at / 1e6, UTC), report)
    return None
