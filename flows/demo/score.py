"""Score of a run on the demo county against its truth.

A change is found if patches that were reported as real changes cover 30 % of it. Reported are all
patches but those taken for crop changes and those below the legal minimum, whether they became
clues or were dismissed as lawful. A reported patch is a false alarm unless 15 % of it lies on true
changes. The recall counts changes from 0.3 ha, those under clouds included. A found change is
judged right if the gravest outcome on each line is the one the papers call for. The confidence of
a patch is set against whether its change type is right: that of the change most of it lies on, or
any that only looks like change where it lies on none; once for all patches, and once for those that
were issued as clues, which are fewer and harder.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray

from configs.vocabulary import change_types
from flows.demo.matching import FOUND_SHARE, LARGE_M2, PATCH_SHARE, Matching, f1, match
from flows.demo.truth import read_truth
from models.accuracy import calibration_error, chance_error
from tiles.files import write_json

__all__ = ["MISS_REASONS", "add_score", "score_lines", "score_run"]

MISS_REASONS = ("cloud", "not observed", "merged", "taken for a crop change", "below floor",
                "below significance")  # fmt: skip

GRAVITY = ("suspected", "unresolved", "other", "legal", "non_new", "below_threshold")
LEAST_SHARE = 0.10
"""Parcels below this share of the patches' area (rims of a blurred outline) do not count."""


def _common_areas(
    changes: NDArray[np.object_], patches: NDArray[np.object_]
) -> NDArray[np.float64]:
    common = np.zeros((len(changes), len(patches)))
    of_patch, of_change = shapely.STRtree(changes).query(patches, predicate="intersects")
    shared = shapely.area(shapely.intersection(changes[of_change], patches[of_patch]))
    common[of_change, of_patch] = shared
    return common


def _gravest(findings: pd.DataFrame) -> tuple[str, set[str]]:
    """Return the gravest outcome and all outcomes of parcels that count."""
    areas = findings.groupby("outcome")["area_dm2"].sum()
    told = set(areas[areas >= LEAST_SHARE * areas.sum()].index)
    return next((o for o in GRAVITY if o in told), ""), told


def _judge_outcomes(
    changes: gpd.GeoDataFrame,
    patches: gpd.GeoDataFrame,
    findings: pd.DataFrame,
    common: NDArray[np.float64],
    result: Matching,
) -> tuple[int, list[dict[str, Any]]]:
    """Return how many found changes have the right outcomes, and what is wrong with the others."""
    right, wrong = 0, []
    ids = patches["patch_id"].to_numpy()
    for i in np.flatnonzero(result.found):
        change = changes.iloc[i]
        own = findings[findings["patch_id"].isin(ids[result.true & (common[i] > 0)])]
        faults = []
        for line in ("land", "mining"):
            expected = change[line].split(",") if change[line] else []
            got, told = _gravest(own[own["line"] == line])
            also = change["also"] if line == "land" else ""
            if expected and (got not in expected or (also and also not in told)):
                wanted = "/".join(expected) + (f" + {also}" if also else "")
                faults.append(f"{line}: {wanted} expected, {'+'.join(sorted(told)) or 'none'} told")
        right += not faults
        if faults:
            rules = ",".join(sorted(set(own["rule"].astype(str))))
            wrong.append(
                {"change_id": change["change_id"], "kind": change["kind"],
                 "papers": change["papers"], "fault": "; ".join(faults), "rules": rules}
            )  # fmt: skip
    return right, wrong


def _unseen(changes: gpd.GeoDataFrame, raster: Path) -> NDArray[np.float64]:
    """Return the share of each change that the change raster calls unobserved."""
    with rasterio.open(raster) as source:
        shapes = changes.geometry.to_crs(source.crs)
        data = source.read(1)
        label = rasterio.features.rasterize(
            [(g, i + 1) for i, g in enumerate(shapes)],
            out_shape=data.shape, transform=source.transform, dtype="int32",
        )  # fmt: skip
    count = len(changes) + 1
    pixels = np.bincount(label.ravel(), minlength=count)[1:]
    blind = np.bincount(label[data == 0], minlength=count)[1:]
    return np.asarray(blind / np.maximum(pixels, 1))


