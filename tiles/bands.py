"""Bands of an opened file: role, scale, offset, nodata; and the quality raster beside them."""

import re
from pathlib import Path

from configs.bandroles import ROLES, role_of_wavelength
from configs.sensors import SensorBand, SensorSpec
from tiles.calibration import calibration_file
from tiles.metadata import Metadata
from tiles.naming import acquired_from_name
from tiles.rasters import SUFFIXES, RasterFacts, probe
from tiles.scene import BandSource, MaskSource

__all__ = ["band_source", "checked", "own_mask", "stack_bands"]


def band_source(
    facts: RasterFacts,
    index: int,
    spec: SensorSpec,
    band: SensorBand | None,
    metadata: Metadata,
    wavelength_um: float | None = None,
) -> BandSource:
    """Return one band of a file with the first scale found: file, metadata, gains, name rule.

    Parameters
    ----------
    facts : RasterFacts
    index : int
        From 1.
    spec : SensorSpec
    band : SensorBand or None
        None where nothing tells which band it is.
    metadata : Metadata
    wavelength_um : float or None
        What the file says, instead of the sensor's figure.
    """
    scale, offset, nodata = facts.scales[index - 1], facts.offsets[index - 1], facts.nodata
    if not facts.dtype.startswith("float"):
        if (scale, offset) == (1.0, 0.0):
            told = band and metadata.scaling(facts.path, band, spec.bands.index(band))
            if band is not None and told is None:
                day = metadata.acquired or acquired_from_name(facts.path.name, "UTC")
                told = spec.gain_of(facts.path.name, day.year if day else None, band.name)
            rule = spec.scale_of(facts.path.as_posix())
            scale, offset = told or (rule.scale, rule.offset)
        nodata = spec.nodata if nodata is None else nodata
    if wavelength_um is None and band is not None:
        wavelength_um = band.wavelength_um
    rules, calibration = spec.calibration, None
    if rules is not None:
        calibration = calibration_file(facts.path, rules)
    return BandSource(facts.path, index, scale, offset, nodata, wavelength_um, calibration)


def stack_bands(facts: RasterFacts, spec: SensorSpec, metadata: Metadata) -> dict[str, BandSource]:
    """Return the bands of a stacked file by role; what is not used for analysis is left out."""
    named: dict[str, BandSource] = {}
    for i, (role, band, wavelength) in enumerate(_stack_roles(facts, spec)):
        if role is not None:
            named[role] = band_source(facts, i + 1, spec, band, metadata, wavelength)
    return named


def _stack_roles(
    facts: RasterFacts, spec: SensorSpec
) -> list[tuple[str | None, SensorBand | None, float | None]]:
    """Return role, band and wavelength of each band; a role None leaves the band out."""
    known = [w for w in facts.wavelengths_um if w is not None]
    if len(known) == facts.count:
        roles = [role_of_wavelength(w) for w in known]
        return [
            (r, spec.band(r), known[i])
            if r and roles.index(r) == i
            else (f"band{i + 1}", None, known[i])
            for i, r in enumerate(roles)
        ]
    told = [spec.band(d.strip()) for d in facts.descriptions]
    bands = [b for b in told if b is not None]
    if len(bands) < facts.count or len({b.role for b in bands}) < facts.count:
        bands = list(spec.stack(facts.count) or ())
    if not bands:
        return [(f"band{i + 1}", None, None) for i in range(facts.count)]
    present = {b.role for b in bands}
    return [
        (
            None if not b.analysis or b.stands_in_for in present else (b.stands_in_for or b.role),
            b,
            None,
        )
        for b in bands
    ]


def checked(named: dict[str, BandSource]) -> dict[str, BandSource]:
    """Order the bands by role and make sure that each can be read to its end.

    Raises
    ------
    RasterError
        Naming the file that is truncated or damaged.
    """
    order = [r for r in ROLES if r in named] + [r for r in named if r not in ROLES]
    for path in sorted({b.path for b in named.values()}):
        probe(path, *sorted({b.index for b in named.values() if b.path == path}))
    return {role: named[role] for role in order}


def own_mask(folder: Path, scene_id: str, spec: SensorSpec) -> MaskSource | None:
    """Return the sensor's own quality raster, if it was delivered with the scene."""
    product = scene_id.removesuffix("_SR")
    for quality in spec.quality:
        token = re.compile(rf"[_.\-]{quality.token}(?:[_.\-]|$)", re.IGNORECASE)
        found = sorted(
            p
            for p in folder.rglob(f"{product}*")
            if p.is_file() and p.suffix.lower() in SUFFIXES and token.search(p.stem)
        )
        if found:
            return MaskSource(
                found[0],
                quality.kind,
                quality.unusable,
                meanings=quality.meanings,
                margin_m=quality.margin_m,
            )
    return None
