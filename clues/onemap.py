"""The One-Map catalogue: immutable layer versions, what they were on a day, as known on another.

A catalogue is a folder: one GeoPackage per content, never changed after it was written, and rows
in the store that say from when it is in force and when it was recorded.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyproj
import shapely

from clues.crs import crs_name
from clues.layers import LayerTable, read_role
from clues.store.repository import Store
from clues.store.versions import LayerVersion, add_versions, choose_version, layer_versions
from clues.versions import (
    content_hash,
    merged_version,
    read_version,
    refuse_contradiction,
    version_spec,
    version_table,
    write_version,
)
from configs.errors import InputError, LayerError, StoreError
from configs.layers import CATALOGUE, LayersFile, LayerSpec, Until, role_fields
from configs.vocabulary import roles
from tiles.files import sha256

__all__ = ["Catalogue", "Covering", "Imported", "VersionPlan", "resolve"]

STORE_NAME = "clues.sqlite"
READ_SETTINGS = ("encoding", "fields", "units", "constants", "scheme", "crs", "crs_override")
"""How a source is read: kept with a version, so that an update is read the same way."""


@dataclass(frozen=True)
class Imported:
    """What an import did to one role; `version` is the one in force, new or not."""

    version: LayerVersion
    is_new: bool
    problems: int


@dataclass(frozen=True)
class Covering:
    """A feature that covered a point; `feature` is None where the version has none there."""

    version: LayerVersion
    feature: dict[str, Any] | None


class VersionPlan(NamedTuple):
    """A version to be kept, and the problems of its rows."""

    role: str
    table: Any
    details: dict[str, Any]
    begins: dt.date | None
    complete: bool | str
    problems: int = 0
    parent: LayerVersion | None = None


class Catalogue:
    """The layer versions below a folder; use as a context manager.

    Parameters
    ----------
    folder : Path
        Made when missing, unless `existing`.
    existing : bool
        Refuse a folder without a catalogue.
    """

    def __init__(self, folder: Path, *, existing: bool = False) -> None:
        if existing and not (folder / STORE_NAME).is_file():
            raise StoreError(
                "there is no catalogue", str(folder), "make one: tuban layers import --store"
            )
        self.folder = folder
        self.store = Store.at(folder / STORE_NAME)

    def __enter__(self) -> "Catalogue":
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def import_layers(
        self, file: LayersFile, *, valid_from: dt.date | None = None, now: dt.datetime | None = None
    ) -> list[Imported]:
        """Keep every layer of a layers file as a version, all of them or none.

        Parameters
        ----------
        file : LayersFile
        valid_from : date, optional
            Day from which the layers are in force; that of the layer (`valid_from:`), or since
            ever, if not given.
        now : datetime, optional
            The moment recorded, UTC.

        Raises
        ------
        LayerError
            If a layer is refused or overlaps itself where it must not.
        """
        plans = []
        for role in roles():
            specs = tuple(spec for spec in file.layers if spec.role == role)
            if specs and not specs[0].from_catalogue:
                layer = read_role(role, specs)
                table = version_table(layer)
                if any(spec.no_overlap for spec in specs):
                    refuse_contradiction(table, None, f"{role}: {_names(specs)}")
                begins = valid_from or _earliest(specs)
                complete, problems = _complete(layer), len(layer.rejects)
                plans.append(VersionPlan(role, table, _details(specs), begins, complete, problems))
        return self.keep(plans, now)

    def add_features(
        self,
        role: str,
        source: Path,
        *,
        valid_from: dt.date | None = None,
        now: dt.datetime | None = None,
    ) -> Imported:
        """Add or replace features of a role by id; the newest version becomes the parent.

        The source is read as the role was read at its import.

        Parameters
        ----------
        role, source
        valid_from : date, optional
            Day from which the new version is in force; that of its parent if not given.
        now : datetime, optional

        Raises
        ------
        LayerError
            If the source is refused, or a feature overlaps another in a layer without overlaps.
        StoreError
            If the role has no version yet.
        """
        parent = self.in_force(role, None)
        if parent is None:
            raise StoreError(
                f"there is no version of the role {role}",
                str(self.folder),
                "import the whole layer first: tuban layers import LAYERS.yaml --store …",
            )
        settings = {n: v for n, v in parent.details["read"].items() if v is not None}
        spec = LayerSpec(role=role, source=source, **settings)
        layer = read_role(role, (spec,), crs=parent.crs)
        before = read_version(role, self.path(parent))
        where = f"{role}: {spec.name}"
        table, changes = merged_version(before, version_table(layer), where)
        if parent.details["no_overlap"]:
            touched = {*changes["added"], *changes["replaced"]}
            refuse_contradiction(table, touched, where)
        details = parent.details | {
            "sources": [spec.name],
            "changes": {name: len(ids) for name, ids in changes.items()},
        }
        begins = valid_from or parent.valid_from
        problems = len(layer.rejects)
        plan = VersionPlan(role, table, details, begins, parent.complete, problems, parent)
        return self.keep([plan], now)[0]

    def keep(self, plans: list[VersionPlan], now: dt.datetime | None) -> list[Imported]:
        """Write files, then record all versions at once; what is there already stays as it is."""
        moment, done, fresh = now or dt.datetime.now(dt.UTC), [], []
        for plan in plans:
            table, ends = plan.table, plan.details["spec"]["valid_to"]
            content, begins = content_hash(table), plan.begins
            last = choose_version(layer_versions(self.store, plan.role), begins or dt.date.min)
            if last and (last.content, last.complete) == (content, plan.complete):
                done.append(Imported(last, False, plan.problems))
                continue
            name = f"layers/{plan.role}/{content[:12]}.gpkg"
            if not (self.folder / name).exists():
                write_version(table, self.folder / name)
            facts = [content, begins, ends, plan.complete, last.version if last else None]
            version = LayerVersion(
                role=plan.role,
                version=hashlib.sha256(repr(facts).encode()).hexdigest()[:12],
                content=content,
                crs=crs_name(table.crs),
                features=len(table),
                complete=plan.complete,
                valid_from=begins,
                valid_to=dt.date.fromisoformat(ends) if ends else None,
                recorded_at=moment,
                file=name,
                file_sha256=sha256(self.folder / name),
                parent=plan.parent.version if plan.parent else None,
                details=plan.details,
            )
            fresh.append(version)
            done.append(Imported(version, True, plan.problems))
        add_versions(self.store, fresh)
        return done

    def in_force(
        self, role: str, on: dt.date | None, known_on: dt.date | None = None
    ) -> LayerVersion | None:
        """Return the version of a role in force on a day, as known on another; None if none."""
        return choose_version(layer_versions(self.store, role), on, known_on)

    def path(self, version: LayerVersion) -> Path:
        """Return the file of a version, which must be as it was written.

        Raises
        ------
        StoreError
            If the file is missing or was changed.
        """
        path = self.folder / version.file
        if not path.is_file() or sha256(path) != version.file_sha256:
            raise StoreError(
                f"the file of version {version.version} is missing or was changed",
                str(path),
                "restore it from a backup: a version never changes",
            )
        return path

    def spec(self, version: LayerVersion) -> LayerSpec:
        """Return how a version is read as a layer."""
        kept = LayerSpec.model_validate(version.details["spec"] | {"source": "-"})
        complete = version.complete
        return version_spec(
            version.role,
            self.path(version),
            version.version,
            kept.scheme,
            complete=complete
            if isinstance(complete, bool)
            else Until(until=dt.date.fromisoformat(complete)),
            no_overlap=version.details["no_overlap"],
            valid_from=kept.valid_from,
            valid_to=kept.valid_to,
        )

    def at(
        self, x: float, y: float, *, crs: str, on: dt.date, known_on: dt.date | None = None
    ) -> list[Covering]:
        """Return what covered a point on a day, as known on another, role by role.

        Parameters
        ----------
        x, y : float
            In `crs`, longitude or easting first.
        crs : str
        on, known_on : date

        Returns
        -------
        list of Covering
            One per feature; one without feature for a version that has none there.
        """
        found: list[Covering] = []
        for role in roles():
            version = self.in_force(role, on, known_on)
            if version is None:
                continue
            features = self._features_at(version, x, y, crs)
            found.extend(Covering(version, f) for f in features)
            if not features:
                found.append(Covering(version, None))
        return found

    def _features_at(
        self, version: LayerVersion, x: float, y: float, crs: str
    ) -> list[dict[str, Any]]:
        import pyogrio

        path = self.path(version)
        try:
            move = pyproj.Transformer.from_crs(crs, version.crs, always_xy=True)
        except pyproj.exceptions.CRSError as error:
            raise InputError(f"there is no CRS {crs!r}", "--crs", "write EPSG:4490") from error
        point = shapely.Point(move.transform(x, y))
        if not np.isfinite(shapely.get_coordinates(point)).all():
            raise InputError(f"{x:g},{y:g} is no place in {crs}", "X,Y", "give --crs of the point")
        near = pyogrio.read_dataframe(path, layer="features", bbox=(*point.coords[0],) * 2)
        near = near[near.intersects(point)].sort_values("id")
        names = [n for n in near.columns if n in (*role_fields(version.role), "source", "row")]
        return [
            {str(k): None if v != v else v for k, v in row.items()}
            for row in near[names].to_dict("records")
        ]


def _names(specs: tuple[LayerSpec, ...]) -> str:
    return ", ".join(spec.name for spec in specs)


def _earliest(specs: tuple[LayerSpec, ...]) -> dt.date | None:
    days = [spec.valid_from for spec in specs]
    return None if None in days else min(d for d in days if d is not None)


def _details(specs: tuple[LayerSpec, ...]) -> dict[str, Any]:
    first = specs[0].model_dump(mode="json")
    return {
        "sources": [spec.name for spec in specs],
        "read": {name: first[name] for name in READ_SETTINGS},
        "spec": {n: first[n] for n in ("role", "scheme", "valid_from", "valid_to")},
        "no_overlap": any(spec.no_overlap for spec in specs),
    }


def _complete(layer: LayerTable) -> bool | str:
    return layer.complete if isinstance(layer.complete, bool) else layer.complete.isoformat()


def resolve(file: LayersFile) -> LayersFile:
    """Return a layers file whose catalogue sources name the files of their versions.

    Raises
    ------
    LayerError
        If a source names no version, or none was in force that day.
    StoreError
        If there is no catalogue, or a file was changed.
    """
    if not any(spec.from_catalogue for spec in file.layers):
        return file
    if file.catalogue is None:
        raise LayerError(
            "a source names a catalogue, and the layers file none",
            "catalogue:",
            "add `catalogue: FOLDER`, the --store folder of tuban layers import",
        )
    with Catalogue(file.catalogue, existing=True) as catalogue:
        layers = tuple(
            _resolved(spec, catalogue) if spec.from_catalogue else spec for spec in file.layers
        )
    return file.model_copy(update={"layers": layers})


def _resolved(spec: LayerSpec, catalogue: Catalogue) -> LayerSpec:
    role, _, wanted = str(spec.source).removeprefix(CATALOGUE).partition("@")
    versions = layer_versions(catalogue.store, role)
    where = f"{spec.source} in {catalogue.folder}"
    if role != spec.role:
        raise LayerError(
            f"the role is {spec.role}, the source is of {role}", where, "write the same role"
        )
    if wanted:
        found = next((v for v in versions if v.version.startswith(wanted)), None)
    else:
        found = choose_version(versions, spec.as_of, spec.known_on)
    if found is None:
        known = ", ".join(f"{v.version} from {v.valid_from or 'ever'}" for v in versions)
        day = str(spec.as_of) if spec.as_of else "any day"
        raise LayerError(
            f"there is no version {wanted}" if wanted else f"no version was in force on {day}",
            where,
            f"the catalogue has: {known or 'none of this role'}",
        )
    return catalogue.spec(found)
