"""Every batch that a clue was issued in: one row each, none ever altered."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, with the batch that each clue names so far."""
    op.create_table(
        "issues",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("clue_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name="fk_issues_batch_id_batches"),
        sa.ForeignKeyConstraint(["clue_id"], ["clues.id"], name="fk_issues_clue_id_clues"),
        sa.PrimaryKeyConstraint("id", name="pk_issues"),
        sa.UniqueConstraint("clue_id", "batch_id", name="uq_issues_clue_id_batch_id"),
    )
    op.execute(
        "INSERT INTO issues (clue_id, batch_id) "
        "SELECT id, batch_id FROM clues WHERE batch_id IS NOT NULL ORDER BY id"
    )


def downgrade() -> None:
    """Drop it; clues name the last batch."""
    op.drop_table("issues")
