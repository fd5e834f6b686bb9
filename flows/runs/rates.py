"""What a stage costs: measured in earlier runs of a folder, else on the machine of a shipped table.

A stage costs a fixed time and a time per million pixels. Fixed times are loading libraries, and
fits on a sample whose size does not grow with the area.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from configs.errors import RunError
from configs.loading import load_values
from flows.manifest import Run
from flows.runs.state import summary_of

__all__ = ["Rates", "StageRate", "folder_rates", "shipped_rates"]

PARALLEL = ("tiles",)
"""Stages that workers share."""

LEAST_MPX = 1.0
"""Runs below this size tell little but how long libraries take to load."""


@dataclass(frozen=True)
class StageRate:
    """What one stage costs.

    Attributes
    ----------
    fixed_s : float
        CPU seconds whatever the size.
    per_mpx_s : float
        CPU seconds per million pixels.
    fixed_bytes : float
        Largest Σ PSS of the process tree, less what grows with the patches.
    read_per_px, written_per_px : float or None
        Bytes per pixel, caches included; None where they were not measured.
    bytes_per_patch : float
        Memory that a patch takes while the stage is worked.
    """

    fixed_s: float
    per_mpx_s: float
    fixed_bytes: float
    read_per_px: float | None = None
    written_per_px: float | None = None
    bytes_per_patch: float = 0.0

    def seconds(self, mpx: float) -> float:
        """Return the CPU seconds for so many million pixels."""
        return self.fixed_s + self.per_mpx_s * mpx


@dataclass(frozen=True)
class Rates:
    """What all stages cost, and where that was measured.

    Attributes
    ----------
    stages : dict of str to StageRate
    source : str
        Machine, size and number of the runs.
    patches_per_mpx : float
        What is found in a million pixels.
    worker_bytes : float
        What a further worker takes.
    folder_bytes, folder_per_px : float
        Bytes that stay in the run folder: whatever the size, and per pixel.
    """

    stages: dict[str, StageRate]
    source: str
    patches_per_mpx: float
    worker_bytes: float
    folder_bytes: float
    folder_per_px: float

    def peak_bytes(self, pixels: float) -> dict[str, float]:
        """Return the memory that each stage of a run of some size takes with one worker."""
        patches = self.patches_per_mpx * pixels / 1e6
        return {n: r.fixed_bytes + r.bytes_per_patch * patches for n, r in self.stages.items()}


def shipped_rates() -> Rates:
    """Return the rates measured on the machine that the shipped table names."""
    table = load_values("rates", "measured")
    stages = {name: StageRate(**values) for name, values in table["stages"].items()}
    return Rates(**table | {"stages": stages})


def folder_rates(out: Path) -> Rates | None:
    """Return the rates of the finished runs in a folder; None where none is large enough.

    A run counts with the stages that made all of their products. Of several runs the median
    holds. Fixed times and bytes per patch are those of the shipped table, since one size alone does
    not tell them.
    """
    base, sizes, densities = shipped_rates(), [], []
    measured: dict[str, list[StageRate]] = {}
    for folder in sorted(out.iterdir()) if out.is_dir() else ():
        summary = summary_of(folder)
        mpx, patches = _megapixels(summary), _patches(summary)
        if mpx < LEAST_MPX:
            continue
        sizes.append(mpx)
        densities.append(patches / mpx)
        for stage, record in _whole_records(folder).items():
            if stage in base.stages:
                rate = _rate(record, mpx, patches, base.stages[stage])
                measured.setdefault(stage, []).append(rate)
    if "tiles" not in measured:
        return None
    stages = base.stages | {name: _median(rates) for name, rates in measured.items()}
    source = f"{len(sizes)} earlier runs in {out}, {min(sizes):.1f} to {max(sizes):.1f} Mpx"
    return replace(base, stages=stages, source=source, patches_per_mpx=median(densities))


def _megapixels(summary: dict[str, Any]) -> float:
    return float(summary.get("stages", {}).get("tiles", {}).get("pixels", 0)) / 1e6


def _patches(summary: dict[str, Any]) -> float:
    return float(summary.get("stages", {}).get("join", {}).get("patches", 0))


def _whole_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the last record of each stage that made all it has."""
    try:
        notes = Run.open(folder).notes
    except RunError:
        return {}
    return {n["stage"]: n for n in notes if n["kind"] == "stage" and _is_whole(n)}


def _is_whole(record: dict[str, Any]) -> bool:
    """Tell whether a stage made all it has, in a version that keeps what it read and wrote."""
    told = record.get("reuse", {})
    return bool(told.get("made")) and not told.get("reused") and "read_bytes" in record


def _rate(record: dict[str, Any], mpx: float, patches: float, base: StageRate) -> StageRate:
    pixels = mpx * 1e6
    spent = max(0.0, float(record["cpu_seconds"]) - base.fixed_s)
    return StageRate(
        fixed_s=min(base.fixed_s, float(record["cpu_seconds"])),
        per_mpx_s=spent / mpx if base.per_mpx_s else 0.0,
        read_per_px=record["read_bytes"] / pixels,
        written_per_px=record["written_bytes"] / pixels,
        fixed_bytes=max(0.0, record["peak_bytes"] - base.bytes_per_patch * patches),
        bytes_per_patch=base.bytes_per_patch,
    )


def _median(rates: Iterable[StageRate]) -> StageRate:
    found = list(rates)
    names = StageRate.__dataclass_fields__
    return StageRate(**{name: median(getattr(r, name) or 0.0 for r in found) for name in names})
