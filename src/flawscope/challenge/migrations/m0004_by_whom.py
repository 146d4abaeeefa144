"""Who has handed a submission in on a site."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; people have numbers that are never used again."""
    op.add_column("submissions", sa.Column("person_id", sa.Integer, nullable=True))


def downgrade() -> None:
    """Take it away, with what is in it."""
    op.drop_column("submissions", "person_id")
