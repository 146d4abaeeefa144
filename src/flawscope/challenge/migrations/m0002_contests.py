"""What an organiser changes; teams that are joined by a code, choose a submission, or are out; notes on submissions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns."""
    op.create_table(
        "contests",
        sa.Column("challenge", sa.String(120), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("goes_on", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("challenge", name="pk_contests"),
    )
    op.add_column("teams", sa.Column("code", sa.String(32), nullable=True))
    op.add_column("teams", sa.Column("disqualified", sa.Text, nullable=False, server_default=""))
    op.add_column("teams", sa.Column("chosen", sa.Integer, nullable=True))
    op.create_index("ix_teams_code", "teams", ["code"], unique=True)
    op.add_column("submissions", sa.Column("note", sa.Text, nullable=False, server_default=""))
    op.add_column("submissions", sa.Column("file_name", sa.String(200), nullable=False, server_default=""))


def downgrade() -> None:
    """Take them away, with what is in them."""
    op.drop_column("submissions", "file_name")
    op.drop_column("submissions", "note")
    op.drop_index("ix_teams_code", "teams")
    for name in ("chosen", "disqualified", "code"):
        op.drop_column("teams", name)
    op.drop_table("contests")
