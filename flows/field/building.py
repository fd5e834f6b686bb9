"""`tuban field build`: what an inspector takes along for some clues, in one zip."""

import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from clues.outputs.archive import fixed_zip
from clues.outputs.fieldbook import write_book
from clues.outputs.fieldlayers import card_rows, write_field_layers
from clues.outputs.fieldproject import ProjectImage, write_project
from clues.outputs.fieldreadme import README_NAMES, readme
from clues.outputs.filenames import official_name
from clues.outputs.kmz import write_kmz
from clues.outputs.mapparts import Bounds, Division, safe_name, towns
from configs.errors import InputError
from flows.finished import finished_context, finished_tables, run_summary
from flows.mapping import named_divisions_of, run_pictures
from flows.registering import store_of
from tiles.geodesy import metres_per_unit

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables
    from flows.stages import StageContext

__all__ = ["FieldChoice", "FieldPackage", "build_field_package"]

AROUND_M = 300.0
"""Ground around a patch that the images in the package show."""

TOPIC = {"zh": "外业核查包", "en": "field"}


@dataclass(frozen=True)
class FieldChoice:
    """Which clues go into a package.

    Attributes
    ----------
    township : str
        Name or code of a division; "" for all.
    clues : tuple of str
        Clue numbers, or their running numbers; empty for all.
    inspector : str
        Who goes; is written into the cards.
    """

    township: str = ""
    clues: tuple[str, ...] = ()
    inspector: str = ""


@dataclass(frozen=True)
class FieldPackage:
    """A package that was written."""

    path: Path
    clues: tuple[str, ...]
    files: tuple[str, ...]


def build_field_package(
    run: Path,
    choice: FieldChoice,
    out: Path | None = None,
    *,
    day: dt.date,
    language: str | None = None,
    image: bool = True,
) -> FieldPackage:
    """Write a field package of a finished run.

    Parameters
    ----------
    run : Path
    choice : FieldChoice
    out : Path, optional
        Folder; that of the run, below ``field``, if not given.
    day : date
        Printed in the names of the files.
    language : {"zh", "en"}, optional
        That of the rule set if not given.
    image : bool
        With images, if the run has any.

    Raises
    ------
    InputError
        If the choice leaves no clue or names one that is none.
    """
    tables, summary = finished_tables(run), run_summary(run)
    crs = tables.patches.crs.to_string()
    divisions = named_divisions_of(summary, crs)
    places = _places(tables, divisions)
    wanted = _chosen(tables, choice, divisions, places)
    spoken = language or tables.title.speech.language
    chosen = tables.patches["clue_no"].isin(wanted) & (tables.patches["disposition"] == "clue")
    own = replace(tables, patches=tables.patches[chosen].reset_index(drop=True))
    whose = safe_name(choice.township or choice.inspector or "")
    topic = "_".join(x for x in (TOPIC[spoken], whose) if x)
    path = (out or run / "field") / official_name(tables.title, topic, day, "zip")
    stem = path.stem
    with tempfile.TemporaryDirectory() as scratch:
        work = _Package(Path(scratch), stem, run, own, divisions, spoken, image)
        work.write(summary, places, choice)
        files = sorted(p.relative_to(scratch).as_posix() for p in Path(scratch).rglob("*.*"))
        with fixed_zip(path) as archive:
            for name in files:
                archive.add_file(f"{stem}/{name}", Path(scratch) / name)
    return FieldPackage(path, tuple(wanted), tuple(files))


