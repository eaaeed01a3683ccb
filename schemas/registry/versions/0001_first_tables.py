"""providers, roster, identities, catalogue"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar",
        sa.Column("school_id", sa.String(length=64), nullable=False, comment="school; empty: the whole district"),
        sa.Column("day", sa.Date(), nullable=False, comment="day"),
        sa.Column("in_session", sa.Boolean(), nullable=False, comment="whether school is held"),
        sa.Column("label", sa.Text(), server_default="", nullable=False, comment="holiday's name, or why"),
        sa.PrimaryKeyConstraint("school_id", "day", name=op.f("pk_calendar")),
        comment="School days. A school's own row wins over the district's; a day without a row is no school day.",
    )
    op.create_table(
        "calibrations",
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, …; 0 is the built-in prior and has no row"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="the one that streams run under; at most one row"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was fitted"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="attempts it was fitted on"),
        sa.Column("parameters", sa.Text(), nullable=False, comment="JSON: difficulties of items and skills, logits"),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_calibrations")),
        comment="Versions of what is fitted apart from the stream.",
    )
    with op.batch_alter_table("calibrations") as batch_op:
        batch_op.create_index(
            "uq_calibrations_active",
            ["active"],
            unique=True,
            sqlite_where=sa.text("active"),
            postgresql_where=sa.text("active"),
        )

    op.create_table(
        "providers",
        sa.Column(
            "provider_id",
            sa.String(length=64),
            nullable=False,
            comment="short id, lower case, as in provider-a",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name shown on pages"),
        sa.Column(
            "disabled",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="no credential of it is accepted",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was added"),
        sa.PrimaryKeyConstraint("provider_id", name=op.f("pk_providers")),
        comment="Content providers.",
    )
    op.create_table(
        "schools",
        sa.Column("school_id", sa.String(length=64), nullable=False, comment="opaque id"),
        sa.Column("name", sa.Text(), nullable=False, comment="name"),
        sa.Column("lowest_grade", sa.Integer(), nullable=False, comment="lowest grade taught"),
        sa.Column("highest_grade", sa.Integer(), nullable=False, comment="highest grade taught"),
        sa.PrimaryKeyConstraint("school_id", name=op.f("pk_schools")),
        comment="Schools of the district.",
    )
    op.create_table(
        "skills",
        sa.Column("skill_id", sa.String(length=128), nullable=False, comment="human code or CASE CFItem identifier"),
        sa.Column("name", sa.Text(), nullable=False, comment="what it is, in words"),
        sa.Column("domain", sa.Text(), nullable=False, comment="domain it belongs to"),
        sa.Column("subject", sa.String(length=32), nullable=False, comment="subject"),
        sa.Column("grade", sa.Integer(), nullable=True, comment="grade it is expected in"),
        sa.PrimaryKeyConstraint("skill_id", name=op.f("pk_skills")),
        comment="The catalogue of skills.",
    )
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.String(length=36), nullable=False, comment="random UUID"),
        sa.Column("name", sa.Text(), nullable=False, comment="name"),
        sa.Column("email", sa.Text(), nullable=False, comment="address used at sign-in"),
        sa.Column(
            "role",
            sa.String(length=16),
            nullable=False,
            comment="counselor, teacher, leader, operator or provider",
        ),
        sa.CheckConstraint(
            "role IN ('counselor', 'teacher', 'leader', 'operator', 'provider')",
            name=op.f("ck_staff_role_known"),
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
        comment="People who use the pages.",
    )
    op.create_table(
        "alignments",
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="provider; empty: of any provider"),
        sa.Column("activity_id", sa.String(length=512), nullable=False, comment="activity IRI"),
        sa.Column("skill_id", sa.String(length=128), nullable=False, comment="skill it is evidence of"),
        sa.ForeignKeyConstraint(["skill_id"], ["skills.skill_id"], name=op.f("fk_alignments_skill_id_skills")),
        sa.PrimaryKeyConstraint("provider_id", "activity_id", "skill_id", name=op.f("pk_alignments")),
        comment="Which activity is evidence of which skills.",
    )
    with op.batch_alter_table("alignments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alignments_skill_id"), ["skill_id"], unique=False)

    op.create_table(
        "prerequisites",
        sa.Column("skill_id", sa.String(length=128), nullable=False, comment="skill"),
        sa.Column("requires_id", sa.String(length=128), nullable=False, comment="skill it builds on"),
        sa.ForeignKeyConstraint(["requires_id"], ["skills.skill_id"], name=op.f("fk_prerequisites_requires_id_skills")),
        sa.ForeignKeyConstraint(["skill_id"], ["skills.skill_id"], name=op.f("fk_prerequisites_skill_id_skills")),
        sa.PrimaryKeyConstraint("skill_id", "requires_id", name=op.f("pk_prerequisites")),
        comment="Edges of the prerequisite graph; acyclic.",
    )
    with op.batch_alter_table("prerequisites", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prerequisites_requires_id"), ["requires_id"], unique=False)

    op.create_table(
        "provider_credentials",
        sa.Column("key", sa.String(length=64), nullable=False, comment="user name of HTTP Basic authentication"),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="whose it is"),
        sa.Column("secret_hash", sa.Text(), nullable=False, comment="argon2id hash of the secret"),
        sa.Column(
            "disabled",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="no longer accepted",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was issued"),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["providers.provider_id"],
            name=op.f("fk_provider_credentials_provider_id_providers"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_provider_credentials")),
        comment="Credentials of providers; secrets are kept as hashes alone.",
    )
    with op.batch_alter_table("provider_credentials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_provider_credentials_provider_id"), ["provider_id"], unique=False)

    op.create_table(
        "provider_verbs",
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="provider"),
        sa.Column("verb_iri", sa.String(length=512), nullable=False, comment="verb.id as the provider sends it"),
        sa.Column("verb", sa.String(length=32), nullable=False, comment="canonical verb it means (schemas.verbs)"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_provider_verbs_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("provider_id", "verb_iri", name=op.f("pk_provider_verbs")),
        comment="Verbs of providers, mapped to ours.",
    )
    op.create_table(
        "sections",
        sa.Column("section_id", sa.String(length=64), nullable=False, comment="opaque id"),
        sa.Column("school_id", sa.String(length=64), nullable=False, comment="school"),
        sa.Column("name", sa.Text(), nullable=False, comment="as in Math 7, period 2"),
        sa.Column("subject", sa.String(length=32), nullable=False, comment="subject"),
        sa.Column("grade", sa.Integer(), nullable=False, comment="grade"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_sections_school_id_schools")),
        sa.PrimaryKeyConstraint("section_id", name=op.f("pk_sections")),
        comment="Classes as they are taught.",
    )
    with op.batch_alter_table("sections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sections_school_id"), ["school_id"], unique=False)

    op.create_table(
        "staff_scopes",
        sa.Column("staff_id", sa.String(length=36), nullable=False, comment="who"),
        sa.Column(
            "kind",
            sa.String(length=16),
            nullable=False,
            comment="district, school, grade, section, caseload or provider",
        ),
        sa.Column(
            "value",
            sa.String(length=80),
            nullable=False,
            comment="school id; school id/grade; section id; student id; provider id; * for the district",
        ),
        sa.CheckConstraint(
            "kind IN ('district', 'school', 'grade', 'section', 'caseload', 'provider')",
            name=op.f("ck_staff_scopes_kind_known"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_staff_scopes_staff_id_staff")),
        sa.PrimaryKeyConstraint("staff_id", "kind", "value", name=op.f("pk_staff_scopes")),
        comment="What each may see. A scope is a permission; a filter on a page never is.",
    )
    op.create_table(
        "students",
        sa.Column("student_id", sa.String(length=36), nullable=False, comment="random UUID, derived from nothing"),
        sa.Column("given_name", sa.Text(), nullable=True, comment="empty until linked to the roster"),
        sa.Column("family_name", sa.Text(), nullable=True, comment="empty until linked to the roster"),
        sa.Column("grade", sa.Integer(), nullable=True, comment="0 (kindergarten) to 12"),
        sa.Column("school_id", sa.String(length=64), nullable=True, comment="school"),
        sa.Column(
            "linked",
            sa.Boolean(),
            nullable=False,
            comment="known to the roster; else made for an unknown actor",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was added"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False, comment="last change of roster fields or enrolment"),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name=op.f("fk_students_school_id_schools")),
        sa.PrimaryKeyConstraint("student_id", name=op.f("pk_students")),
        comment="Students: the only place where a name stands beside a student id.",
    )
    with op.batch_alter_table("students", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_students_school_id"), ["school_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_students_updated_at"), ["updated_at"], unique=False)

    op.create_table(
        "enrollments",
        sa.Column("section_id", sa.String(length=64), nullable=False, comment="section"),
        sa.Column("student_id", sa.String(length=36), nullable=False, comment="student"),
        sa.ForeignKeyConstraint(
            ["section_id"], ["sections.section_id"], name=op.f("fk_enrollments_section_id_sections")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.student_id"], name=op.f("fk_enrollments_student_id_students")
        ),
        sa.PrimaryKeyConstraint("section_id", "student_id", name=op.f("pk_enrollments")),
        comment="Who sits in which section.",
    )
    with op.batch_alter_table("enrollments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrollments_student_id"), ["student_id"], unique=False)

    op.create_table(
        "identities",
        sa.Column("identity_id", sa.String(length=22), nullable=False, comment="random, derived from nothing"),
        sa.Column(
            "kind",
            sa.String(length=16),
            nullable=False,
            comment="mbox, mbox_sha1sum, openid, account, or anonymous_group",
        ),
        sa.Column(
            "value",
            sa.Text(),
            nullable=False,
            comment="the identifier; an account as homePage, a space, name",
        ),
        sa.Column("student_id", sa.String(length=36), nullable=True, comment="student; empty for groups and staff"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was first seen or imported"),
        sa.Column(
            "updated_at",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="when its student last changed; 0: never. Ingest looks for what is newer",
        ),
        sa.CheckConstraint(
            "kind IN ('mbox', 'mbox_sha1sum', 'openid', 'account', 'anonymous_group')",
            name=op.f("ck_identities_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.student_id"], name=op.f("fk_identities_student_id_students")
        ),
        sa.PrimaryKeyConstraint("identity_id", name=op.f("pk_identities")),
        sa.UniqueConstraint("kind", "value", name="uq_identities_kind_value"),
        comment="Actor aliases: each identifier by which an agent or group is known (xAPI 1.0.3 part 2, 2.4.2.3).",
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identities_student_id"), ["student_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_identities_updated_at"), ["updated_at"], unique=False)

    op.create_table(
        "agents",
        sa.Column(
            "agent_key",
            sa.String(length=40),
            nullable=False,
            comment="identity id, a point, number of the variant",
        ),
        sa.Column("identity_id", sa.String(length=22), nullable=False, comment="whose it is"),
        sa.Column("digest", sa.String(length=32), nullable=False, comment="BLAKE2b-128 of the exact JSON, hex"),
        sa.Column(
            "json",
            sa.Text(),
            nullable=False,
            comment="the agent or group as it was sent, members swapped for keys",
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identities.identity_id"], name=op.f("fk_agents_identity_id_identities")
        ),
        sa.PrimaryKeyConstraint("agent_key", name=op.f("pk_agents")),
        sa.UniqueConstraint("digest", name=op.f("uq_agents_digest")),
        comment="What was swapped for a key at the door, to be put back on reading, value for value.",
    )
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agents_identity_id"), ["identity_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agents_identity_id"))

    op.drop_table("agents")
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_identities_updated_at"))
        batch_op.drop_index(batch_op.f("ix_identities_student_id"))

    op.drop_table("identities")
    with op.batch_alter_table("enrollments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enrollments_student_id"))

    op.drop_table("enrollments")
    with op.batch_alter_table("students", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_students_updated_at"))
        batch_op.drop_index(batch_op.f("ix_students_school_id"))

    op.drop_table("students")
    op.drop_table("staff_scopes")
    with op.batch_alter_table("sections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sections_school_id"))

    op.drop_table("sections")
    op.drop_table("provider_verbs")
    with op.batch_alter_table("provider_credentials", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_provider_credentials_provider_id"))

    op.drop_table("provider_credentials")
    with op.batch_alter_table("prerequisites", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prerequisites_requires_id"))

    op.drop_table("prerequisites")
    with op.batch_alter_table("alignments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alignments_skill_id"))

    op.drop_table("alignments")
    op.drop_table("staff")
    op.drop_table("skills")
    op.drop_table("schools")
    op.drop_table("providers")
    with op.batch_alter_table("calibrations") as batch_op:
        batch_op.drop_index(
            "uq_calibrations_active", sqlite_where=sa.text("active"), postgresql_where=sa.text("active")
        )

    op.drop_table("calibrations")
    op.drop_table("calendar")
