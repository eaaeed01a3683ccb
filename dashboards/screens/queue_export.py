"""The list as a CSV file. Made when it is asked for, and written to the audit of each student before it leaves."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import streamlit as st

from dashboards import cases, people, words
from dashboards.access import decide
from dashboards.session import Context
from dashboards.triage import Entry
from schemas.rule_titles import rule_title

COLUMNS = ("student", "grade", "school", "state", "owner", "since", "reasons", "follow-up", "snoozed until")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def button(context: Context, entries: Sequence[Entry], names: Mapping[str, str]) -> None:
    """Draw it; nothing is made, and nothing audited, until it is pressed."""
    st.download_button(
        "CSV",
        data=lambda: export(context, entries, names),
        file_name=f"queue-{context.today():%Y-%m-%d}.csv",
        mime="text/csv",
        icon=":material/download:",
        help="The list as it is filtered. It is written to the access log of each student.",
        on_click="ignore",
        key="queue-export",
    )


def export(context: Context, entries: Sequence[Entry], names: Mapping[str, str]) -> bytes:
    """The file (UTF-8 with a mark, for spreadsheets); raises StoreError where the audit cannot be written."""
    facts = people.facts_of(context.registry, [entry.student_id for entry in entries])
    decided = {key: decide(context.viewer, one) for key, one in facts.items()}
    if decided:
        context.store.record(context.viewer, "queue", decided, "export")
    staff = cases.owners(context.registry)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in entries:
        if entry.student_id not in decided or not decided[entry.student_id].allowed:
            continue
        case = entry.case
        reasons = " ".join(f"{rule_title(row['rule'])}: {row['reason']}" for row in entry.warnings)
        cells = (
            names.get(entry.student_id, ""), entry.listed.grade, context.catalogue.school(entry.listed.school_id),
            words.state(case.state), staff.get(case.owner, ""), case.raised_on, reasons, case.follow_up_on or "",
            case.snoozed_until or "",
        )  # fmt: skip
        writer.writerow([plain(str(cell)) for cell in cells])
    return ("\ufeff" + out.getvalue()).encode()


def plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