@dataclass
class _Package:
    """Writes the files of a package into a folder."""

    folder: Path
    stem: str
    run: Path
    tables: "ClueTables"
    divisions: Sequence[Division]
    language: str
    image: bool

    def write(self, summary: dict[str, Any], places: dict[str, str], choice: FieldChoice) -> None:
        """Write everything."""
        tables, language = self.tables, self.language
        title, crs = tables.title, tables.patches.crs.to_string()
        numbers = list(tables.clues["clue_no"])
        rows = card_rows(tables, numbers, places, language)
        data, project, book, kmz = (f"{self.stem}.{end}" for end in ("gpkg", "qgz", "pdf", "kmz"))
        mark, filled = _filled_in(self.run, tables)
        write_field_layers(self.folder / data, rows, tables, language, mark=mark, filled=filled)
        context = finished_context(self.run, summary) if self.image else None
        images = self._images(context)
        spoken: Any = language
        write_kmz(tables, self.folder / kmz, self._thumbnails(context), spoken)
        outcomes = sorted(set(tables.clues["outcome"].astype(str)))
        named = [(o, title.speech.outcome(o, spoken)) for o in outcomes]
        bounds = _around(tables.clues.total_bounds, crs)
        shown = f"{title.stem} {TOPIC[language]}"
        project_path = self.folder / project
        write_project(
            project_path, data, crs, bounds, images, named, (shown, choice.inspector), language
        )
        with run_pictures(self.run, summary, wanted=self.image) as pictures:
            write_book(self.folder / book, tables, rows, self.divisions, language, pictures)
        who = choice.inspector and f"（{choice.inspector}）"
        if language == "en":
            who = choice.inspector and f" for {choice.inspector}"
        files = {"data": data, "project": project, "book": book, "kmz": kmz}
        told = "\n  ".join(f"{image.file}      {image.title}" for image in images) or "—"
        text = readme(
            language,
            title=shown,
            clues=len(numbers),
            who=who,
            images=told,
            crs=crs,
            credit=title.attribution or "—",
            **files,
        )
        (self.folder / README_NAMES[language]).write_text(text, encoding="utf-8-sig")

    def _images(self, context: "StageContext | None") -> list[ProjectImage]:
        """Write the windows of both dates; none where the run has no images."""
        if context is None:
            return []
        from flows.fitting import registration_of
        from tiles.basemap import BaseImage

        crs, plan, made = self.tables.patches.crs.to_string(), context.plan, []
        windows = [_around(shape.bounds, crs) for shape in self.tables.clues.geometry]
        words = {"zh": ("前时相影像", "后时相影像"), "en": ("earlier image", "later image")}
        for date, name in ((1, "after"), (0, "before")):
            file = f"{name}.tif"
            with BaseImage(
                plan.before, plan.after, plan.grid, registration_of(context), date=date
            ) as base:
                base.write_windows(self.folder / file, windows)
            day = (plan.before, plan.after)[date].civil_to
            title = f"{words[self.language][date]} {day.isoformat() if day else ''}".strip()
            made.append(ProjectImage(file, title, shown=date == 1))
        return made

    def _thumbnails(self, context: "StageContext | None") -> Any:
        if context is None:
            return None
        from flows.pictures import cutter_of, thumbnails

        with cutter_of(context) as cutter:
            return thumbnails(cutter, self.tables)


def _around(bounds: Any, crs: str) -> Bounds:
    west, south, east, north = (float(v) for v in bounds)
    mx, my = metres_per_unit(crs, (west + east) / 2, (south + north) / 2)
    dx, dy = AROUND_M / mx, AROUND_M / my
    return west - dx, south - dy, east + dx, north + dy


def _places(tables: "ClueTables", divisions: Sequence[Division]) -> dict[str, str]:
    """Return county and township of every clue in words."""
    clues = tables.clues
    points = shapely.point_on_surface(clues.geometry.to_numpy())
    found = {
        str(n): str(c or "") for n, c in zip(clues["clue_no"], clues["county_name"], strict=True)
    }
    for division in towns(divisions):
        shapely.prepare(division.shape)
        inside = shapely.intersects(division.shape, points)
        for number in clues["clue_no"][inside]:
            if division.name and division.name not in found[number]:
                found[number] += division.name
    return found


def _chosen(
    tables: "ClueTables",
    choice: FieldChoice,
    divisions: Sequence[Division],
    places: dict[str, str],
) -> list[str]:
    """Return the numbers of the chosen clues in ledger order."""
    numbers = [str(n) for n in tables.clues["clue_no"]]
    if choice.township:
        names = {d.name for d in towns(divisions) if choice.township in (d.name, d.code)}
        if not names:
            some = "、".join(d.name for d in towns(divisions)[:8]) or "—"
            raise InputError(
                f"there is no township {choice.township!r}", "--township", f"there are: {some}"
            )
        numbers = [n for n in numbers if places[n].endswith(tuple(names))]
    if choice.clues:
        short = {n[-6:].lstrip("0"): n for n in numbers} | {n: n for n in numbers}
        unknown = [c for c in choice.clues if (c.lstrip("0") if len(c) < 7 else c) not in short]
        if unknown:
            raise InputError(
                f"no clue is called {', '.join(unknown[:5])}",
                "--clues",
                "give clue numbers of the ledger, or their last digits",
            )
        chosen = {short[c.lstrip("0") if len(c) < 7 else c] for c in choice.clues}
        numbers = [n for n in numbers if n in chosen]
    if not numbers:
        raise InputError("the choice leaves no clue", tables.title.run_name, "choose other clues")
    return numbers


def _filled_in(run: Path, tables: "ClueTables") -> tuple[str, dict[str, dict[str, str]]]:
    """Return how far the store goes and what it holds of some clues."""
    from clues.fieldform import FILLED
    from clues.store.answers import present_state

    keys = {f.key for f in FILLED}
    store = store_of(run)
    try:
        state, mark = present_state(store)
    finally:
        store.close()
    patches = dict(zip(tables.clues["clue_no"], tables.clues["patch_id"], strict=True))
    found = {
        str(number): {k: v for k, v in state.get(str(patch), {}).items() if k in keys}
        for number, patch in patches.items()
    }
    return mark, found