def _misses(
    changes: gpd.GeoDataFrame,
    result: Matching,
    unseen: NDArray[np.float64],
    pseudo: NDArray[np.bool_],
    small: NDArray[np.bool_],
) -> list[dict[str, Any]]:
    rows = []
    for i in np.flatnonzero(~result.found):
        change = changes.iloc[i]
        tests = (bool(change["hidden"]) and unseen[i] > 0.3, unseen[i] > 0.3, result.merged[i],
                 pseudo[i], small[i], True)  # fmt: skip
        rows.append(
            {"change_id": change["change_id"], "kind": change["kind"],
             "area_m2": float(change["area_m2"]), "counts": bool(change["area_m2"] >= LARGE_M2),
             "reason": next(r for r, t in zip(MISS_REASONS, tests, strict=True) if t)}
        )  # fmt: skip
    return rows


def score_run(folder: Path, truth: Path) -> dict[str, Any]:
    """Score a finished run.

    Parameters
    ----------
    folder : Path
        Run folder with ``patches.parquet``, ``findings.parquet`` and ``change.tif``.
    truth : Path
        ``truth.gpkg`` of the county.

    Returns
    -------
    dict
        ``recall``, ``precision``, ``f1``, ``outcomes_right``, ``types_right`` (shares);
        ``calibration_error`` of all patches, and that of ``clues``, each beside what chance makes
        of as many well-calibrated ones in 1 of 20 cases; the counts behind them; ``misses`` (each
        with its reason), ``wrong`` (outcomes), ``alarms`` (false alarms by change type),
        ``by_kind``.
    """
    changes, pseudo = read_truth(truth)
    patches = gpd.read_parquet(folder / "patches.parquet").to_crs(changes.crs)
    findings = pd.read_parquet(folder / "findings.parquet", columns=[
        "patch_id", "line", "area_dm2", "outcome", "rule"])  # fmt: skip
    crop = patches["change_type"].isin([t.code for t in change_types() if t.is_pseudo])
    told, sure = _types_right(changes, patches, crop.to_numpy())
    issued = (patches["disposition"] == "clue").to_numpy()
    small = patches["outcome"] == "below_threshold"
    reported = patches[~crop & ~small].reset_index(drop=True)
    outlines = changes.geometry.to_numpy()
    sizes = shapely.area(outlines)

    def touched(chosen: gpd.GeoDataFrame) -> NDArray[np.bool_]:
        shared = _common_areas(outlines, chosen.geometry.to_numpy()).sum(axis=1)
        return np.asarray(shared >= FOUND_SHARE * sizes)

    common = _common_areas(outlines, reported.geometry.to_numpy())
    result = match(common, sizes, shapely.area(reported.geometry.to_numpy()))
    right, wrong = _judge_outcomes(changes, reported, findings, common, result)
    unseen = _unseen(changes, folder / "change.tif")
    misses = _misses(changes, result, unseen, touched(patches[crop]), touched(patches[small]))
    found = int(result.found.sum())
    types = [reported["change_type"].iloc[p] for p in result.patch[result.found]]
    same = sum(t == k for t, k in zip(types, changes["kind"][result.found], strict=True))
    looks = _common_areas(pseudo.geometry.to_numpy(), reported.geometry.to_numpy()).sum(axis=0)
    lured = ~result.true & (looks > 0.3 * shapely.area(reported.geometry.to_numpy()))
    recall, precision = result.recall(sizes), result.precision()
    return {
        "recall": round(recall, 4),
        "precision": round(precision, 4),
        "f1": round(f1(recall, precision), 4),
        "outcomes_right": round(right / found, 4) if found else 0.0,
        "types_right": round(same / found, 4) if found else 0.0,
        "patch_types_right": round(float(told.mean()), 4) if len(told) else 0.0,
        **_calibration(sure, told),
        "clues": _calibration(sure[issued], told[issued]) | {"patches": int(issued.sum())},
        "changes": len(changes),
        "changes_counted": int((sizes >= LARGE_M2).sum()),
        "found": found,
        "found_counted": int((result.found & (sizes >= LARGE_M2)).sum()),
        "reported": len(reported),
        "false_alarms": int((~result.true).sum()),
        "false_alarms_on_pseudo": int(lured.sum()),
        "pseudo_changes": len(pseudo),
        "misses": misses,
        "wrong": wrong,
        "alarms": dict(sorted(Counter(reported["change_type"][~result.true]).items())),
        "by_kind": _by_kind(changes, result),
    }


