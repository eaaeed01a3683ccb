"""what insight needs: expected work, cases, rankings, reports, and how a calibration was fitted"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "quality_reports",
        sa.Column("report_id", sa.String(length=36), nullable=False, comment="random UUID"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="skills or warnings"),
        sa.Column("source", sa.Text(), nullable=False, comment="store, or the name of the data it was made on"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was made"),
        sa.Column("report", sa.Text(), nullable=False, comment="JSON, as roundtrip evaluate writes it"),
        sa.CheckConstraint("kind IN ('skills', 'warnings')", name=op.f("ck_quality_reports_kind_known")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_quality_reports")),
        comment="Reports on the quality of models, for the page that shows them.",
    )
    with op.batch_alter_table("quality_reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quality_reports_created_at"), ["created_at"], unique=False)

    op.create_table(
        "rankings",
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, …"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="the one that orders the lists; at most one row"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was fitted"),
        sa.Column("seed", sa.Integer(), nullable=False, comment="seed of the fit"),
        sa.Column("fingerprint", sa.String(length=64), nullable=False, comment="of the data it was fitted on, hex"),
        sa.Column("outcome", sa.Text(), nullable=False, comment="the outcome whose chance is told, in words"),
        sa.Column("within_days", sa.Integer(), nullable=False, comment="the time within which it is told"),
        sa.Column("parameters", sa.Text(), nullable=False, comment="JSON: weights and scales of the features"),
        sa.Column("metrics", sa.Text(), nullable=False, comment="JSON: what it was measured at, by fold and group"),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_rankings")),
        comment="Versions of the score that orders lists of warnings.",
    )
    with op.batch_alter_table("rankings", schema=None) as batch_op:
        batch_op.create_index(
            "uq_rankings_active",
            ["active"],
            unique=True,
            sqlite_where=sa.text("active"),
            postgresql_where=sa.text("active"),
        )

    op.create_table(
        "visits",
        sa.Column("staff_id", sa.String(length=36), nullable=False, comment="who"),
        sa.Column("page", sa.String(length=32), nullable=False, comment="page"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when they were there last"),
        sa.Column("before", sa.BigInteger(), nullable=False, comment="when they were there the time before; 0: never"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_visits_staff_id_staff")),
        sa.PrimaryKeyConstraint("staff_id", "page", name=op.f("pk_visits")),
        comment="Who was last on a page when: what came since is told as new.",
    )

    op.create_table(
        "cases",
        sa.Column("case_id", sa.String(length=36), nullable=False, comment="random UUID"),
        sa.Column("student_id", sa.String(length=36), nullable=False, comment="student"),
        sa.Column(
            "state",
            sa.String(length=16),
            nullable=False,
            comment="raised, claimed, intervention, snoozed, dismissed, cleared",
        ),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="number of its last event: who writes compares and sets"
        ),
        sa.Column(
            "rules", sa.Text(), nullable=False, comment="JSON: its warnings as [rule, day of raising, severe, status]"
        ),
        sa.Column("owner", sa.String(length=36), nullable=True, comment="who acts; empty: nobody yet"),
        sa.Column("raised_on", sa.Date(), nullable=False, comment="school day of its first warning"),
        sa.Column("snoozed_until", sa.Date(), nullable=True, comment="first day on which it is listed again"),
        sa.Column("follow_up_on", sa.Date(), nullable=True, comment="when its owner looks again"),
        sa.Column(
            "closed_on", sa.Date(), nullable=True, comment="when it was dismissed or cleared; the cool-down begins then"
        ),
        sa.Column(
            "dismissal",
            sa.String(length=24),
            nullable=True,
            comment="incorrect_data, known_and_handled or not_concerning",
        ),
        sa.Column("updated_at", sa.BigInteger(), nullable=False, comment="last change"),
        sa.CheckConstraint(
            "dismissal IN ('incorrect_data', 'known_and_handled', 'not_concerning')",
            name=op.f("ck_cases_dismissal_known"),
        ),
        sa.CheckConstraint(
            "state IN ('raised', 'claimed', 'intervention', 'snoozed', 'dismissed', 'cleared')",
            name=op.f("ck_cases_state_known"),
        ),
        sa.ForeignKeyConstraint(["owner"], ["staff.staff_id"], name=op.f("fk_cases_owner_staff")),
        sa.ForeignKeyConstraint(["student_id"], ["students.student_id"], name=op.f("fk_cases_student_id_students")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases")),
        comment="Warnings as people work on them: one open case a student.",
    )
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cases_owner"), ["owner"], unique=False)
        batch_op.create_index(batch_op.f("ix_cases_student_id"), ["student_id"], unique=False)
        batch_op.create_index(
            "uq_cases_open",
            ["student_id"],
            unique=True,
            sqlite_where=sa.text("state NOT IN ('dismissed', 'cleared')"),
            postgresql_where=sa.text("state NOT IN ('dismissed', 'cleared')"),
        )

    op.create_table(
        "line_items",
        sa.Column(
            "line_item_id",
            sa.String(length=128),
            nullable=False,
            comment="sourcedId of OneRoster, or an id of the district",
        ),
        sa.Column("section_id", sa.String(length=64), nullable=False, comment="who is expected"),
        sa.Column("title", sa.Text(), nullable=False, comment="title"),
        sa.Column(
            "kind",
            sa.String(length=16),
            nullable=False,
            comment="work: to be handed in; mark: the mark of a term or year",
        ),
        sa.Column("activity_id", sa.String(length=512), nullable=False, comment="object.id of statements about it"),
        sa.Column("assigned_on", sa.Date(), nullable=True, comment="when it was given"),
        sa.Column(
            "due_on",
            sa.Date(),
            nullable=True,
            comment="last day on which it is on time; of a mark, the end of its term",
        ),
        sa.Column("term", sa.Text(), server_default="", nullable=False, comment="as in 2026 fall"),
        sa.Column("credits", sa.Float(), nullable=True, comment="of a mark: credits earned by passing"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False, comment="last change"),
        sa.CheckConstraint("kind IN ('work', 'mark')", name=op.f("ck_line_items_kind_known")),
        sa.ForeignKeyConstraint(
            ["section_id"], ["sections.section_id"], name=op.f("fk_line_items_section_id_sections")
        ),
        sa.PrimaryKeyConstraint("line_item_id", name=op.f("pk_line_items")),
        sa.UniqueConstraint("activity_id", name=op.f("uq_line_items_activity_id")),
        comment="Expected work and marks (OneRoster lineItems): no statement tells that something did not happen.",
    )
    with op.batch_alter_table("line_items", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_line_items_due_on"), ["due_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_line_items_section_id"), ["section_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_line_items_updated_at"), ["updated_at"], unique=False)

    op.create_table(
        "case_events",
        sa.Column("event_id", sa.String(length=36), nullable=False, comment="random UUID"),
        sa.Column("case_id", sa.String(length=36), nullable=False, comment="case"),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="1, 2, … within the case"),
        sa.Column("student_id", sa.String(length=36), nullable=False, comment="student"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when"),
        sa.Column("who", sa.String(length=36), nullable=False, comment="staff id; cli: and a user; empty: the rules"),
        sa.Column(
            "action",
            sa.String(length=24),
            nullable=False,
            comment="raised, claimed, assigned, intervention, snoozed, ...",
        ),
        sa.Column("before", sa.String(length=16), nullable=False, comment="state before; empty: there was no case"),
        sa.Column("after", sa.String(length=16), nullable=False, comment="state after"),
        sa.Column("why", sa.Text(), nullable=False, comment="reason in words"),
        sa.Column(
            "details", sa.Text(), server_default="{}", nullable=False, comment="JSON: what else belongs to the action"
        ),
        sa.Column("published", sa.Boolean(), server_default=sa.false(), nullable=False, comment="Kafka has it"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_case_events_case_id_cases")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_case_events")),
        sa.UniqueConstraint("case_id", "sequence", name=op.f("uq_case_events_case_id")),
        comment="Every transition of a case, written with it in one transaction and published from here.",
    )
    with op.batch_alter_table("case_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_case_events_waiting",
            ["at"],
            unique=False,
            sqlite_where=sa.text("NOT published"),
            postgresql_where=sa.text("NOT published"),
        )

    with op.batch_alter_table("calibrations", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("seed", sa.Integer(), server_default="0", nullable=False, comment="seed of the fit")
        )
        batch_op.add_column(
            sa.Column(
                "fingerprint", sa.String(length=64), server_default="", nullable=False, comment="of the attempts, hex"
            )
        )
        batch_op.add_column(
            sa.Column(
                "metrics", sa.Text(), server_default="{}", nullable=False, comment="JSON: by fold, by skill, by group"
            )
        )
        batch_op.add_column(
            sa.Column(
                "activation",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="number of the last switch to it, 1, 2, … over all versions; 0: never used",
            )
        )
        batch_op.add_column(
            sa.Column(
                "switching",
                sa.Boolean(),
                server_default=sa.text("false"),
                nullable=False,
                comment="active, and not all states are folded under it yet",
            )
        )


def downgrade() -> None:

    with op.batch_alter_table("calibrations", schema=None) as batch_op:
        batch_op.drop_column("switching")
        batch_op.drop_column("activation")
        batch_op.drop_column("metrics")
        batch_op.drop_column("fingerprint")
        batch_op.drop_column("seed")

    with op.batch_alter_table("case_events", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_case_events_waiting", sqlite_where=sa.text("NOT published"), postgresql_where=sa.text("NOT published")
        )

    op.drop_table("case_events")
    op.drop_table("visits")
    with op.batch_alter_table("line_items", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_line_items_updated_at"))
        batch_op.drop_index(batch_op.f("ix_line_items_section_id"))
        batch_op.drop_index(batch_op.f("ix_line_items_due_on"))

    op.drop_table("line_items")
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_cases_open",
            sqlite_where=sa.text("state NOT IN ('dismissed', 'cleared')"),
            postgresql_where=sa.text("state NOT IN ('dismissed', 'cleared')"),
        )
        batch_op.drop_index(batch_op.f("ix_cases_student_id"))
        batch_op.drop_index(batch_op.f("ix_cases_owner"))

    op.drop_table("cases")
    with op.batch_alter_table("rankings", schema=None) as batch_op:
        batch_op.drop_index("uq_rankings_active", sqlite_where=sa.text("active"), postgresql_where=sa.text("active"))

    op.drop_table("rankings")
    with op.batch_alter_table("quality_reports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quality_reports_created_at"))

    op.drop_table("quality_reports")
