"""Posts a data set as a provider: catalogue first, then each student's responses in order, until all are kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from infra.dev.accounts import Account, account
from infra.dev.bar import Bar
from infra.dev.posting import Connection, GaveUpError
from infra.dev.replay import assistments
from infra.dev.replay.dataset import DataSetError, Response, SkillMatrix, locate, responses
from infra.dev.replay.verify import verify
from infra.dev.simulation.report import Report, say
from infra.dev.simulation.seed import add_missing
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings
from schemas.registry import tables


@dataclass(frozen=True, slots=True)
class Options:
    """What a replay may choose.

    Attributes:
        data: folder of the data set.
        split: which file of responses, train or test.
        url: base of the LRS; empty: the one of the settings.
        rate: statements a second, all connections together; 0: as fast as they are taken.
        connections: the students are shared out among so many.
        batch: most statements in a request.
        limit: the first so many responses; 0: all.
        patience: for one request while the LRS is away, s.
        verify: compare the store with the file afterwards.
        settle: how long the store may take until it agrees, s.
    """

    data: Path
    split: str = "test"
    url: str = ""
    rate: float = 0.0
    connections: int = 4
    batch: int = 100
    limit: int = 0
    patience: float = 600.0
    verify: bool = False
    settle: float = 300.0


class RefusedError(RuntimeError):
    """The LRS refused responses for good; going on would leave a gap in a student's order."""


def run(settings: Settings, options: Options) -> int:
    """Replay, report, and verify where asked; returns an exit code."""
    try:
        responses_file, skills_file = locate(options.data, options.split)
        told = list(responses(responses_file, options.limit))
        matrix = SkillMatrix(skills_file)
        engine = open_registry(settings.registry_url())
        try:
            own = account(engine, settings.data_dir, assistments.PROVIDER_ID, assistments.PROVIDER_NAME)
            new = register(engine, told, matrix)
        finally:
            engine.dispose()
        say(f"{len(told):,} responses of {len({r.user for r in told}):,} students; {new:,} new rows in the catalogue")
        if new:
            # Alignments are resolved at the door: nothing may be posted before ingest has read them.
            time.sleep(2 * settings.ingest.catalogue_refresh_seconds + 1.0)
        report = asyncio.run(post(settings, options, own, told))
    except (DataSetError, GaveUpError, RefusedError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped; started again, it posts all anew under the same ids, and what is kept counts as duplicates")
        return 130
    say(f"replay: {report}")
    if not options.verify:
        return 0
    figures = verify(settings, options.split, told, matrix, settle=options.settle)
    say(str(figures))
    return 0 if figures.holds else 1


def register(engine: Engine, told: Sequence[Response], matrix: SkillMatrix) -> int:
    """Base skills and the alignments of the items that occur, into the registry; returns the number of new rows."""
    skills = [
        {
            "skill_id": assistments.skill_id(number),
            "name": f"ASSISTments skill {number}",
            "domain": "ASSISTments 2009",
            "subject": assistments.SUBJECT,
            "grade": None,
        }
        for number in range(matrix.skills)
    ]
    alignments = [
        {
            "provider_id": assistments.PROVIDER_ID,
            "activity_id": assistments.item_iri(item),
            "skill_id": assistments.skill_id(number),
        }
        for item in sorted({response.item for response in told})
        for number in matrix.skills_of(item)
    ]
    with engine.begin() as connection:
        return add_missing(connection, tables.skills, skills) + add_missing(connection, tables.alignments, alignments)


async def post(settings: Settings, options: Options, own: Account, told: Sequence[Response]) -> Report:
    """Post all responses; raises GaveUpError or RefusedError."""
    url = options.url or f"http://{settings.ingest.host}:{settings.ingest.port}/xapi"
    report = Report()
    pace = _Pace(options.rate)
    with Bar("replay", len(told)) as bar:
        try:
            async with asyncio.TaskGroup() as lanes:
                for lane in range(options.connections):
                    shard = [response for response in told if response.user % options.connections == lane]
                    connection = Connection(url, own.key, own.secret)
                    lanes.create_task(_post_shard(connection, options, shard, pace, report, bar))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the first one ended the others
    return report


async def _post_shard(
    connection: Connection, options: Options, shard: Sequence[Response], pace: _Pace, report: Report, bar: Bar
) -> None:
    """One connection posts its students' responses, a batch after the other: so no student's order can change."""
    try:
        await connection.until_known(patience=options.patience)
        for begin in range(0, len(shard), options.batch):
            chunk = shard[begin : begin + options.batch]
            body = msgspec.json.encode([assistments.statement(options.split, response) for response in chunk])
            await pace.take(len(chunk))
            report.posted += len(chunk)
            answer = await connection.post_until_kept(body, patience=options.patience)
            if answer.status >= 300:
                raise RefusedError(f"refused with {answer.status}: {answer.body[:500].decode(errors='replace')}")
            report.accepted += len(chunk)
            bar.show(report.accepted, report.pace)
    finally:
        report.retried += connection.retried
        connection.close()


class _Pace:
    """Spreads statements evenly over time, at ``rate`` a second; 0: does not hold back."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next = time.monotonic()

    async def take(self, statements: int) -> None:
        if self._rate:
            now = time.monotonic()
            wait = self._next - now
            self._next = max(self._next, now) + statements / self._rate
            await asyncio.sleep(max(0.0, wait))
