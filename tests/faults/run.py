"""Runs schedules on a stack, and audits at the end: what was right has to have stayed right."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.kafka import lag
from ingest.credentials import Issued, add_provider, issue_credential
from streams.agents.app import consumed
from tests.faults.compare import Case, Log, balance, differences
from tests.faults.posting import Poster
from tests.faults.proxy import Rule
from tests.faults.schedule import WORKERS, Fault, Schedule
from tests.faults.stack import FaultStack
from tests.faults.statements import WAYS, make_plan

SETTLE_SECONDS = 60.0
STANDSTILL_SECONDS = 8.0


@dataclass
class Verdict:
    """``differences`` from the reference: none when the schedule was survived. ``done``: rules that found a request."""

    schedule: Schedule
    seconds: float
    differences: list[str]
    done: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.differences

    def line(self) -> str:
        """A schedule that was survived, in one line."""
        kinds = [fault.kind for fault in self.schedule.faults if fault.kind != "rule"]
        return f"seed {self.schedule.seed}: exact, {self.seconds:.1f} s ({', '.join([*kinds, *self.done]) or 'quiet'})"

    def __str__(self) -> str:
        lines = [f"{self.schedule}", f"  rules used: {', '.join(self.done) or 'none'}; {self.seconds:.1f} s"]
        return "\n".join([*lines, *(f"  DIFFERENCE {line}" for line in self.differences)])


class Runner:
    """``standstill``: differences that stay the same for so many seconds, with nothing left to be read, are final."""

    def __init__(self, stack: FaultStack, standstill: float = STANDSTILL_SECONDS) -> None:
        self._stack = stack
        self._standstill = standstill
        self._cases: list[tuple[Schedule, Case]] = []

    def run(self, schedule: Schedule) -> Verdict:
        """Post under faults, heal, compare until all agrees or nothing changes any more."""
        began = time.monotonic()
        stack = self._stack
        log = Log(stack.settings.kafka)
        plan = make_plan(schedule.seed, schedule.statements, schedule.seconds)
        case = Case(plan, [f"faults-{schedule.seed}-{way}" for way in range(WAYS)])
        case.door_killed = any(fault.kind == "kill ingest" for fault in schedule.faults)
        for slot in stack.slots:
            slot.proxy.done.clear()
        poster = Poster(f"http://127.0.0.1:{stack.settings.ingest.port}/xapi", self._providers(case), plan)
        poster.start()
        self._inflict(schedule.faults)
        stack.wait(lambda: poster.done, "the posting did not end", 150.0)
        self._pass(schedule.patience, lambda: not any(slot.proxy.rules for slot in stack.slots))
        stack.heal()
        case.accepted, case.unclear = poster.accepted, poster.unclear
        self._cases.append((schedule, case))
        said = [poster.error] if poster.error else self._settled(case, log)
        done = [line for slot in stack.slots for line in slot.proxy.done]
        return Verdict(schedule, time.monotonic() - began, said, done)

    def audit(self) -> list[Verdict]:
        """Compare all schedules once more; those that do not agree (any longer)."""
        with open_clickhouse(self._stack.settings.clickhouse) as client:
            verdicts = [
                Verdict(schedule, 0.0, [f"later: {line}" for line in differences(client, self._stack.engine, case)])
                for schedule, case in self._cases
            ]
        return [verdict for verdict in verdicts if not verdict.holds]

    def _inflict(self, faults: Sequence[Fault]) -> None:
        stack, began = self._stack, time.monotonic()
        for fault in faults:
            while time.monotonic() < began + fault.at:
                stack.tick()
                time.sleep(0.02)
            self._do(fault)

    def _do(self, fault: Fault) -> None:
        stack = self._stack
        slots = stack.slots[:WORKERS] if fault.worker < 0 else [stack.slots[fault.worker]]
        if fault.kind == "rule":
            for slot in slots:
                slot.proxy.arm(Rule(fault.deed, fault.table, fault.seconds), fault.times)
        elif fault.kind == "kill worker":
            for slot in slots:
                slot.kill()
        elif fault.kind == "stop worker":
            for slot in slots:
                slot.pause(fault.seconds)
        elif fault.kind == "kill ingest":
            stack.kill_ingest()
        elif fault.kind == "third worker":
            third = stack.slots[WORKERS]
            stack.start_worker(third)
            self._pass(fault.seconds)
            third.wanted = False
            if fault.sigkill:
                third.kill()
            third.stop()
        else:
            service = stack.broker if "broker" in fault.kind else stack.front
            service.kill() if fault.kind.startswith("kill") else service.stop()
            self._pass(fault.seconds)
            service.start()

    def _pass(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not enough():
            self._stack.tick()
            time.sleep(0.05)

    def _settled(self, case: Case, log: Log) -> list[str]:
        deadline = time.monotonic() + SETTLE_SECONDS
        before, since = [""], time.monotonic()
        with open_clickhouse(self._stack.settings.clickhouse) as client:
            while True:
                said = differences(client, self._stack.engine, case) or balance(client, log, case)
                now = time.monotonic()
                if said != before:
                    before, since = said, now
                final = now - since > self._standstill and not self._lag()
                if not said or final or now > deadline:
                    return said
                self._pass(0.3)

    def _lag(self) -> int:
        kafka = self._stack.settings.kafka
        return sum(one.lag for topic in consumed(kafka) for one in lag(kafka, topic))

    def _providers(self, case: Case) -> list[Issued]:
        now = time.time_ns() // 1000
        with self._stack.engine.begin() as connection:
            for provider in case.providers:
                add_provider(connection, provider, provider, now)
            return [issue_credential(connection, provider, now) for provider in case.providers]
