"""The evidence sheets of a run: cut in image order, kept where they still stand, none left over."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.evidence import write_sheets
from clues.outputs.sheet import EvidenceSheet, evidence_sheets
from flows.pictures import cutter_of, first_by_priority, in_image_order
from flows.progress import Progress

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables
    from clues.surroundings import Neighbourhood, Surroundings
    from flows.stages import StageContext

__all__ = ["EVIDENCE_FOLDER", "cut_sheets", "publish_sheets"]

EVIDENCE_FOLDER = "evidence"
CHIP_PX = 320
"""Side of the pictures on a sheet: 108 dots per inch."""

Bounds = tuple[float, float, float, float]


def publish_sheets(context: "StageContext", tables: "ClueTables") -> int:
    """Write the evidence sheets that are missing; those of the same judgement are kept.

    Parameters
    ----------
    context : StageContext
    tables : ClueTables
        With clue numbers.

    Returns
    -------
    int
        Sheets that now stand in the folder.
    """
    wanted = context.config.outputs.evidence
    limit = {"all": None, "none": 0}.get(str(wanted), wanted)
    shown = tables
    if limit is not None:
        first = tables.clues["clue_no"].isin(first_by_priority(tables, int(limit)))
        shown = tables.only(set(tables.clues.loc[first.to_numpy(), "patch_id"]))
    sheets = evidence_sheets(shown)
    key, run = context.outputs_key, context.run
    missing = {s.clue_no: s for s in sheets if run.reuse("evidence", s.clue_no, key) is None}
    folder = run.path(EVIDENCE_FOLDER)
    counting = Progress.current().counting(
        len(sheets), done=len(sheets) - len(missing), unit="sheets"
    )
    with counting as progress:
        if sheets:
            progress.say(run.reuse_message("evidence"))
        for files in cut_sheets(context, tables, missing, folder):
            run.put("evidence", files[0].stem, key, files=files)
            progress.step()
    _remove_others(context, folder, {s.clue_no for s in sheets})
    return len(sheets)


def _remove_others(context: "StageContext", folder: Path, current: set[str]) -> None:
    """Remove the sheets of clues that get none any more, and tell the manifest."""
    sheets = sorted((*folder.glob("*.pdf"), *folder.glob("*.html")))
    if others := [path for path in sheets if path.stem not in current]:
        names = [path.relative_to(context.run.folder).as_posix() for path in others]
        sizes = sum(path.stat().st_size for path in others)
        context.run.note("pruned", files=names, bytes=sizes)
        for path in others:
            path.unlink()


def cut_sheets(
    context: "StageContext",
    tables: "ClueTables",
    sheets: Mapping[str, EvidenceSheet],
    folder: Path,
) -> Iterator[list[Path]]:
    """Write sheets in the order of the images, whatever their order in the ledger.

    Parameters
    ----------
    context : StageContext
    tables : ClueTables
    sheets : mapping of str to EvidenceSheet
        By clue number.
    folder : Path

    Yields
    ------
    list of Path
        The files of each sheet as it is finished.
    """
    ground = _Ground(context, tables, set(sheets))
    with cutter_of(context) as cutter:
        order = in_image_order({n: s.frame() for n, s in sheets.items()}, cutter.grid)
        ordered = (sheets[number] for number in order)
        yield from write_sheets(ordered, folder, lambda b: cutter.cut(b, CHIP_PX), ground.around)


class _Ground:
    """The One-Map around clues, read when the first sheet asks for it.

    Parameters
    ----------
    context : StageContext
    tables : ClueTables
    numbers : set of str
        Clues that sheets are written for.
    """

    def __init__(self, context: "StageContext", tables: "ClueTables", numbers: set[str]) -> None:
        self.context = context
        self.clues = tables.clues[tables.clues["clue_no"].isin(numbers)]

    @cached_property
    def neighbourhood(self) -> "Neighbourhood":
        from clues.layers import read_onemap
        from clues.surroundings import Neighbourhood
        from flows.judging import require_layers

        crs = self.context.plan.grid.crs
        return Neighbourhood(read_onemap(require_layers(self.context.config), crs=crs))

    @cached_property
    def classes(self) -> dict[str, Any]:
        return dict(self.neighbourhood.classes(self.clues))

    def around(self, sheet: EvidenceSheet, bounds: Bounds) -> "Surroundings":
        """Return what lies on a clue and around it."""
        from clues.surroundings import Surroundings

        classes = self.classes.get(sheet.patch_id, ())
        return Surroundings(self.neighbourhood.around(bounds), classes)
