"""Versions of a run's patches that people edited: files never altered, the newest is judged."""

from typing import TYPE_CHECKING, Any

from configs.errors import RunError
from configs.told import Told
from tiles.files import atomic_path, sha256

if TYPE_CHECKING:
    import geopandas as gpd

    from flows.manifest import Run
    from flows.products import Product

__all__ = [
    "add_version",
    "edits_hash",
    "present_patches",
    "unused_edits",
    "version_name",
    "versions_of",
]

STAGE, FOLDER = "edits", "edits"
FOUND = ("work", "patches.parquet")
"""The patches as imagery found them."""


def versions_of(run: "Run") -> list["Product"]:
    """Return the versions that were made of the patches that imagery finds now, in order.

    Where a setting has changed since, so that other patches are found, earlier edits are of
    patches that are no more: they stay in the folder and are not used.
    """
    found = [p for p in run.products("join") if p.name == "patches"]
    if not found:
        return []
    path = "/".join(FOUND)
    base = next((f.sha256 for f in found[0].files if f.path == path), "")
    return [p for p in run.products(STAGE) if p.values["base"] == base]


def unused_edits(run: "Run") -> list[Told]:
    """Return what a reader must know of edits that the run does not use."""
    edits = run.products(STAGE)
    if not edits or versions_of(run):
        return []
    by, day = edits[-1].values["editor"], str(edits[-1].values["at"])[:10]
    return [
        Told(
            f"图斑的人工修改（{by}，{day}）未采用：影像提取的图斑已变，请重新导出并修改",
            f"edits of patches ({by}, {day}) are not used: imagery finds other patches now; "
            "export and edit them again",
        )
    ]


def edits_hash(run: "Run") -> str:
    """Return the SHA-256 of the version in use; "" where nobody edited the patches."""
    versions = versions_of(run)
    return versions[-1].files[0].sha256 if versions else ""


def version_name(run: "Run") -> str:
    """Return what a layer that is handed out for editing is marked with."""
    return (edits_hash(run) or sha256(run.path(*FOUND)))[:12]


def present_patches(run: "Run") -> "gpd.GeoDataFrame":
    """Return the patches that are judged: the newest version, or what imagery found.

    Raises
    ------
    RunError
        If the file of the version is gone or was altered.
    """
    import geopandas as gpd

    versions = versions_of(run)
    if not versions:
        return gpd.read_parquet(run.path(*FOUND))
    record = versions[-1].files[0]
    path = run.path(record.path)
    if not path.is_file() or sha256(path) != record.sha256:
        raise RunError(
            "a version of the patches is gone or was altered",
            str(path),
            "put the file back from a copy; --fresh gives up all edits",
        )
    return gpd.read_parquet(path)


def add_version(run: "Run", table: "gpd.GeoDataFrame", values: dict[str, Any]) -> "Product":
    """Write the next version and record it; earlier ones stay as they are.

    Parameters
    ----------
    run : Run
        Open for writing.
    table : GeoDataFrame
    values : dict
        Who, when, from which file; kept in the manifest.
    """
    from flows.keys import stage_key

    earlier = versions_of(run)
    base = sha256(run.path(*FOUND))
    parent = earlier[-1].name if earlier else ""
    number = 1 + max((int(p.name) for p in run.products(STAGE)), default=0)
    name = f"{number:04d}"
    part_path = run.path(FOLDER, f"patches-{name}.parquet")
    with atomic_path(part_path) as part:
        table.to_parquet(part, index=False)
    key = stage_key(STAGE, files={"edited layer": values["source_sha256"]}, inputs={"base": base})
    told = values | {"base": base, "parent": parent, "patches": len(table)}
    return run.put(STAGE, name, key, files=[part_path], values=told)
