"""Judging a judged run again: where its layers have changed since, or all of it by other rules."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import InputError
from flows.delivered import keep_judgement
from flows.judging import TABLES, reject_rows
from flows.registering import STORE_NAME, register_of
from flows.rejudging import judged_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from clues.judgement import Judgement
    from clues.layers import OneMap
    from clues.rejudge import Rejudged
    from configs.rules import RuleSet
    from flows.tracedjudging import Kept

__all__ = ["Again", "judge_again", "kept_judgement"]


@dataclass(frozen=True)
class Again:
    """What `judge_again` did.

    Attributes
    ----------
    patches, touched : int
        Patches of the run, and those that were judged again.
    changes : DataFrame
        See `clues.rejudge.differences`.
    """

    patches: int
    touched: int
    changes: "pd.DataFrame"


def judge_again(
    run: Path,
    layers: Path,
    out: Path,
    *,
    rules: str | None = None,
    was: Path | None = None,
    quarter: int | None = None,
) -> Again:
    """Judge a judged run again, without imagery, into another folder.

    By the rules of the run only the patches are judged that a change of the layers touches; by
    other rules all are. A run that kept to county borders is judged county by county. Clues keep
    their numbers; the store of the new folder holds both judgements, and the folder of the run is
    not altered. Of a run that keeps a register all patches are judged, with what the register
    holds of earlier periods now, and the register takes this judgement of the period for the last.

    Parameters
    ----------
    run : Path
        Folder of a judged run.
    layers : Path
        ``LAYERS.yaml`` as it is now.
    out : Path
    rules : str, optional
        Shipped name or YAML path; the rule set of the run if not given.
    was : Path, optional
        ``LAYERS.yaml`` of the run, if the one it names has changed.
    quarter : int, optional
        Printed in the numbers of clues that are new.

    Raises
    ------
    InputError
        If the folder holds no judged run, is its own target, or its layers are not those at hand.
    """
    from clues.layers import build_onemap
    from clues.rejudge import differences
    from configs.layers import LayersFile

    table, rule_set = judged_run(run, rules)
    folder, file = out.resolve(), LayersFile.load(layers)
    _require_place(run, folder)
    crs = table.crs.to_string()
    onemap = build_onemap(file, crs=crs)
    before, summary = kept_judgement(run), _summary(run)
    judging = _Judging(onemap, *_counties(summary, layers, onemap, run))
    table, kept = _in_register(run, table, rule_set)
    if rules is None and kept is None:
        old = build_onemap(LayersFile.load(was or Path(_layers_named(run, summary))), crs=crs)
        _require_same(old, summary, run)
        found = judging.again(before, old, rule_set)
        judgement, changes, touched = found.judgement, found.changes, int(found.touched.sum())
    else:
        judgement = judging.anew(table, rule_set)
        changes, touched = differences(before.findings, judgement.findings), len(table)
    _take_store(run, folder)
    versions = sorted(f"{role}@{layer.version}" for role, layer in onemap.layers.items())
    inputs = {"run": str(run), "layers": str(layers)}
    told = _told(summary, inputs, touched, changes) | {
        "rejects": reject_rows(onemap),
        "counties": dict(judging.counties),
    }
    parts = (str(told["parent"]), *versions, rule_set.digest)
    keep_judgement(
        *(folder, judgement, rule_set, file, onemap),
        parts=parts,
        quarter=quarter,
        told=told,
        kept=kept,
    )
    return Again(len(table), touched, changes)


def _in_register(run: Path, table: Any, rules: "RuleSet") -> "tuple[Any, Kept | None]":
    """Return the patches with what they are in time; as they are where no register is kept."""
    from flows.tracedjudging import traced_again

    place = register_of(run)
    return (table, None) if place is None else traced_again(place, run.resolve(), table, rules)


def _take_store(run: Path, folder: Path) -> None:
    """Begin the store of the new folder with what that of the run holds."""
    folder.mkdir(parents=True, exist_ok=True)
    if (run / STORE_NAME).is_file() and not (folder / STORE_NAME).exists():
        shutil.copyfile(run / STORE_NAME, folder / STORE_NAME)


def _told(
    summary: dict[str, Any], inputs: dict[str, str], touched: int, changes: "pd.DataFrame"
) -> dict[str, Any]:
    """Return what ``run.json`` says of a judgement besides its results."""
    return {
        "command": "judge again",
        "inputs": inputs,
        "parent": summary.get("key") or summary.get("name"),
        "judged_again": touched,
        "changes": changes[["line", "parcel_id", "before", "after"]].to_dict("records"),
    }


def _require_place(run: Path, folder: Path) -> None:
    if folder == run.resolve():
        raise InputError(
            "a judgement is never written over", str(folder), "name another folder with --out"
        )


@dataclass(frozen=True)
class _Judging:
    """How a run is judged: as one, or county by county where it kept to their borders."""

    onemap: "OneMap"
    counties: "Sequence[tuple[str, str]]"
    homes: "NDArray[np.object_]"

    def anew(self, table: Any, rules: "RuleSet") -> "Judgement":
        from clues.bycounty import judge_counties
        from clues.judgement import judge_patches

        if not self.counties:
            return judge_patches(table, self.onemap, rules)
        return judge_counties(table, self.onemap, rules, self.counties, self.homes)

    def again(self, before: "Judgement", old: "OneMap", rules: "RuleSet") -> "Rejudged":
        from clues.bycounty import rejudge_counties
        from clues.rejudge import rejudge

        if not self.counties:
            return rejudge(before, old, self.onemap, rules)
        return rejudge_counties(before, old, self.onemap, rules, self.counties, self.homes)


def _counties(
    summary: dict[str, Any], layers: Path, onemap: "OneMap", run: Path
) -> "tuple[Sequence[tuple[str, str]], NDArray[np.object_]]":
    """Return the counties whose borders a run kept to, none of others, and those of the leads.

    Raises
    ------
    InputError
        If the borders have moved: patches were cut along the earlier ones.
    """
    import numpy as np

    from flows.counties import worked_counties

    nowhere = np.empty(0, dtype=object)
    told = summary.get("stages", {}).get("plan", {}).get("counties") or summary.get("counties")
    if not told:
        return (), nowhere
    found = worked_counties(layers, onemap.crs, told)
    versions = {r["role"]: r["version"] for r in summary["layers"]}
    if found.version != versions.get("division"):
        raise InputError(
            "the county borders have changed since, and patches were cut along the earlier ones",
            f"{layers}: role division",
            f"work {run.name} again with `tuban run`, or name the earlier layer",
        )
    leads = onemap.layers.get("lead")
    homes = found.homes(leads.table.geometry.to_numpy()) if leads else nowhere
    return sorted((str(c), str(n)) for c, n in told.items()), homes


def kept_judgement(run: Path) -> "Judgement":
    """Return the judgement that a run left in its folder."""
    import geopandas as gpd
    import pandas as pd

    from clues.judgement import Judgement

    paths = [run / name for name in TABLES]
    patches = gpd.read_parquet(paths[0]).drop(columns="clue_no", errors="ignore")
    numbers = json.loads((run / "indicators.json").read_text(encoding="utf-8"))
    coverage = pd.read_parquet(paths[2])
    return Judgement(
        patches, gpd.read_parquet(paths[1]), coverage, numbers, gpd.read_parquet(paths[3])
    )


def _summary(run: Path) -> dict[str, Any]:
    path = run / "run.json"
    if not path.is_file():
        raise InputError("the run is not finished", str(run), "finish it, then judge it again")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _layers_named(run: Path, summary: dict[str, Any]) -> str:
    name = summary.get("inputs", {}).get("layers") or summary.get("config", {}).get("layers")
    if not name:
        raise InputError("the run does not name its layers", str(run), "name them with --was")
    return str(name)


def _require_same(old: "OneMap", summary: dict[str, Any], run: Path) -> None:
    """Raise `InputError` unless the layers at hand are those the run was judged by."""
    at_hand = {role: layer.version for role, layer in old.layers.items()}
    judged = {layer["role"]: layer["version"] for layer in summary["layers"]}
    other = sorted(r for r in at_hand | judged if at_hand.get(r) != judged.get(r))
    if other:
        raise InputError(
            f"the layers of the run have changed since: {', '.join(other)}",
            str(run),
            "name a LAYERS.yaml of the earlier ones with --was (catalogue: with as_of or @VERSION)",
        )