def _types_right(
    changes: gpd.GeoDataFrame, patches: gpd.GeoDataFrame, pseudo: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return whether the change type of each patch is right, and its confidence in percent."""
    common = _common_areas(changes.geometry.to_numpy(), patches.geometry.to_numpy())
    real = common.sum(axis=0) >= PATCH_SHARE * shapely.area(patches.geometry.to_numpy())
    kinds = changes["kind"].to_numpy()[common.argmax(axis=0)] if len(changes) else ""
    right = np.where(real, patches["change_type"].to_numpy() == kinds, pseudo)
    return right.astype(np.bool_), patches["confidence"].to_numpy(np.int64).clip(0)


def _calibration(sure: NDArray[np.int64], told: NDArray[np.bool_]) -> dict[str, float]:
    return {
        "calibration_error": round(calibration_error(sure, told) or 0.0, 4),
        "calibration_chance": round(chance_error(sure) or 0.0, 4),
    }


def _by_kind(changes: gpd.GeoDataFrame, result: Matching) -> dict[str, list[int]]:
    """Return found and all changes of each kind."""
    table = pd.DataFrame({"kind": changes["kind"], "found": result.found})
    sums = table.groupby("kind", sort=True)["found"].agg(["sum", "count"])
    return {str(kind): [int(row["sum"]), int(row["count"])] for kind, row in sums.iterrows()}


def score_lines(score: dict[str, Any]) -> list[str]:
    """Return the score as lines of text for a terminal."""

    def percent(name: str, of: dict[str, Any] = score) -> str:
        return f"{100 * of[name]:.1f} %"

    clues = score["clues"]
    lines = [
        f"recall of changes from 0.3 ha   {percent('recall'):>8}   "
        f"{score['found_counted']} of {score['changes_counted']}",
        f"precision of reported patches   {percent('precision'):>8}   "
        f"{score['false_alarms']} false of {score['reported']}, "
        f"{score['false_alarms_on_pseudo']} of them on pseudo-changes",
        f"outcomes right                  {percent('outcomes_right'):>8}   "
        f"of {score['found']} found changes",
        f"change types right              {percent('types_right'):>8}   "
        f"of found changes; {percent('patch_types_right')} of all patches",
        f"error of their confidence       {percent('calibration_error'):>8}   "
        f"of all patches; by chance {percent('calibration_chance')} in 1 of 20 cases",
        f"the same of clues               {percent('calibration_error', clues):>8}   "
        f"of {clues['patches']}; by chance {percent('calibration_chance', clues)} in 1 of 20 cases",
    ]
    lines += [f"missed: {m['change_id']} {m['kind']} {m['area_m2'] / 1e4:.2f} ha: {m['reason']}"
              for m in score["misses"]]  # fmt: skip
    lines += [f"outcome: {w['change_id']} {w['kind']} ({w['papers']}): {w['fault']}"
              for w in score["wrong"]]  # fmt: skip
    return lines


def add_score(folder: Path, score: dict[str, Any]) -> None:
    """Enter the score in ``run.json`` of the run as ``demo.score``."""
    path = folder / "run.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    summary["demo"] = {"score": score}
    write_json(path, summary)
