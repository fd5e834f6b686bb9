"""A clue judged again at the desk, with a document that somebody attached to it."""

import datetime as dt
import json
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from configs.errors import InputError, TubanError
from web.services import NewPaper, Rejudgement

if TYPE_CHECKING:
    from clues.attached import Attached, Paper
    from clues.layers import OneMap
    from clues.store.repository import Store

__all__ = ["Rejudging"]

OTHER_PARCELS = (
    "地块划分因此改变，请用现有图层重新判定该批次并导入后生效。",
    " It cuts the clue into other parcels: judge the run again by these layers and bring it in.",
)
RUNS = "runs"
KEPT = 2
"""One-Maps held ready: reading that of a county takes seconds."""


class Rejudging:
    """Judges clues of a desk again.

    Parameters
    ----------
    folder : Path
        Of the desk.
    store : Store
    zone : str
        Time zone of civil days.
    """

    def __init__(self, folder: Path, store: "Store", zone: str) -> None:
        self.folder, self.store, self.zone = folder, store, zone
        self._onemaps: OrderedDict[tuple[str, str, str], OneMap] = OrderedDict()
        self._reading = threading.Lock()

    def rejudge(self, clue_no: str, paper: NewPaper) -> Rejudgement:
        """Judge a clue again and keep the answer beside the former one.

        Raises
        ------
        InputError
            If the clue or the layers of its run are not at hand, or a value of the paper is wrong.
        """
        from clues.store.places import places_of
        from clues.store.rejudged import Rejudged, keep_rejudged

        with self.store.engine.connect() as connection:
            found = places_of(connection, [clue_no])
        if not found:
            raise InputError(f"there is no clue {clue_no!r}", "clue", "check the number")
        place = found[0]
        now = dt.datetime.now(dt.UTC)
        told = _paper(paper, now.astimezone(ZoneInfo(self.zone)).date())
        answer, rules = self._judged(place.run, place.patch_id, told)
        rows = answer.differences.to_dict("records")
        changes = [{str(k): v for k, v in row.items()} for row in rows]
        kept = Rejudged(
            place.clue_no,
            _plain(answer, told),
            {
                "paper": asdict(paper),
                "found": answer.known,
                "rules": rules,
                "differences": changes,
            },
            paper.by,
        )
        with self.store.transaction() as connection:
            stands = keep_rejudged(connection, kept, now) > 0
        more = ("", "") if stands else OTHER_PARCELS
        return Rejudgement(
            [_short(row) for row in kept.findings],
            changes,
            answer.known,
            answer.told.zh + more[0],
            answer.told.en + more[1],
            stands,
        )

    def warm(self) -> None:
        """Load the programs of judging and the layers of the newest runs, for the first call.

        What is not at hand is left: who asks for it is told.
        """
        import clues.attached  # noqa: F401 - loaded, not used
        from clues.store.runs import newest_runs
        from flows.rejudging import judged_run

        with self.store.engine.connect() as connection:
            runs = newest_runs(connection, KEPT)
        for run in reversed(runs):
            with suppress(TubanError, OSError, ValueError):
                folder = self.folder / RUNS / run
                self._onemap(folder, judged_run(folder, None)[0].crs.to_string())

    def _judged(self, run: str, patch_id: str, paper: "Paper") -> "tuple[Attached, str]":
        import geopandas as gpd

        from clues.attached import judge_with_paper
        from flows.rejudging import judged_run

        folder = self.folder / RUNS / run
        table, rules = judged_run(folder, None)
        before = gpd.read_parquet(folder / "findings.parquet")
        before = before[(before["patch_id"] == patch_id).to_numpy()]
        onemap = self._onemap(folder, table.crs.to_string())
        answer = judge_with_paper(table, patch_id, before, onemap, rules, paper)
        return answer, f"{rules.name} {rules.digest}"

    def _onemap(self, folder: Path, crs: str) -> "OneMap":
        """Return the layers of a run as they are now; those of the last runs are held ready."""
        from clues.layers import layers_fingerprint, read_onemap

        origin = json.loads((folder / "origin.json").read_text(encoding="utf-8"))
        name = origin.get("layers")
        if not name or not Path(name).is_file():
            raise InputError(
                f"the layers of the run {folder.name} are not at hand",
                str(name or folder / "origin.json"),
                "put the LAYERS.yaml back, or bring the run in again with `tuban desk add`",
            )
        path = Path(name)
        key = (str(path), layers_fingerprint(path), crs)
        with self._reading:
            if key not in self._onemaps:
                self._onemaps[key] = read_onemap(path, crs=crs)
            self._onemaps.move_to_end(key)
            while len(self._onemaps) > KEPT:
                self._onemaps.popitem(last=False)
            return self._onemaps[key]


def _paper(paper: NewPaper, day: dt.date) -> "Paper":
    from clues.attached import Paper

    try:
        date = dt.date.fromisoformat(paper.date) if paper.date else None
    except ValueError as error:
        raise InputError(f"{paper.date!r} is no date", "date", "write YYYY-MM-DD") from error
    if not paper.number.strip():
        raise InputError("the document has no number", "number", "write it as it is printed")
    if date is not None and date > day:
        raise InputError(f"the document is of {date}, which is to come", "date", "check the date")
    return Paper(paper.role, paper.number.strip(), date, paper.by, day)


def _plain(answer: "Attached", paper: "Paper") -> list[dict[str, Any]]:
    """Return findings as the store keeps them; their trace tells what was attached."""
    rows = []
    for row in answer.findings.drop(columns="geometry").to_dict("records"):
        trace = json.loads(row["trace"]) if isinstance(row["trace"], str) else dict(row["trace"])
        trace["attached"] = {
            "zh": row["reason_zh"],
            "en": row["reason_en"],
            "outcome": row["outcome"],
            "paper": {"role": paper.role, "number": paper.number, "by": paper.by},
        }
        rows.append(
            {str(k): getattr(v, "item", lambda v=v: v)() for k, v in row.items()}
            | {"trace": json.dumps(trace, ensure_ascii=False)}
        )
    return rows


def _short(row: dict[str, Any]) -> dict[str, Any]:
    names = ("parcel_id", "line", "area_dm2", "outcome", "rule", "flags", "reason_zh", "reason_en")
    return {name: row[name] for name in names}
