"""The registry's tables of expected work, cases, and what is fitted and measured for warnings."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from schemas.registry.base import metadata

_OPEN = "state NOT IN ('dismissed', 'cleared')"

line_items = Table(
    "line_items",
    metadata,
    Column("line_item_id", String(128), primary_key=True, comment="sourcedId of OneRoster, or an id of the district"),
    Column("section_id", ForeignKey("sections.section_id"), nullable=False, index=True, comment="who is expected"),
    Column("title", Text, nullable=False, comment="title"),
    Column("kind", String(16), nullable=False, comment="work: to be handed in; mark: the mark of a term or year"),
    Column("activity_id", String(512), nullable=False, unique=True, comment="object.id of statements about it"),
    Column("assigned_on", Date, comment="when it was given"),
    Column("due_on", Date, index=True, comment="last day on which it is on time; of a mark, the end of its term"),
    Column("term", Text, nullable=False, server_default="", comment="as in 2026 fall"),
    Column("credits", Float, comment="of a mark: credits earned by passing"),
    Column("updated_at", BigInteger, nullable=False, index=True, comment="last change"),
    Column("result_min", Float, comment="lowest score; empty: 0"),
    Column("result_max", Float, comment="highest score; empty: 100"),
    CheckConstraint("kind IN ('work', 'mark')", name="kind_known"),
    comment="Expected work and marks (OneRoster lineItems): no statement tells that something did not happen.",
)

cases = Table(
    "cases",
    metadata,
    Column("case_id", String(36), primary_key=True, comment="random UUID"),
    Column("student_id", ForeignKey("students.student_id"), nullable=False, index=True, comment="student"),
    Column("state", String(16), nullable=False, comment="raised, claimed, intervention, snoozed, dismissed, cleared"),
    Column("version", Integer, nullable=False, comment="number of its last event: who writes compares and sets"),
    Column("rules", Text, nullable=False, comment="JSON: its warnings as [rule, day of raising, severe, status]"),
    Column("owner", ForeignKey("staff.staff_id"), index=True, comment="who acts; empty: nobody yet"),
    Column("raised_on", Date, nullable=False, comment="school day of its first warning"),
    Column("snoozed_until", Date, comment="first day on which it is listed again"),
    Column("follow_up_on", Date, comment="when its owner looks again"),
    Column("closed_on", Date, comment="when it was dismissed or cleared; the cool-down begins then"),
    Column("dismissal", String(24), comment="incorrect_data, known_and_handled or not_concerning"),
    Column("updated_at", BigInteger, nullable=False, comment="last change"),
    CheckConstraint(
        "state IN ('raised', 'claimed', 'intervention', 'snoozed', 'dismissed', 'cleared')", name="state_known"
    ),
    CheckConstraint("dismissal IN ('incorrect_data', 'known_and_handled', 'not_concerning')", name="dismissal_known"),
    Index("uq_cases_open", "student_id", unique=True, sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
    comment="Warnings as people work on them: one open case a student.",
)

case_events = Table(
    "case_events",
    metadata,
    Column("event_id", String(36), primary_key=True, comment="random UUID"),
    Column("case_id", ForeignKey("cases.case_id"), nullable=False, comment="case"),
    Column("sequence", Integer, nullable=False, comment="1, 2, … within the case"),
    Column("student_id", String(36), nullable=False, comment="student"),
    Column("at", BigInteger, nullable=False, comment="when"),
    Column("who", String(36), nullable=False, comment="staff id; cli: and a user; empty: the rules"),
    Column("action", String(24), nullable=False, comment="raised, claimed, assigned, intervention, snoozed, ..."),
    Column("before", String(16), nullable=False, comment="state before; empty: there was no case"),
    Column("after", String(16), nullable=False, comment="state after"),
    Column("why", Text, nullable=False, comment="reason in words"),
    Column("details", Text, nullable=False, server_default="{}", comment="JSON: what else belongs to the action"),
    Column("published", Boolean, nullable=False, server_default=false(), comment="Kafka has it"),
    UniqueConstraint("case_id", "sequence"),
    Index("ix_case_events_waiting", "at", sqlite_where=text("NOT published"), postgresql_where=text("NOT published")),
    comment="Every transition of a case, written with it in one transaction and published from here.",
)

visits = Table(
    "visits",
    metadata,
    Column("staff_id", ForeignKey("staff.staff_id"), primary_key=True, comment="who"),
    Column("page", String(32), primary_key=True, comment="page"),
    Column("at", BigInteger, nullable=False, comment="when they were there last"),
    Column("before", BigInteger, nullable=False, comment="when they were there the time before; 0: never"),
    comment="Who was last on a page when: what came since is told as new.",
)

rankings = Table(
    "rankings",
    metadata,
    Column("version", Integer, primary_key=True, comment="1, 2, …"),
    Column("active", Boolean, nullable=False, comment="the one that orders the lists; at most one row"),
    Column("created_at", BigInteger, nullable=False, comment="when it was fitted"),
    Column("seed", Integer, nullable=False, comment="seed of the fit"),
    Column("fingerprint", String(64), nullable=False, comment="of the data it was fitted on, hex"),
    Column("outcome", Text, nullable=False, comment="the outcome whose chance is told, in words"),
    Column("within_days", Integer, nullable=False, comment="the time within which it is told"),
    Column("parameters", Text, nullable=False, comment="JSON: weights and scales of the features"),
    Column("metrics", Text, nullable=False, comment="JSON: what it was measured at, by fold and group"),
    Index("uq_rankings_active", "active", unique=True, sqlite_where=text("active"), postgresql_where=text("active")),
    comment="Versions of the score that orders lists of warnings.",
)

quality_reports = Table(
    "quality_reports",
    metadata,
    Column("report_id", String(36), primary_key=True, comment="random UUID"),
    Column("kind", String(16), nullable=False, comment="skills or warnings"),
    Column("source", Text, nullable=False, comment="store, or the name of the data it was made on"),
    Column("created_at", BigInteger, nullable=False, index=True, comment="when it was made"),
    Column("report", Text, nullable=False, comment="JSON, as roundtrip evaluate writes it"),
    CheckConstraint("kind IN ('skills', 'warnings')", name="kind_known"),
    comment="Reports on the quality of models, for the page that shows them.",
)
