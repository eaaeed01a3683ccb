"""links of identities, and how far those are that look for corrections"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_links",
        sa.Column(
            "link_id",
            sa.String(length=36),
            nullable=False,
            comment="random UUID; named as the cause by what it corrects",
        ),
        sa.Column("identity_id", sa.String(length=22), nullable=False, comment="what was moved"),
        sa.Column("from_student", sa.String(length=36), nullable=True, comment="student before; empty: it had none"),
        sa.Column("to_student", sa.String(length=36), nullable=False, comment="student from then on"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when it was moved"),
        sa.Column("decided_by", sa.Text(), nullable=False, comment="who decided it"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column(
            "takes_back",
            sa.String(length=36),
            nullable=True,
            comment="the link that this one undoes; empty for a link of its own",
        ),
        sa.ForeignKeyConstraint(
            ["from_student"], ["students.student_id"], name=op.f("fk_identity_links_from_student_students")
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identities.identity_id"], name=op.f("fk_identity_links_identity_id_identities")
        ),
        sa.ForeignKeyConstraint(
            ["takes_back"], ["identity_links.link_id"], name=op.f("fk_identity_links_takes_back_identity_links")
        ),
        sa.ForeignKeyConstraint(
            ["to_student"], ["students.student_id"], name=op.f("fk_identity_links_to_student_students")
        ),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_identity_links")),
        sa.UniqueConstraint("takes_back", name=op.f("uq_identity_links_takes_back")),
        comment="History of the identities that were moved to another student; what they did moves with them.",
    )
    with op.batch_alter_table("identity_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_links_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_identity_links_identity_id"), ["identity_id"], unique=False)

    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=64), nullable=False, comment="who looks: voids, copies"),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="everything stored before was looked at"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
        comment="How far those are that look through the statements on the clock; the next worker goes on there.",
    )


def downgrade() -> None:
    op.drop_table("marks")
    with op.batch_alter_table("identity_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_identity_links_identity_id"))
        batch_op.drop_index(batch_op.f("ix_identity_links_at"))

    op.drop_table("identity_links")
