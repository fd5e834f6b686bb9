"""``tuban model propose``: the patches of a run whose verdicts would teach most."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clues.outputs.proposed import Proposed, write_proposed_csv, write_proposed_workbook
from configs.errors import InputError
from configs.vocabulary import change_type
from flows.learning.retraining import judged_patches_of, settled_verdicts
from flows.registering import has_store, store_of
from models.feedback import feedback_of, patch_blocks, pseudo_permille
from models.modelfile import open_model
from models.proposals import choose_patches
from models.registry import ModelRegistry

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["propose"]


def propose(
    run: Path,
    registry: ModelRegistry,
    *,
    sources: Sequence[Path] = (),
    count: int = 20,
    out: Path | None = None,
    force: bool = False,
) -> list[Proposed]:
    """Choose the patches of a run to look at next, and write them to a file.

    Worth is uncertainty (1 at a probability of one half, 0 at certainty) times the square root of
    the area. Patches with a verdict are left out.

    Parameters
    ----------
    run : Path
        Run folder.
    registry : ModelRegistry
        The model of verdicts in use tells probabilities; without one the confidence of imagery
        tells how uncertain a patch is.
    sources : sequence of Path
        Files of verdicts; by default the store of the run.
    count : int
    out : Path, optional
        ``.xlsx`` or ``.csv``.
    force : bool
        Overwrite `out`: people may have filled it in.

    Raises
    ------
    InputError
        If `out` is there, the run or its verdicts cannot be read, or the model in use is gone.
    """
    if out is not None and not force:
        _require_new(out)
    patches = _with_numbers(judged_patches_of([run]), run)
    judged: dict[str, bool] = {}
    if sources or has_store(run):
        judged = settled_verdicts([run], sources)[0].pseudo
    told = Counter(patches["change_type"][patches["patch_id"].isin(judged.keys()).to_numpy()])
    kinds = [change_type(code) for code in patches["change_type"]]
    control = np.array([k.is_pseudo for k in kinds], np.bool_)
    asked = (patches["disposition"] == "clue").to_numpy() | control
    asked &= ~patches["patch_id"].isin(judged.keys()).to_numpy()
    patches, control = patches[asked].reset_index(drop=True), control[asked]
    used = registry.in_use("clues")
    percent = None
    if used is not None:
        state = feedback_of(open_model(used)[1], str(used))
        percent = pseudo_permille(state, patches) / 10
    doubt = (
        100 - np.abs(2 * percent - 100)
        if percent is not None
        else 100 - np.maximum(patches["confidence"].to_numpy(np.float64), 0)
    )
    worth = (doubt + 1) * np.sqrt(patches["area_dm2"].to_numpy(np.float64))
    chosen = choose_patches(
        worth, patches["change_type"].tolist(), patch_blocks(patches), control, count
    )
    records = patches.drop(columns="geometry").to_dict("records")
    proposed = [
        Proposed(
            {str(k): v for k, v in records[i].items()},
            None if percent is None else int(percent[i]),
            bool(control[i]),
            told.get(records[i]["change_type"], 0),
        )
        for i in chosen
    ]
    if out is not None:
        write = write_proposed_csv if out.suffix.lower() == ".csv" else write_proposed_workbook
        write(proposed, out)
    return proposed


def _require_new(out: Path) -> None:
    if out.exists():
        raise InputError(
            "the file is there, and somebody may have filled it in",
            str(out),
            "name another file, or overwrite it with --force",
        )


def _with_numbers(patches: "gpd.GeoDataFrame", run: Path) -> "gpd.GeoDataFrame":
    """Return the patches with the clue numbers of the run's store, where it has one."""
    from clues.store.verdicts import clue_numbers

    if "clue_no" in patches or not has_store(run):
        return patches
    store = store_of(run)
    try:
        numbers = clue_numbers(store)
    finally:
        store.close()
    return patches.assign(clue_no=[numbers.get(p, "") for p in patches["patch_id"]])
