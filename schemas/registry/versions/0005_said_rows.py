"""what imports of a student information system need: what they said last, and the scales of line items"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "said_rows",
        sa.Column(
            "slot",
            sa.String(length=32),
            nullable=False,
            comment="hash of provider, kind and what the row is about",
        ),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="in whose name"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="attendance, behavior or marks"),
        sa.Column(
            "statement_id",
            sa.String(length=36),
            nullable=True,
            comment="statement that says so; empty: nothing is said any more",
        ),
        sa.Column("digest", sa.String(length=32), nullable=False, comment="BLAKE2b-128 of what was said, hex"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="0, 1, …: how often it was corrected"),
        sa.Column(
            "voids", sa.Text(), server_default="", nullable=False, comment="statements before it that are to be voided"
        ),
        sa.Column(
            "accepted",
            sa.Boolean(),
            nullable=False,
            comment="the door has taken it, and the voiding of those before",
        ),
        sa.Column("updated_at", sa.BigInteger(), nullable=False, comment="last change"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_said_rows_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_said_rows")),
        comment="What imported rows of a student information system said last, so that a correction voids.",
    )
    with op.batch_alter_table("said_rows", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_said_rows_provider_id"), ["provider_id"], unique=False)
    with op.batch_alter_table("line_items", schema=None) as batch_op:
        batch_op.add_column(sa.Column("result_min", sa.Float(), nullable=True, comment="lowest score; empty: 0"))
        batch_op.add_column(sa.Column("result_max", sa.Float(), nullable=True, comment="highest score; empty: 100"))


def downgrade() -> None:
    with op.batch_alter_table("line_items", schema=None) as batch_op:
        batch_op.drop_column("result_max")
        batch_op.drop_column("result_min")
    with op.batch_alter_table("said_rows", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_said_rows_provider_id"))
    op.drop_table("said_rows")
