"""What became of every object in every period: one row per object and run, none ever altered."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of lineage, and the dates of the pair to runs."""
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("period_before", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("period_after", sa.Date(), nullable=True))
    op.create_table(
        "lineage",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.String(length=20), nullable=False),
        sa.Column("patch_key", sa.Integer(), nullable=True),
        sa.Column("fate", sa.String(length=12), nullable=False),
        sa.Column("parents", sa.JSON(), nullable=False),
        sa.Column("added_dm2", sa.BigInteger(), nullable=False),
        sa.Column("removed_dm2", sa.BigInteger(), nullable=False),
        sa.Column("area_dm2", sa.BigInteger(), nullable=False),
        sa.Column("first_before", sa.Date(), nullable=False),
        sa.Column("first_seen", sa.Date(), nullable=False),
        sa.Column("limitation_until", sa.Date(), nullable=True),
        sa.Column("change_type", sa.String(length=40), nullable=True),
        sa.Column("from_cover", sa.String(length=40), nullable=True),
        sa.Column("to_cover", sa.String(length=40), nullable=True),
        sa.Column("is_observed", sa.Boolean(), nullable=False),
        *(sa.Column(n, sa.Float(), nullable=False) for n in ("west", "south", "east", "north")),
        sa.Column("geometry", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patch_key"], ["patches.id"], name=op.f("fk_lineage_patch_key_patches")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_lineage_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage")),
        sa.UniqueConstraint("run_id", "object_id", name=op.f("uq_lineage_run_id_object_id")),
    )
    with op.batch_alter_table("lineage", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lineage_object_id"), ["object_id"], unique=False)


def downgrade() -> None:
    """Drop both."""
    op.drop_table("lineage")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("period_after")
        batch_op.drop_column("period_before")
