"""Files of a student information system: what is read, what is said of it, what a correction voids, what is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from ingest.importers.line_items import COLUMNS, REQUIRED, Counts, LineItems
from ingest.importers.school_records import ATTENDANCE, BEHAVIOR, MARKS
from ingest.importers.sources import SourceError
from ingest.importers.tabular import Fault, Row, Sheet
from schemas import extensions
from schemas.registry.insight import line_items
from tests.fixtures.school import ANN, BEN, HOME_PAGE, NEW, ZONE, School

DAYS = f"student_id,date,attendance\n{ANN},2026-09-14,present\n{BEN},2026-09-14,absent\n{BEN},2026-09-15,tardy\n"


def rows_of(path: Path, names: str = "a b", required: tuple[str, ...] = ("a",)) -> tuple[list[Row | Fault], Sheet]:
    sheet = Sheet(path, {name: name for name in names.split()}, required)
    return list(sheet.rows()), sheet


@pytest.mark.parametrize(
    "content",
    [
        b'A,B\n1,x\n2,"y, z"\n',
        b"\xef\xbb\xbfa;b\r\n1;x\r\n2;y, z\r\n",
        b'sep=;\na;b\n1;x\n\n2;"y, z"\n',
        "a\tb\n1\tx\n2\ty, z\n".encode("utf-16"),
    ],
)
def test_a_file_is_read_as_spreadsheets_write_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    rows, _ = rows_of(path)
    assert [row.values for row in rows if isinstance(row, Row)] == [{"a": "1", "b": "x"}, {"a": "2", "b": "y, z"}]


def test_another_encoding_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes("a,b\n1,x\n2,é\n".encode("cp1252") + b"3,\x81\n")
    rows, sheet = rows_of(path)
    assert [row.values["b"] for row in rows if isinstance(row, Row)] == ["x", "é"]
    assert [fault.line for fault in rows if isinstance(fault, Fault)] == [4]
    assert "line 3 and perhaps more are not UTF-8" in sheet.notices[0]


def test_a_quotation_mark_that_is_never_closed_costs_its_own_row(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('a,b\n1,"two\nlines"\n2,"never closed\n3,6" pipe\n4,x,y\n5\n6,end\n')
    rows, _ = rows_of(path)
    assert [(row.line, row.values["b"]) for row in rows if isinstance(row, Row)] == [
        (2, "two\nlines"),
        (5, '6" pipe'),
        (8, "end"),
    ]
    assert [(row.line, row.problem) for row in rows if isinstance(row, Fault)] == [
        (4, "it cannot be read, ',' expected after '\"'"),
        (6, "3 values, the first line names 2 columns"),
        (7, "1 values, the first line names 2 columns"),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"x,y\n1,2\n", "there is no column a; the first line has x, y"),
        (b"a,A\n1,2\n", "two columns are a"),
        (b"a,b\r1,2\r", "lines end as on old Macs"),
        (b"a,b\n1,\x00\n", "line 2: a NUL byte"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_words(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=told):
        rows_of(path)


async def test_attendance_is_said_by_student_and_day_and_twice_is_once(school: School) -> None:
    first = await school.take(ATTENDANCE, DAYS)
    assert (first.rows, first.new, first.faulty) == (3, 3, 0)
    assert school.door.said() == [
        ("101", "attended", "2026-09-14"),
        ("102", "absent", "2026-09-14"),
        ("102", "attended", "2026-09-15"),
    ]
    again = await school.take(ATTENDANCE, DAYS)
    assert (again.new, again.unchanged, school.door.posted) == (0, 3, 3)
    await school.take(ATTENDANCE, DAYS, again=True)
    assert (school.door.posted, len(school.door.statements)) == (6, 3), "the same ids"
    [tardy] = [one for one in school.door.standing if one["timestamp"] == "2026-09-15T17:00:00.000Z"]
    assert tardy["context"]["extensions"] == {extensions.REASON: "tardy"}


async def test_a_corrected_row_voids_what_it_corrects_and_what_holds_again_is_said_anew(school: School) -> None:
    for word, verb in (("absent", "absent"), ("present", "attended"), ("absent", "absent"), ("present", "attended")):
        summary = await school.take(ATTENDANCE, f"student_id,date,attendance\n{ANN},2026-09-14,{word}\n")
        assert school.door.said() == [("101", verb, "2026-09-14")]
    assert summary.corrected == 1
    assert len(school.door.statements) == 4 + 3


async def test_a_row_that_is_deleted_is_voided_and_may_come_back(school: School) -> None:
    header = "student_id,date,attendance,status\n"
    await school.take(ATTENDANCE, f"{header}{ANN},2026-09-14,absent,active\n")
    gone = await school.take(ATTENDANCE, f"{header}{ANN},2026-09-14,absent,tobedeleted\n")
    assert (gone.removed, school.door.said()) == (1, [])
    assert (await school.take(ATTENDANCE, f"{header}{ANN},2026-09-14,absent,tobedeleted\n")).removed == 0
    await school.take(ATTENDANCE, f"{header}{ANN},2026-09-14,absent,active\n")
    assert school.door.said() == [("101", "absent", "2026-09-14")]


@pytest.mark.parametrize("dies_at", range(5))
async def test_killed_anywhere_and_corrected_meanwhile_one_statement_stands(school: School, dies_at: int) -> None:
    text = "student_id,date,attendance\n{},2026-09-14,{}\n{},2026-09-14,{}\n"
    await school.take(ATTENDANCE, text.format(ANN, "present", BEN, "present"))
    school.door.dies_at = school.door.posted + dies_at
    try:
        await school.take(ATTENDANCE, text.format(ANN, "absent", BEN, "absent"))
    except KeyboardInterrupt:
        school.door.dies_at = -1
    assert (school.door.dies_at == -1) == (dies_at < 4)
    school.door.dies_at = -1
    await school.take(ATTENDANCE, text.format(ANN, "tardy", BEN, "absent"))
    assert [(who, verb) for who, verb, _ in school.door.said()] == [("101", "attended"), ("102", "absent")]


async def test_each_bad_row_is_named_and_the_good_ones_are_said(school: School) -> None:
    summary = await school.take(
        ATTENDANCE,
        "student_id,account,mbox,student,date,attendance\n"
        f",{HOME_PAGE}|102,,,2026-09-14,present\n"
        ",,b@s.example,,2026-09-15,present\n"
        ",,,102,2026-09-16,present\n"
        f"{ANN},,,,14/09/2026,present\n"
        f"{ANN},,,,2026-09-14,here\n"
        f"{ANN},,,,2026-09-19,present\n"
        f"{ANN},,,,2026-10-02,present\n"
        ",,nobody@s.example,,2026-09-14,present\n"
        f"{NEW},,,,2026-09-14,present\n"
        ",,,,2026-09-14,present\n"
        f"{BEN},,,,2026-09-14,absent\n",
    )
    assert (summary.new, summary.faulty) == (3, 8)
    assert [str(fault) for fault in school.faults] == [
        "line 5, column date: it is no date (14/09/2026): write it as 2026-09-01",
        "line 6, column attendance: it is not known (here): write one of attended, absent",
        "line 7, column date: it is no school day (2026-09-19): correct the date, or the calendar of the registry",
        "line 8, column date: it is no school day (2026-10-02): correct the date, or the calendar of the registry",
        "line 9, column mbox: nobody of the roster has this address (nobody@s.example): add the identifier to the"
        " roster, or link it: roundtrip admin identity link",
        f"line 10, column student_id: the student has no identifier that a statement could name ({NEW}): add the"
        " identifier to the roster, or link it: roundtrip admin identity link",
        "line 11, column student_id: no student is named: fill in student_id, account, mbox or student",
        "line 12: it says something else than line 2 about the same: leave the one that holds",
    ]


async def test_a_check_says_nothing_and_counts_what_would_be_said(school: School) -> None:
    summary = await school.take(ATTENDANCE, DAYS, check=True)
    assert (summary.new, school.door.posted) == (3, 0)
    assert (await school.take(ATTENDANCE, DAYS)).new == 3


async def test_what_the_door_refuses_is_named_by_its_line_and_said_again_by_the_next_run(school: School) -> None:
    await school.take(ATTENDANCE, DAYS)
    refused = next(key for key, one in school.door.statements.items() if one["actor"]["account"]["name"] == "101")
    school.door.statements.clear()
    school.door.refused = {refused}
    summary = await school.take(ATTENDANCE, DAYS, again=True)
    assert (summary.faulty, [fault.line for fault in school.faults]) == (1, [2])
    school.door.refused = set()
    assert (await school.take(ATTENDANCE, DAYS)).new == 1
    assert len(school.door.said()) == 3


async def test_behavior_is_reported_with_its_category(school: School) -> None:
    text = (
        "student;date;category;incident_id\n101;2026-09-14;OSS;i1\n102;2026-09-14;Referral;i1\n"
        "102;2026-09-14T10:30;incident;\n102;2026-09-14T10:30;incident;\n102;2026-09-14;loud;\n"
    )
    await school.take(BEHAVIOR, text)
    assert [(who, verb) for who, verb, _ in school.door.said()] == [("101", "reported"), *[("102", "reported")] * 2]
    told = sorted(one["context"]["extensions"][extensions.BEHAVIOR] for one in school.door.standing)
    assert told == ["incident", "incident", "suspension"]
    assert [(fault.line, fault.column, fault.problem) for fault in school.faults] == [
        (5, "", "it says the same as line 4"),
        (6, "category", "it is not known"),
    ]


async def test_marks_come_from_the_results_of_oneroster(school: School) -> None:
    header = (
        "sourcedId,status,dateLastModified,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate,comment\n"
    )
    await school.take(
        MARKS,
        header
        + "r1,active,2026-09-15,w1,101,fully graded,15,2026-09-15,\n"
        + "r2,active,2026-09-15,w1,102,not submitted,,2026-09-15,\n"
        + "r3,active,2026-09-15,q1,101,fully graded,112,2026-09-15T16:00:00Z,\n"
        + "r4,active,2026-09-15,q1,102,exempt,,2026-09-15,\n"
        + "r5,active,2026-09-15,none,102,fully graded,5,2026-09-15,\n"
        + "r6,active,2026-09-15,w1,102,fully graded,A-,2026-09-15,\n",
    )
    assert school.door.said() == [
        ("101", "scored", 0.75),
        ("101", "scored", 1),
        ("102", "waived", "2026-09-15"),
    ]
    assert [(fault.line, fault.column) for fault in school.faults] == [(6, "line_item"), (7, "score")]
    assert "columns that are not used: sourcedId, dateLastModified, comment" in school.notices
    await school.take(MARKS, header + "r1,tobedeleted,2026-09-16,w1,101,fully graded,15,2026-09-15,\n")
    assert len(school.door.said()) == 2


async def test_a_mark_may_say_when_it_was_handed_in_and_whether_it_was_passed(school: School) -> None:
    await school.take(
        MARKS,
        "student;line_item;score;score_date;submitted_on;passed\n101;w1;17,5;2026-09-16;2026-09-15;\n"
        "102;q1;48;2026-09-16;;no\n",
    )
    assert school.door.said() == [
        ("101", "scored", 0.875),
        ("101", "submit", "2026-09-15"),
        ("102", "failed", 0.48),
    ]
    [failed] = [one for one in school.door.standing if one["verb"]["id"].endswith("/failed")]
    assert failed["object"]["id"] == "https://x.example/q1"
    assert "success" not in failed["result"], "the mark is told, not a yes or no"


def take_items(school: School, text: str) -> tuple[Counts, list[str]]:
    faults: list[Fault] = []
    with school.engine.begin() as connection:
        job = LineItems(connection, ZONE, marks=["terms"], fault=faults.append)
        counts = job.run(Sheet(school.file(text), COLUMNS, REQUIRED))
    return counts, [f"{fault.line} {fault.column}: {fault.problem}" for fault in faults]


def test_line_items_come_from_oneroster_and_go_when_they_are_to_be_deleted(school: School) -> None:
    header = (
        "sourcedId,status,dateLastModified,title,description,assignDate,dueDate,classSourcedId,categorySourcedId,"
        "gradingPeriodSourcedId,resultValueMin,resultValueMax\n"
    )
    text = header + (
        "w2,active,,Ratios,,2026-09-14,2026-09-19T04:30:00Z,m7,homework,fall,0,20\n"
        "q2,active,,Fall,,2026-08-24,2026-12-18,m7,terms,fall,,\n"
        "w3,active,,Late,,2026-09-14,2026-09-13,m7,homework,,,\n"
        "w4,active,,Where,,,,m8,homework,,,\n"
        "w1,tobedeleted,,,,,,m7,,,,\n"
    )
    counts, faults = take_items(school, text)
    assert (counts.new, counts.removed, counts.faulty, counts.unchanged) == (2, 1, 2, 0)
    assert faults == [
        "4 dueDate: it is due before it is given (2026-09-14)",
        "5 classSourcedId: there is no such section",
    ]
    with school.engine.connect() as connection:
        held = {row.line_item_id: row for row in connection.execute(select(line_items))}
    assert set(held) == {"q1", "q2", "w2"}
    assert (held["w2"].kind, held["w2"].due_on, held["w2"].result_max) == ("work", date(2026, 9, 18), 20.0)
    assert (held["q2"].kind, held["q2"].term) == ("mark", "fall")
    assert held["w2"].activity_id == "https://roundtrip.invalid/xapi/line-items/w2"
    counts, _ = take_items(school, text)
    assert (counts.new, counts.changed, counts.removed, counts.unchanged) == (0, 0, 0, 3)
    counts, _ = take_items(school, text.replace("Ratios", "Ratios and rates"))
    assert (counts.changed, counts.unchanged) == (1, 2)


def test_two_line_items_with_one_activity_are_told(school: School) -> None:
    _, faults = take_items(
        school,
        "line_item,section_id,title,activity_id\nw5,m7,T,https://x.example/w1\nw6,m7,T,no iri\nw7,m7,T,\nw7,m7,T,\n",
    )
    assert faults == [
        "2 activity_id: line item w1 has this activity",
        "3 activity_id: it is no IRI of at most 512 characters",
        "5 sourcedId: it stands in line 4 already",
    ]
