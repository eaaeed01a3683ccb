"""Runs schedules on a stack, and audits at the end: what was right has to have stayed right."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.kafka import lag
from ingest.credentials import Issued, add_provider, issue_credential
from streams.agents.app import consumed
from tests.faults.balance import Log, imbalance
from tests.faults.compare import Case, Findings, differences
from tests.faults.moving import Mover
from tests.faults.plan import WAYS, make_plan
from tests.faults.posting import Poster
from tests.faults.proxy import Rule
from tests.faults.report import Verdict
from tests.faults.schedule import COMMANDS, WORKERS, Fault, Schedule
from tests.faults.stack import FaultStack

SETTLE_SECONDS = 180.0
STANDSTILL_SECONDS = 12.0


class Runner:
    """``standstill``: differences that stay the same for so many seconds are final, when nothing is left to be read,
    and all was looked through for corrections."""

    def __init__(self, stack: FaultStack, standstill: float = STANDSTILL_SECONDS, *, corrected: bool = True) -> None:
        """``corrected``: whether there is anything to be looked for."""
        self._stack = stack
        self._corrected = corrected
        self._standstill = standstill
        self._cases: list[tuple[Schedule, Case]] = []

    def run(self, schedule: Schedule) -> Verdict:
        """Post under faults, heal, compare until all agrees or nothing changes any more."""
        began = time.monotonic()
        stack = self._stack
        log = Log(stack.settings.kafka)
        plan = make_plan(schedule.seed, schedule.statements, schedule.seconds, schedule.traits)
        case = Case(plan, [f"faults-{schedule.seed}-{way}" for way in range(WAYS)])
        case.door_killed = any(fault.kind == "kill ingest" for fault in schedule.faults)
        stack.done()
        poster = Poster(f"http://127.0.0.1:{stack.settings.ingest.port}/xapi", self._providers(case), plan)
        poster.start()
        mover = Mover(stack.engine, case)
        stack.each_tick = mover.tick
        happened = self._inflict(schedule.faults)
        stack.wait(lambda: poster.done, "the posting did not end", 150.0)
        mover.finish()
        self._pass(schedule.patience, lambda: not any(slot.proxy.rules for slot in stack.slots))
        stack.heal()
        stack.wait(lambda: stack.commands.idle, "the commands did not end", 150.0)
        happened += [*stack.done(), *mover.done]
        case.accepted, case.unclear, case.refused = poster.accepted, poster.unclear, poster.refused
        posted, posted_us = time.monotonic(), time.time_ns() // 1000
        findings = Findings(said=[poster.error]) if poster.error else self._settled(case, log, posted_us)
        verdict = Verdict(schedule, findings, len(plan.originals), posted - began, time.monotonic() - posted, happened)
        if verdict.holds:
            self._cases.append((schedule, case))
        verdict.happened += [kind for kind in stack.done() if kind == "zombie wrote"]
        return verdict

    def audit(self) -> list[Verdict]:
        """Compare once more all schedules that were survived; those that do not agree any longer."""
        late = []
        with open_clickhouse(self._stack.settings.clickhouse) as client:
            for schedule, case in self._cases:
                findings = differences(client, self._stack.engine, case)
                if findings.said:
                    findings.said = [f"at the end: {said}" for said in findings.said]
                    late.append(Verdict(schedule, findings))
        return late

    def _inflict(self, faults: Sequence[Fault]) -> list[str]:
        """Do the faults at their times; those that happened at once."""
        stack, began = self._stack, time.monotonic()
        happened: list[str] = []
        for fault in faults:
            while time.monotonic() < began + fault.at:
                stack.tick()
                time.sleep(0.02)
            self._do(fault)
            if fault.kind not in (
                "rule",
                "kill worker",
                "stop worker",
                *COMMANDS,
            ):  # these tell it themselves
                happened.append(fault.kind)
        return happened

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
        elif fault.kind in COMMANDS:
            stack.commands.add(fault)
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

    def _settled(self, case: Case, log: Log, posted_us: int) -> Findings:
        stack, deadline = self._stack, time.monotonic() + SETTLE_SECONDS
        before, since = [""], time.monotonic()
        with open_clickhouse(stack.settings.clickhouse) as client:
            while True:
                findings = differences(client, stack.engine, case)
                if not findings.said:
                    findings.said = imbalance(client, log, case)
                now = time.monotonic()
                if findings.said != before:
                    before, since = findings.said, now
                looked = not self._corrected or stack.looked_until() >= posted_us
                final = looked and now - since > self._standstill and not self._lag()
                if not findings.said or final or now > deadline:
                    return findings
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
