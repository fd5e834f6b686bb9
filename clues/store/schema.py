"""Tables of the clue store; the migrations under ``migrations/`` bring a database to this state.

Geometries are WKB blobs in the CRS named by their run or layer version, beside the four numbers
of their bounds, so that SQLite needs no extension. Areas are whole dm² (0.01 m²). Civil dates are
dates, moments are UTC.
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

from clues.store.caseschema import (
    attachment_links,
    attachments,
    case_parcels,
    cases,
    checkpoints,
    checks,
    comments,
    events,
    images,
    layer_features,
    sessions,
    tokens,
    users,
    worklist,
)
from clues.store.tables import bounds_columns, key_column, metadata

__all__ = [
    "answers",
    "attachment_links",
    "attachments",
    "batches",
    "case_parcels",
    "cases",
    "checkpoints",
    "checks",
    "clues",
    "comments",
    "counters",
    "events",
    "findings",
    "images",
    "issues",
    "layer_features",
    "layer_versions",
    "layers",
    "leads",
    "lineage",
    "metadata",
    "parcels",
    "patches",
    "runs",
    "sessions",
    "tokens",
    "users",
    "verdicts",
    "worklist",
]

runs = Table(
    "runs",
    metadata,
    key_column(),
    Column("run_key", String(64), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("county_code", String(6), nullable=False),
    Column("county_name", String(100), nullable=False),
    Column("grid_crs", Text, nullable=False),
    Column("config", JSON, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("period_before", Date),
    Column("period_after", Date),
)

patches = Table(
    "patches",
    metadata,
    key_column(),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("patch_id", String(20), nullable=False),
    Column("object_id", String(20), nullable=False),
    Column("source_id", String(60)),
    Column("county_code", String(6), nullable=False),
    Column("anchor_row", BigInteger, nullable=False),
    Column("anchor_col", BigInteger, nullable=False),
    Column("n_pixels", BigInteger, nullable=False),
    Column("area_dm2", BigInteger, nullable=False),
    Column("before_from", Date),
    Column("before_to", Date),
    Column("after_from", Date),
    Column("after_to", Date),
    Column("change_type", String(40)),
    Column("use", String(40)),
    Column("confidence", Integer, nullable=False),
    Column("disposition", String(12), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("rule", String(12), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("lon", Float),
    Column("lat", Float),
    *bounds_columns(),
    Column("geometry", LargeBinary, nullable=False),
    UniqueConstraint("run_id", "patch_id"),
)
Index("ix_patches_bounds", patches.c.west, patches.c.east, patches.c.south, patches.c.north)
Index("ix_patches_object", patches.c.object_id, patches.c.run_id)
Index("ix_patches_order", patches.c.run_id, patches.c.county_code, patches.c.anchor_row)

parcels = Table(
    "parcels",
    metadata,
    key_column(),
    Column("patch_key", ForeignKey("patches.id"), nullable=False, index=True),
    Column("line", String(16), nullable=False),
    Column("parcel_no", Integer, nullable=False),
    Column("parcel_id", String(40), nullable=False),
    Column("area_dm2", BigInteger, nullable=False),
    Column("areas", JSON, nullable=False),
    Column("documents", JSON, nullable=False),
    Column("geometry", LargeBinary, nullable=False),
    UniqueConstraint("patch_key", "line", "parcel_no"),
)

findings = Table(
    "findings",
    metadata,
    key_column(),
    Column("parcel_key", ForeignKey("parcels.id"), nullable=False, index=True),
    Column("rule_set", String(80), nullable=False),
    Column("rule_set_version", String(40), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("rule", String(12), nullable=False),
    Column("rules", String(200), nullable=False),
    Column("flags", String(60), nullable=False),
    Column("reason_zh", Text, nullable=False),
    Column("reason_en", Text, nullable=False),
    Column("trace", JSON, nullable=False),
    Column("severity", Integer),
    Column("judged_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("parcel_key", "rule_set", "rule_set_version"),
)

batches = Table(
    "batches",
    metadata,
    key_column(),
    Column("year", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("issue_date", Date, nullable=False),
    Column("due_date", Date, nullable=False),
    UniqueConstraint("year", "number"),
)

clues = Table(
    "clues",
    metadata,
    key_column(),
    Column("clue_no", String(20), nullable=False, unique=True),
    Column("object_id", String(20), nullable=False, unique=True),
    Column("patch_key", ForeignKey("patches.id"), nullable=False, index=True),
    Column("batch_id", ForeignKey("batches.id")),
    Column("status", String(20), nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
)

issues = Table(
    "issues",
    metadata,
    key_column(),
    Column("clue_id", ForeignKey("clues.id"), nullable=False),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("at", DateTime(timezone=True)),
    UniqueConstraint("clue_id", "batch_id"),
)
"""Every batch of a clue, in order; ``clues.batch_id`` is the last."""

lineage = Table(
    "lineage",
    metadata,
    key_column(),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("object_id", String(20), nullable=False, index=True),
    Column("patch_key", ForeignKey("patches.id")),
    Column("fate", String(12), nullable=False),
    Column("parents", JSON, nullable=False),
    Column("added_dm2", BigInteger, nullable=False),
    Column("removed_dm2", BigInteger, nullable=False),
    Column("area_dm2", BigInteger, nullable=False),
    Column("first_before", Date, nullable=False),
    Column("first_seen", Date, nullable=False),
    Column("limitation_until", Date),
    Column("change_type", String(40)),
    Column("from_cover", String(40)),
    Column("to_cover", String(40)),
    Column("is_observed", Boolean, nullable=False),
    *bounds_columns(),
    Column("geometry", LargeBinary, nullable=False),
    UniqueConstraint("run_id", "object_id"),
)

counters = Table(
    "counters",
    metadata,
    Column("series", String(20), primary_key=True),
    Column("last", Integer, nullable=False),
)

layers = Table(
    "layers",
    metadata,
    key_column(),
    Column("role", String(32), nullable=False),
    Column("name", String(200), nullable=False),
    UniqueConstraint("role", "name"),
)

layer_versions = Table(
    "layer_versions",
    metadata,
    key_column(),
    Column("layer_id", ForeignKey("layers.id"), nullable=False, index=True),
    Column("version", String(64), nullable=False),
    Column("crs", Text, nullable=False),
    Column("features", Integer, nullable=False),
    Column("complete", JSON, nullable=False),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("file", Text),
    Column("file_sha256", String(64)),
    Column("content", String(64)),
    Column("parent", String(64)),
    Column("details", JSON),
    UniqueConstraint("layer_id", "version"),
)

verdicts = Table(
    "verdicts",
    metadata,
    key_column(),
    Column("patch_key", ForeignKey("patches.id"), nullable=False, index=True),
    Column("parcel_no", Integer, nullable=False),
    Column("line", String(16), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(80), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("source", String(40), nullable=False),
)

answers = Table(
    "answers",
    metadata,
    key_column(),
    Column("patch_key", ForeignKey("patches.id"), nullable=False, index=True),
    Column("name", String(40), nullable=False),
    Column("value", Text, nullable=False),
    Column("by", String(80), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("source", String(40), nullable=False),
)

leads = Table(
    "leads",
    metadata,
    key_column(),
    Column("lead_id", String(20), nullable=False, unique=True),
    Column("number", String(60)),
    Column("source", String(40), nullable=False),
    Column("received", Date),
    Column("text", Text, nullable=False),
    Column("relation", String(12), nullable=False),
    Column("distance_m", Float),
    Column("clue_id", ForeignKey("clues.id"), index=True),
    *bounds_columns(),
    Column("geometry", LargeBinary, nullable=False),
)
