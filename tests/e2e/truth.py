"""What the platform says of the sample district, against what is true of it and hidden from the platform.

    python -m tests.e2e.truth --students 240 --days 60

The term is lived through as in tests.e2e.term: the statements of the simulated providers, as items of the log, go
through the worker's own core into a real store, and the rules look once a week: the dates of their warnings do not hang
on when they look. Not run: the door, Kafka and the worker's process. States are folded under the built-in prior; no
calibration was fitted. The truth (each student's ability by skill and day, who slips and from which day on, who is slow
but steady, which provider falls silent) is known to the simulation alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from scipy.stats import pearsonr, spearmanr

from infra.dev.front.process import Front
from infra.dev.simulation.chance import sigmoid
from infra.dev.simulation.district import District
from infra.dev.simulation.habits.telling import ability_in
from infra.dev.simulation.mishaps import SILENT, silent
from infra.dev.simulation.people import Student
from infra.dev.simulation.school_calendar import day_of
from infra.dev.simulation.skills import SKILLS
from infra.dev.simulation.traits import Trajectory
from infra.runtime import registry
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import ClickHouseSettings, KafkaSettings, Settings
from infra.runtime.shares import wilson
from streams.rows.days import as_number
from tests.e2e.term import DISTRICT_SEED, Life, Outcome, Term, evenings

SLIPPING = (Trajectory.FADING, Trajectory.STRUGGLING, Trajectory.RECOVERING)
LEAST_ATTEMPTS = 5
"""Answers in a skill below which its mastery tells too little to be compared."""
LEAST_STUDENTS = 10


class Belief(NamedTuple):
    """Mastery of a skill as the platform has it, and the true chance on an item of its median difficulty."""

    student_id: str
    skill_id: str
    attempts: int
    mastery: float
    truth: float


class Raised(NamedTuple):
    """A warning: the rule, the number of the school day on which it was raised, and whether it is open at the end."""

    student_id: str
    rule: str
    school_day: int
    open: bool


@dataclass(frozen=True)
class Findings:
    """All that is compared; ``last`` is the number of the last school day."""

    district: District
    beliefs: Sequence[Belief]
    warnings: Sequence[Raised]
    last: int

    @property
    def students(self) -> Sequence[Student]:
        """All students of the district."""
        return self.district.students

    def in_the_silence(self) -> dict[str, list[tuple[str, int, int]]]:
        """By "here" and "elsewhere": rule, steady students warned of while a provider was silent at one school (or in
        the ten school days after), and steady students. A silence is held against nobody."""
        district = self.district
        school = district.schools[-1].school_id
        days = [day for day in range(self.last + 1) if silent(SILENT, school, district, day)]
        steady = {s.student_id: s.school_id == school for s in self.students if s.traits.trajectory not in SLIPPING}
        found: dict[str, list[tuple[str, int, int]]] = {"here": [], "elsewhere": []}
        for rule in sorted({one.rule for one in self.warnings}):
            met = {
                one.student_id
                for one in self.warnings
                if one.rule == rule and days and days[0] <= one.school_day <= days[-1] + 10
            }
            for name, here in (("here", True), ("elsewhere", False)):
                own = [student for student, at in steady.items() if at is here]
                found[name].append((rule, len(met.intersection(own)), len(own)))
        return found

    def correlation(self, skill_id: str = "") -> tuple[float, float, int]:
        """Pearson's and Spearman's of mastery and truth, and the number of pairs; of one skill, or of all."""
        pairs = [(one.mastery, one.truth) for one in self.beliefs if skill_id in ("", one.skill_id)]
        said, true = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return float(pearsonr(said, true).statistic), float(spearmanr(said, true).statistic), len(pairs)

    def of_students(self) -> tuple[float, float, int]:
        """The same of each student's mean over the skills."""
        said, true = defaultdict(list), defaultdict(list)
        for one in self.beliefs:
            said[one.student_id].append(one.mastery)
            true[one.student_id].append(one.truth)
        means = [(sum(v) / len(v), sum(true[k]) / len(true[k])) for k, v in said.items()]
        pearson = pearsonr([a for a, _ in means], [b for _, b in means]).statistic
        return float(pearson), float(spearmanr(means).statistic), len(means)

    def judged(self, rules: Iterable[str] | None = None, *, least: int = 1, open_only: bool = False) -> Judged:
        """Warnings of some rules (None: of all) against who really slips: of students with at least ``least`` of them;
        with ``open_only`` those that are open when the term ends."""
        wanted = None if rules is None else set(rules)
        own: dict[str, list[int]] = defaultdict(list)
        for one in self.warnings:
            if (wanted is None or one.rule in wanted) and (one.open or not open_only):
                own[one.student_id].append(one.school_day)
        right, early, delays, leads = 0, 0, [], []
        false: dict[Trajectory, int] = defaultdict(int)
        for student in self.students:
            days, traits = sorted(own.get(student.student_id, ())), student.traits
            if len(days) < least:
                continue
            if traits.trajectory not in SLIPPING:
                false[traits.trajectory] += 1
                continue
            after = [day for day in days if day >= traits.onset]
            early += any(day < traits.onset for day in days)
            if after:
                right += 1
                delays.append(after[0] - traits.onset)
                leads.append(self.last - after[0])
        slipping = sum(student.traits.trajectory in SLIPPING for student in self.students)
        return Judged(right, slipping, dict(false), early, delays, leads)


