"""Tables of the desk: people, cases, what was said and shown of them, events, the worklist.

``worklist`` is derived: one row per clue with all that a list, map or filter asks, made again by
`clues.store.worklistrows` with every change. ``events`` and ``checkpoints`` only grow; triggers
refuse every other change.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from clues.store.tables import bounds_columns, key_column, metadata

__all__ = [
    "attachment_links",
    "attachments",
    "case_parcels",
    "cases",
    "checkpoints",
    "checks",
    "comments",
    "events",
    "images",
    "layer_features",
    "sessions",
    "tokens",
    "users",
    "worklist",
]

users = Table(
    "users",
    metadata,
    key_column(),
    Column("name", String(80), nullable=False, unique=True),
    Column("display", String(120), nullable=False),
    Column("role", String(20), nullable=False),
    Column("division", String(12), nullable=False),
    Column("password_hash", String(255)),
    Column("active", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("failed", Integer, nullable=False),
    Column("locked_until", DateTime(timezone=True)),
    Column("must_change", Boolean, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    key_column(),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("name", String(80), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)

cases = Table(
    "cases",
    metadata,
    key_column(),
    Column("case_no", String(40), nullable=False, unique=True),
    Column("clue_id", ForeignKey("clues.id"), nullable=False, index=True),
    Column("division", String(12), nullable=False, index=True),
    Column("state", String(24), nullable=False),
    Column("verdict", String(20)),
    Column("verdict_reason", Text),
    Column("review_level", String(12), nullable=False),
    Column("returned", Text),
    Column("assigned_to", String(80), index=True),
    Column("due_date", Date),
    Column("areas", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

case_parcels = Table(
    "case_parcels",
    metadata,
    key_column(),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("clue_id", ForeignKey("clues.id"), nullable=False),
    Column("parcel_id", String(40), nullable=False),
    Column("line", String(16), nullable=False),
    UniqueConstraint("clue_id", "line", "parcel_id"),
)

comments = Table(
    "comments",
    metadata,
    key_column(),
    Column("object_id", String(20), nullable=False, index=True),
    Column("patch_key", ForeignKey("patches.id"), nullable=False),
    Column("case_id", ForeignKey("cases.id")),
    Column("text", Text, nullable=False),
    Column("by", String(80), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

checks = Table(
    "checks",
    metadata,
    key_column(),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("kind", String(8), nullable=False),
    Column("form", JSON, nullable=False),
    Column("by", String(80), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

attachments = Table(
    "attachments",
    metadata,
    key_column(),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("name", String(255), nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("size", BigInteger, nullable=False),
)

attachment_links = Table(
    "attachment_links",
    metadata,
    key_column(),
    Column("attachment_id", ForeignKey("attachments.id"), nullable=False, index=True),
    Column("object_id", String(20), nullable=False, index=True),
    Column("case_id", ForeignKey("cases.id")),
    Column("kind", String(20), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("by", String(80), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("who", String(80), nullable=False),
    Column("role", String(20), nullable=False),
    Column("what", String(40), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("division", String(12), nullable=False),
    Column("object_id", String(20)),
    Column("case_id", Integer),
    Column("before", Text),
    Column("after", Text),
    Column("rows_sha256", String(64)),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("rows", Text),
)
Index("ix_events_object_id", events.c.object_id, events.c.seq)
Index("ix_events_case_id", events.c.case_id, events.c.seq)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("signature", String(128), nullable=False),
    Column("key_id", String(16), nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("image_id", String(240), primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False, index=True),
    Column("role", String(12), nullable=False),
    Column("path", Text, nullable=False),
    Column("fingerprint", String(80), nullable=False),
    Column("taken_from", Date),
    Column("taken_to", Date),
    Column("attribution", Text, nullable=False),
    Column("maxzoom", Integer, nullable=False),
    *bounds_columns(),
)

layer_features = Table(
    "layer_features",
    metadata,
    key_column(),
    Column("version_id", ForeignKey("layer_versions.id"), nullable=False),
    Column("role", String(32), nullable=False),
    Column("feature_key", String(120), nullable=False),
    Column("counties", Text, nullable=False),
    Column("attrs", JSON, nullable=False),
    *bounds_columns(),
    Column("geometry", LargeBinary, nullable=False),
    UniqueConstraint("version_id", "role", "feature_key"),
)
Index(
    "ix_layer_features_bounds",
    layer_features.c.role,
    layer_features.c.west,
    layer_features.c.south,
)

worklist = Table(
    "worklist",
    metadata,
    Column("clue_id", ForeignKey("clues.id"), primary_key=True, autoincrement=False),
    Column("clue_no", String(20), nullable=False, unique=True),
    Column("object_id", String(20), nullable=False, unique=True),
    Column("patch_key", ForeignKey("patches.id"), nullable=False),
    Column("patch_id", String(20), nullable=False),
    Column("run", String(200), nullable=False),
    Column("county_code", String(6), nullable=False),
    Column("division", String(12), nullable=False),
    Column("change_type", String(40)),
    Column("area_dm2", BigInteger, nullable=False),
    Column("cropland_dm2", BigInteger, nullable=False),
    Column("basic_farmland_dm2", BigInteger, nullable=False),
    Column("redline_dm2", BigInteger, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("rule", String(12), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("severity", Integer),
    Column("state", String(24), nullable=False),
    Column("review_level", String(12), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("due_date", Date),
    Column("assigned_to", String(80)),
    Column("batch", String(20)),
    Column("fate", String(12), nullable=False),
    Column("is_over", Boolean, nullable=False),
    Column("first_seen", Date),
    Column("limitation_until", Date),
    Column("lon", Float),
    Column("lat", Float),
    *bounds_columns(),
    Column("case_nos", Text, nullable=False),
    Column("version", Integer, nullable=False),
)
Index("ix_worklist_priority", worklist.c.priority, worklist.c.clue_no)
Index("ix_worklist_area", worklist.c.area_dm2, worklist.c.clue_no)
Index("ix_worklist_due", worklist.c.due_date, worklist.c.clue_no)
Index("ix_worklist_division", worklist.c.division, worklist.c.clue_no)
Index(
    "ix_worklist_bounds",  # holds all that a box on the map asks
    *(worklist.c[n] for n in ("west", "east", "south", "north", "division", "clue_no")),
)
Index(
    "ix_worklist_points",  # holds all that a map of points asks, so that the table is not read
    *(worklist.c[n] for n in ("clue_no", "lon", "lat", "state", "outcome", "priority")),
)
