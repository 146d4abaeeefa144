"""What organisers have done on a site, and links with which somebody sets a new password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "acts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("challenge", sa.String(120), nullable=False),
        sa.Column("person_id", sa.Integer, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_acts"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_acts_person_id"),
    )
    op.create_index("ix_acts_challenge", "acts", ["challenge"])
    op.create_table(
        "resets",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("person_id", sa.Integer, nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_resets"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_resets_person_id"),
    )


def downgrade() -> None:
    """Take them away, with all that is in them."""
    for name in ("resets", "acts"):
        op.drop_table(name)