class Judged(NamedTuple):
    """Students warned rightly of all who slip; warned falsely by trajectory; warned before they slipped; school days
    from the onset to the first warning, and from it to the end of the term."""

    right: int
    slipping: int
    false: dict[Trajectory, int]
    early: int
    delays: list[int]
    leads: list[int]

    @property
    def precision(self) -> float:
        """Of the students who were warned of."""
        warned = self.right + sum(self.false.values())
        return self.right / warned if warned else 0.0

    @property
    def recall(self) -> float:
        """Of the students who slip."""
        return self.right / self.slipping

    def words(self) -> str:
        """One line."""
        warned = self.right + sum(self.false.values())
        low, high = wilson(self.right, warned)
        least, most = wilson(self.right, self.slipping)
        return (
            f"precision {self.precision:.2f} [{low:.2f}, {high:.2f}] of {warned}, recall {self.recall:.2f}"
            f" [{least:.2f}, {most:.2f}] of {self.slipping}; school days from the onset: median"
            f" {median(self.delays or [0]):.0f}; before the end of the term: median {median(self.leads or [0]):.0f}"
        )


def live(front: Front, folder: Path, students: int, days: int, seed: int) -> tuple[Findings, Outcome]:
    """Live through a term, and compare."""
    settings = Settings(
        data_dir=folder,
        kafka=KafkaSettings(partitions=4),
        clickhouse=ClickHouseSettings(host=front.host, port=front.port),
    )
    engine = registry.open_registry(settings.registry_url())
    registry.migrate(engine)
    term = Term(settings, engine, students, days, seed)
    database = settings.clickhouse.model_copy(update={"database": f"truth_{seed}"})
    outcome = Life(term, engine, database, random.Random(f"truth {seed}")).live(term.items(), weekly(term))
    engine.dispose()
    return findings(term, database, days), outcome


def weekly(term: Term) -> Iterator[int]:
    """Evenings on which the rules look."""
    return islice(evenings(term), 4, None, 7)


def findings(term: Term, database: ClickHouseSettings, days: int) -> Findings:
    """What stands in the store, beside what is true on the last school day."""
    held = [day for n in range(400) if day_of(day := term.district.start + timedelta(days=n)).in_session]
    number = {as_number(day): place for place, day in enumerate(held)}
    by_id = {student.student_id: student for student in term.district.students}
    skills = {skill.code: skill for skill in SKILLS}
    with open_clickhouse(database) as client:
        states = client.query("SELECT toString(student_id), skill_id, attempts, mastery FROM skill_states FINAL")
        warnings = client.query(
            "SELECT toString(student_id), rule, toUInt16(raised_on), status = 'open' FROM warnings FINAL"
            " WHERE status != 'withdrawn'"
        )
        beliefs = [
            Belief(
                student,
                skill,
                attempts,
                mastery,
                sigmoid(ability_in(by_id[student], skills[skill], days - 1) - skills[skill].difficulty),
            )
            for student, skill, attempts, mastery in states.result_rows
            if student in by_id and attempts >= LEAST_ATTEMPTS
        ]
        raised = [
            Raised(student, rule, number[day], bool(stands))
            for student, rule, day, stands in warnings.result_rows
            if student in by_id and day in number
        ]
    return Findings(term.district, beliefs, raised, days - 1)


def told(found: Findings) -> list[str]:
    """The table."""
    lines = ["mastery and true chance of success (Pearson, Spearman, n)"]
    for name, (pearson, spearman, n) in (("all", found.correlation()), ("students", found.of_students())):
        lines.append(f"  {name:18} {pearson:.3f}  {spearman:.3f}  {n}")
    for skill in sorted({one.skill_id for one in found.beliefs}):
        if sum(one.skill_id == skill for one in found.beliefs) >= LEAST_STUDENTS:
            pearson, spearman, n = found.correlation(skill)
            lines.append(f"  {skill:18} {pearson:.3f}  {spearman:.3f}  {n}")
    judged = found.judged()
    lines += ["", "warnings of students who really slip", f"  {'any rule':18} {judged.words()}"]
    lines += [f"  {f'{least} warnings or more':18} {found.judged(least=least).words()}" for least in (2, 3)]
    lines += [f"  {'open at the end':18} {found.judged(open_only=True).words()}"]
    lines += [f"  {rule:18} {found.judged([rule]).words()}" for rule in sorted({one.rule for one in found.warnings})]
    lines += ["", f"warned of before they slipped: {judged.early} of {judged.slipping}"]
    for trajectory in (Trajectory.STEADY, Trajectory.SLOW_STEADY):
        here = sum(student.traits.trajectory is trajectory for student in found.students)
        lines.append(f"false alarms among the {trajectory}: {judged.false.get(trajectory, 0)} of {here}")
    for trajectory in SLIPPING:
        own = [student.student_id for student in found.students if student.traits.trajectory is trajectory]
        seen = {one.student_id for one in found.warnings}
        lines.append(f"of the {trajectory} warned of at all: {len(seen.intersection(own))} of {len(own)}")
    lines += ["", f"steady students warned of while {SILENT.provider_id} was silent at one school, there and elsewhere"]
    silence = found.in_the_silence()
    for (rule, here, size), (_, others, rest) in zip(silence["here"], silence["elsewhere"], strict=True):
        lines.append(f"  {rule:18} {here} of {size}, {others} of {rest}")
    return lines


def main() -> int:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(prog="truth", description=__doc__.split("\n")[0])
    parser.add_argument("--students", type=int, default=240)
    parser.add_argument("--days", type=int, default=60, help="school days")
    parser.add_argument("--seed", type=int, default=DISTRICT_SEED, help="of the district")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Front(Path(scratch) / "store") as front:
        found, outcome = live(front, Path(scratch), arguments.students, arguments.days, arguments.seed)
    print(f"{len(found.students):,} students, {outcome.statements:,} items, {outcome.seconds:.0f} s\n")
    print("\n".join(told(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
