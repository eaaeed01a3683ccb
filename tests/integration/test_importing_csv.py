"""``roundtrip import line-items|attendance|behavior|marks`` as processes of their own, against the real door."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import insert

from schemas import verbs
from schemas.registry import tables
from tests.fixtures.door import Door
from tests.fixtures.live import Running, running

pytestmark = pytest.mark.kafka

HOME_PAGE = "https://sis.school.example"
STUDENTS = {"101": "10000000-0000-4000-8000-000000000001", "102": "20000000-0000-4000-8000-000000000002"}


@pytest.fixture
def school(door: Door) -> Door:
    """Two students of a section of one school, known by their numbers."""
    stamps = {"created_at": 1, "updated_at": 1}
    with door.engine.begin() as connection:
        connection.execute(insert(tables.schools).values(school_id="s1", name="S", lowest_grade=6, highest_grade=8))
        connection.execute(
            insert(tables.sections).values(section_id="m7", school_id="s1", name="M", subject="Math", grade=7)
        )
        for number, student in STUDENTS.items():
            connection.execute(
                insert(tables.students).values(student_id=student, school_id="s1", grade=7, linked=True, **stamps)
            )
            connection.execute(
                insert(tables.identities).values(
                    identity_id=f"i-{number}", kind="account", value=f"{HOME_PAGE} {number}", student_id=student,
                    created_at=1,
                )
            )  # fmt: skip
    return door


async def run(door: Door, service: Running, kind: str, file: Path, *options: str) -> tuple[int, str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ROUNDTRIP_")},
        **door.settings.environment(),
        "ROUNDTRIP_IMPORT_KEY": "key-p1",
        "ROUNDTRIP_IMPORT_SECRET": "secret",
    }
    door_of = ("--provider", "p1", "--home-page", HOME_PAGE, "--endpoint", f"{service.url}/xapi")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.cli", "import", kind, str(file)),
        *(() if kind == "line-items" else door_of),
        *options,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(240):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_what_the_files_say_comes_through_the_door_and_a_correction_voids(school: Door, tmp_path: Path) -> None:
    files = {
        "line-items": "sourcedId,title,classSourcedId,dueDate,resultValueMax\nw1,Ratios,m7,2025-09-19,20\n",
        "attendance": "student,date,attendance\n101,2025-09-15,present\n102,2025-09-15,absent\n",
        "behavior": "student,date,category\n101,2025-09-15,suspension\n999,2025-09-15,incident\n",
        "marks": "studentSourcedId,lineItemSourcedId,score,scoreDate\n101,w1,15,2025-09-19\n",
    }
    paths = {kind: tmp_path / f"{kind}.csv" for kind in files}
    for kind, text in files.items():
        paths[kind].write_text(text)
    async with running(school.settings) as service:
        code, told = await run(school, service, "attendance", paths["attendance"], "--check")
        assert (code, "2 to be new" in told) == (0, True), told
        for kind in files:
            code, told = await run(school, service, kind, paths[kind])
            assert code == (kind == "behavior"), told
        paths["attendance"].write_text(files["attendance"].replace("101,2025-09-15,present", "101,2025-09-15,absent"))
        code, told = await run(school, service, "attendance", paths["attendance"])
        assert "0 new + 1 corrected + 0 voided + 1 unchanged" in told
    faults = (tmp_path / "behavior.csv.faults.csv").read_text().splitlines()
    assert faults[1].startswith("behavior.csv,3,student,999,nobody of the roster has this identifier")
    items = await asyncio.to_thread(school.items)
    assert Counter((item.student_id, item.verb) for item in items) == {
        (STUDENTS["101"], verbs.ATTENDED): 1,
        (STUDENTS["101"], verbs.ABSENT): 1,
        (STUDENTS["101"], verbs.VOIDED): 1,
        (STUDENTS["101"], verbs.REPORTED): 1,
        (STUDENTS["101"], verbs.SCORED): 1,
        (STUDENTS["102"], verbs.ABSENT): 1,
    }


async def test_what_cannot_be_imported_is_told_in_one_line(school: Door, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("who,when\n1,2\n")
    async with running(school.settings) as service:
        code, told = await run(school, service, "attendance", wrong)
        assert (code, "there is no column date nor attendance" in told) == (2, True), told
        code, told = await run(school, service, "marks", wrong, "--key", "key-p2")
        assert (code, "is of provider p2" in told) == (2, True), told
