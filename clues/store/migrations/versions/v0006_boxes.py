"""An index that holds all that a box on the map asks, so that counting reads no clue."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BOX = ["west", "east", "south", "north", "division", "clue_no"]


def upgrade() -> None:
    """Put it in place of that of two edges."""
    op.drop_index("ix_worklist_bounds", "worklist")
    op.create_index("ix_worklist_bounds", "worklist", BOX)


def downgrade() -> None:
    """Put the index of two edges back."""
    op.drop_index("ix_worklist_bounds", "worklist")
    op.create_index("ix_worklist_bounds", "worklist", BOX[:3:2])
