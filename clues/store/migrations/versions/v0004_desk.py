"""The desk: people, cases, checks, events in a chain, images, layer features, the worklist."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = (
    "checkpoints",
    "events",
    "users",
    "images",
    "sessions",
    "tokens",
    "layer_features",
    "cases",
    "worklist",
    "attachment_links",
    "case_parcels",
    "checks",
    "comments",
)
APPEND_ONLY = ("events", "checkpoints")


def upgrade() -> None:
    """Make the tables of the desk; those that were never written to are made anew."""
    for name in ("events", "users"):
        op.drop_table(name)
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.drop_constraint("fk_attachments_case_id_cases", type_="foreignkey")
        batch_op.drop_column("case_id")
    op.drop_table("cases")
    _create_checkpoints()
    _create_events()
    _create_users()
    _create_images()
    _create_sessions()
    _create_tokens()
    _create_layer_features()
    _create_cases()
    _create_worklist()
    _create_attachment_links()
    _create_case_parcels()
    _create_checks()
    _create_comments()
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("severity", sa.Integer(), nullable=True))
    with op.batch_alter_table("patches", schema=None) as batch_op:
        batch_op.create_index("ix_patches_object", ["object_id", "run_id"], unique=False)
    for table in APPEND_ONLY:
        _refuse_changes(table)


def downgrade() -> None:
    """Drop them, and make the tables of before."""
    with op.batch_alter_table("patches", schema=None) as batch_op:
        batch_op.drop_index("ix_patches_object")
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.drop_column("severity")
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change")
    before = import_module("clues.store.migrations.versions.v0001_baseline")
    for name in ("events", "users", "cases"):
        getattr(before, f"_create_{name}")()
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("case_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key("fk_attachments_case_id_cases", "cases", ["case_id"], ["id"])


def _bounds() -> list["sa.Column[float]"]:
    names = ("west", "south", "east", "north")
    return [sa.Column(name, sa.Float(), nullable=False) for name in names]


def _refuse_changes(table: str) -> None:
    """Let rows be added and nothing else, also to who comes past the program."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} only grow'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% only grow', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _create_checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_checkpoints")),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("division", sa.String(length=12), nullable=False),
        sa.Column("object_id", sa.String(length=20), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("rows_sha256", sa.String(length=64), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("hash", name=op.f("uq_events_hash")),
    )
    op.create_index("ix_events_case_id", "events", ["case_id", "seq"])
    op.create_index("ix_events_object_id", "events", ["object_id", "seq"])


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("display", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("division", sa.String(length=12), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )


def _create_images() -> None:
    op.create_table(
        "images",
        sa.Column("image_id", sa.String(length=240), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column("taken_from", sa.Date(), nullable=True),
        sa.Column("taken_to", sa.Date(), nullable=True),
        sa.Column("attribution", sa.Text(), nullable=False),
        sa.Column("maxzoom", sa.Integer(), nullable=False),
        *_bounds(),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_images_run_id_runs")),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_images")),
    )
    op.create_index("ix_images_run_id", "images", ["run_id"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])


def _create_layer_features() -> None:
    op.create_table(
        "layer_features",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("feature_key", sa.String(length=120), nullable=False),
        sa.Column("counties", sa.Text(), nullable=False),
        sa.Column("attrs", sa.JSON(), nullable=False),
        *_bounds(),
        sa.Column("geometry", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["layer_versions.id"],
            name=op.f("fk_layer_features_version_id_layer_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layer_features")),
        sa.UniqueConstraint(
            "version_id",
            "role",
            "feature_key",
            name=op.f("uq_layer_features_version_id_role_feature_key"),
        ),
    )
    op.create_index("ix_layer_features_bounds", "layer_features", ["role", "west", "south"])


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_no", sa.String(length=40), nullable=False),
        sa.Column("clue_id", sa.Integer(), nullable=False),
        sa.Column("division", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=True),
        sa.Column("verdict_reason", sa.Text(), nullable=True),
        sa.Column("review_level", sa.String(length=12), nullable=False),
        sa.Column("returned", sa.Text(), nullable=True),
        sa.Column("assigned_to", sa.String(length=80), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("areas", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clue_id"], ["clues.id"], name=op.f("fk_cases_clue_id_clues")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("case_no", name=op.f("uq_cases_case_no")),
    )
    op.create_index("ix_cases_assigned_to", "cases", ["assigned_to"])
    op.create_index("ix_cases_clue_id", "cases", ["clue_id"])
    op.create_index("ix_cases_division", "cases", ["division"])


def _create_worklist() -> None:
    op.create_table(
        "worklist",
        sa.Column("clue_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("clue_no", sa.String(length=20), nullable=False),
        sa.Column("object_id", sa.String(length=20), nullable=False),
        sa.Column("patch_key", sa.Integer(), nullable=False),
        sa.Column("patch_id", sa.String(length=20), nullable=False),
        sa.Column("run", sa.String(length=200), nullable=False),
        sa.Column("county_code", sa.String(length=6), nullable=False),
        sa.Column("division", sa.String(length=12), nullable=False),
        sa.Column("change_type", sa.String(length=40), nullable=True),
        sa.Column("area_dm2", sa.BigInteger(), nullable=False),
        sa.Column("cropland_dm2", sa.BigInteger(), nullable=False),
        sa.Column("basic_farmland_dm2", sa.BigInteger(), nullable=False),
        sa.Column("redline_dm2", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("rule", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("review_level", sa.String(length=12), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("assigned_to", sa.String(length=80), nullable=True),
        sa.Column("batch", sa.String(length=20), nullable=True),
        sa.Column("fate", sa.String(length=12), nullable=False),
        sa.Column("is_over", sa.Boolean(), nullable=False),
        sa.Column("first_seen", sa.Date(), nullable=True),
        sa.Column("limitation_until", sa.Date(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        *_bounds(),
        sa.Column("case_nos", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["clue_id"], ["clues.id"], name=op.f("fk_worklist_clue_id_clues")),
        sa.ForeignKeyConstraint(
            ["patch_key"], ["patches.id"], name=op.f("fk_worklist_patch_key_patches")
        ),
        sa.PrimaryKeyConstraint("clue_id", name=op.f("pk_worklist")),
        sa.UniqueConstraint("clue_no", name=op.f("uq_worklist_clue_no")),
        sa.UniqueConstraint("object_id", name=op.f("uq_worklist_object_id")),
    )
    op.create_index("ix_worklist_area", "worklist", ["area_dm2", "clue_no"])
    op.create_index("ix_worklist_bounds", "worklist", ["west", "south"])
    op.create_index("ix_worklist_division", "worklist", ["division", "clue_no"])
    op.create_index("ix_worklist_due", "worklist", ["due_date", "clue_no"])
    points = ["clue_no", "lon", "lat", "state", "outcome", "priority"]
    op.create_index("ix_worklist_points", "worklist", points)
    op.create_index("ix_worklist_priority", "worklist", ["priority", "clue_no"])


def _create_attachment_links() -> None:
    op.create_table(
        "attachment_links",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("attachment_id", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.String(length=20), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachments.id"],
            name=op.f("fk_attachment_links_attachment_id_attachments"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_attachment_links_case_id_cases")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment_links")),
    )
    op.create_index("ix_attachment_links_attachment_id", "attachment_links", ["attachment_id"])
    op.create_index("ix_attachment_links_object_id", "attachment_links", ["object_id"])


def _create_case_parcels() -> None:
    op.create_table(
        "case_parcels",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("clue_id", sa.Integer(), nullable=False),
        sa.Column("parcel_id", sa.String(length=40), nullable=False),
        sa.Column("line", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_parcels_case_id_cases")
        ),
        sa.ForeignKeyConstraint(
            ["clue_id"], ["clues.id"], name=op.f("fk_case_parcels_clue_id_clues")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_parcels")),
        sa.UniqueConstraint(
            "clue_id", "line", "parcel_id", name=op.f("uq_case_parcels_clue_id_line_parcel_id")
        ),
    )
    op.create_index("ix_case_parcels_case_id", "case_parcels", ["case_id"])


def _create_checks() -> None:
    op.create_table(
        "checks",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("form", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_checks_case_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
    )
    op.create_index("ix_checks_case_id", "checks", ["case_id"])


def _create_comments() -> None:
    op.create_table(
        "comments",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("object_id", sa.String(length=20), nullable=False),
        sa.Column("patch_key", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_comments_case_id_cases")),
        sa.ForeignKeyConstraint(
            ["patch_key"], ["patches.id"], name=op.f("fk_comments_patch_key_patches")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index("ix_comments_object_id", "comments", ["object_id"])
