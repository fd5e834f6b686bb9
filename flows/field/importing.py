"""`tuban field import`: cards and photos that came back, into the store and folder of their run."""

import datetime as dt
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.fieldcards import FieldCards, read_cards
from clues.fieldform import choices
from clues.fieldphotos import MARKS, ClueGround, MatchedPhoto, match_photo, named_clue
from clues.outputs.photopage import PhotoRecord, write_photo_page
from clues.outputs.photosheet import write_photo_sheets
from clues.photos import FileRefused, is_photo_name, read_photo, thumbnail
from configs.errors import InputError
from configs.told import Told
from flows.civilday import zone_of
from flows.field.returned import Returned, left_over, opened, photo_bytes
from flows.finished import finished_tables, run_summary
from flows.ledgerimport import LedgerImport, enter_rows, run_of
from flows.mapping import run_pictures
from flows.registering import store_of
from tiles.files import atomic_path, sha256, write_csv_rows, write_json

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables

__all__ = ["FieldImport", "import_field"]

FOLDER, RECORDS, PAGE, SHEETS = "field", "photos.json", "photos.html", "photos"
MAX_CARDS = 1 << 30
THUMB_PX = 480
HEADS = {
    "zh": ("照片", "线索编号", "经度", "纬度", "方位角", "拍摄时间", "距图斑米", "结论", "原因"),
    "en": ("photo", "clue", "longitude", "latitude", "azimuth", "taken", "metres", "result", "why"),
}
RESULTS = {"zh": ("符合", "不作依据", "未收"), "en": ("counts", "does not count", "refused")}


@dataclass(frozen=True)
class FieldImport:
    """What `import_field` did.

    Attributes
    ----------
    answers : LedgerImport or None
        None where no cards came back.
    photos : tuple of MatchedPhoto
    refused : tuple of (str, Told)
        Files that were not taken, and why.
    added : int
        Photos that were not there before.
    files : tuple of Path
        Reports that were written.
    """

    answers: LedgerImport | None
    photos: tuple[MatchedPhoto, ...]
    refused: tuple[tuple[str, Told], ...]
    added: int
    files: tuple[Path, ...]

    @property
    def marked(self) -> int:
        """Photos that do not count."""
        return sum(not p.counts for p in self.photos)


def import_field(
    source: Path,
    run: Path | None = None,
    *,
    by: str = "",
    accept_good_rows: bool = False,
    overrule: bool = False,
    now: dt.datetime | None = None,
) -> FieldImport:
    """Take over what came back from the field; a second import of the same adds nothing.

    Parameters
    ----------
    source : Path
        Folder or zip: the GeoPackage of the package, photos, or both.
    run : Path, optional
        Run folder; the one the package names under ``runs/`` if not given.
    by : str
        Who checked, where the cards do not say it.
    accept_good_rows, overrule : bool
        As for ledgers.
    now : datetime, optional
        UTC; the moment of the import.

    Raises
    ------
    InputError
        If the package as a whole cannot be used; nothing is kept then.
    """
    now = now or dt.datetime.now(dt.UTC)
    with tempfile.TemporaryDirectory() as scratch, opened(source) as returned:
        cards = _cards(returned, Path(scratch), source)
        folder = run_of(source, run, cards.ledger.run if cards else "")
        tables, summary = finished_tables(folder), run_summary(folder)
        zone = zone_of(summary)
        today = now.astimezone(zone).date()
        photos, refused = _photos(returned, tables, cards, today, zone)
        if cards is None and not photos and not refused:
            raise InputError(
                "there are no check cards and no photos in it",
                str(source),
                "give the folder or zip that the inspector handed in",
            )
        refused = tuple(sorted((*refused, *left_over(returned))))
        answers = None
        if cards is not None:
            answers = _answers(cards, folder, source, (by, accept_good_rows, overrule), now, today)
        language = cards.ledger.language if cards else tables.title.speech.language
        if answers is not None and answers.result == "refused":
            return FieldImport(answers, tuple(p for p, _ in photos), refused, 0, answers.reports)
        added = sum([_keep(folder, match, one) for match, one in photos])
        matched = tuple(match for match, _ in photos)
        files = _write_reports(folder, tables, summary, matched, refused, language, source)
    return FieldImport(
        answers, matched, refused, added, (*(answers.reports if answers else ()), *files)
    )


def _cards(returned: list[Returned], scratch: Path, source: Path) -> FieldCards | None:
    """Return the cards of the one GeoPackage in a package; None where there is none."""
    packages = [f for f in returned if f.name.lower().endswith(".gpkg")]
    if not packages:
        return None
    if len(packages) > 1:
        raise InputError(
            f"{len(packages)} GeoPackages are in it", str(source), "hand in one package at a time"
        )
    beside = {f"{packages[0].name}-wal"}
    path = scratch / "cards.gpkg"
    for file in returned:
        if file is packages[0] or file.name in beside:
            if file.size > MAX_CARDS:
                raise InputError("the file is too large", file.name, "ask for it again")
            target = path if file is packages[0] else path.with_name("cards.gpkg-wal")
            target.write_bytes(file.read())
    return read_cards(path, scratch)


def _photos(
    returned: list[Returned],
    tables: "ClueTables",
    cards: FieldCards | None,
    today: dt.date,
    zone: dt.tzinfo,
) -> tuple[list[tuple[MatchedPhoto, Returned]], tuple[tuple[str, Told], ...]]:
    clues = tables.clues
    numbers = [str(n) for n in clues["clue_no"]]
    ground = ClueGround(
        numbers, clues.geometry.to_numpy(), list(clues["after_to"]), clues.crs.to_string()
    )
    told = cards.photos if cards else {}
    found: dict[tuple[str, str], tuple[MatchedPhoto, Returned]] = {}
    refused = []
    for file in returned:
        if not is_photo_name(file.name):
            continue
        try:
            photo = read_photo(photo_bytes(file), file.name)
        except FileRefused as error:
            refused.append((file.name, error.told))
            continue
        match = match_photo(photo, named_clue(file.name, numbers, told), ground, today, zone)
        found.setdefault((photo.sha256, match.clue_no), (match, file))
    return list(found.values()), tuple(refused)


def _answers(
    cards: FieldCards,
    folder: Path,
    source: Path,
    wanted: tuple[str, bool, bool],
    now: dt.datetime,
    today: dt.date,
) -> LedgerImport:
    from clues.readbackplan import Reading

    by, accept_good_rows, overrule = wanted
    words = choices(cards.ledger.language)
    reading = Reading(by.strip()[:80], now, today, words, overrule)
    name = source.stem if source.is_file() else source.name
    told = sha256(source)[:12] if source.is_file() else cards.ledger.run[:12]
    (folder / FOLDER).mkdir(exist_ok=True)
    return enter_rows(
        cards.ledger,
        folder,
        source,
        reading,
        source=f"field {told}",
        stem=folder / FOLDER / f"{name}.import",
        accept_good_rows=accept_good_rows,
    )


def _keep(folder: Path, match: MatchedPhoto, file: Returned) -> bool:
    """Keep a photo under its hash; return whether it was not there before."""
    name = match.photo.file_name
    path = folder / FOLDER / "attachments" / name[:2] / name
    if path.is_file() and sha256(path) == match.photo.sha256:
        return False
    data = file.read()
    if read_photo(data, match.photo.name).sha256 != match.photo.sha256:
        raise InputError("the file changed while it was read", file.name, "import it again")
    with atomic_path(path) as part:
        part.write_bytes(data)
    return True


def _write_reports(
    folder: Path,
    tables: "ClueTables",
    summary: dict[str, Any],
    matched: tuple[MatchedPhoto, ...],
    refused: tuple[tuple[str, Told], ...],
    language: str,
    source: Path,
) -> list[Path]:
    """Write all photos of the run as records and page, and this import as a table."""
    if not matched and not refused:
        return []
    place = folder / FOLDER
    records = _merged(place / RECORDS, matched)
    write_json(place / RECORDS, [asdict(r) for r in records])
    _register(folder, matched)
    name = source.stem if source.is_file() else source.name
    table = place / f"{name}.photos.csv"
    write_csv_rows(table, [HEADS[language], *_rows(matched, refused, language)])
    shapes = dict(zip(tables.clues["clue_no"], tables.clues.geometry, strict=True))
    with run_pictures(folder, summary) as pictures:
        write_photo_page(
            place / PAGE,
            records,
            shapes,
            tables.patches.crs.to_string(),
            partial(_thumbnail, place),
            pictures,
            language,
            (folder.name, tables.title.attribution),
            [(name, why[0 if language == "zh" else 1]) for name, why in refused],
        )
        sheets = write_photo_sheets(
            place / SHEETS,
            records,
            shapes,
            tables.patches.crs.to_string(),
            partial(_thumbnail, place),
            pictures,
            language,
            tables.title.attribution,
        )
    return [table, place / PAGE, *sheets]


def _merged(path: Path, matched: tuple[MatchedPhoto, ...]) -> list[PhotoRecord]:
    """Return the records of earlier imports and this one, by clue, time and hash."""
    known: dict[tuple[str, str], PhotoRecord] = {}
    if path.is_file():
        for row in json.loads(path.read_text(encoding="utf-8")):
            lonlat = tuple(row["lonlat"]) if row["lonlat"] else None
            record = PhotoRecord(**row | {"lonlat": lonlat, "marks": tuple(row["marks"])})
            known[record.sha256, record.clue_no] = record
    for match in matched:
        photo, facts = match.photo, match.photo.facts
        moment = facts.taken or facts.satellites
        record = PhotoRecord(
            photo.sha256,
            photo.name,
            match.clue_no,
            facts.lonlat,
            facts.azimuth,
            facts.magnetic,
            moment.isoformat() if moment else "",
            match.distance_m,
            match.marks,
        )
        known.setdefault((record.sha256, record.clue_no), record)
    return sorted(known.values(), key=lambda r: (r.clue_no, r.taken, r.sha256))


def _thumbnail(place: Path, record: PhotoRecord) -> bytes:
    found = sorted((place / "attachments" / record.sha256[:2]).glob(f"{record.sha256}.*"))
    data = found[0].read_bytes()
    return thumbnail(data, read_photo(data, found[0].name), THUMB_PX)


def _register(folder: Path, matched: tuple[MatchedPhoto, ...]) -> None:
    from clues.store.attachments import keep_attachments

    store = store_of(folder)
    try:
        with store.transaction() as connection:
            keep_attachments(
                connection,
                [(p.photo.sha256, p.photo.name, p.photo.media_type, p.photo.size) for p in matched],
            )
    finally:
        store.close()


def _rows(
    matched: tuple[MatchedPhoto, ...], refused: tuple[tuple[str, Told], ...], language: str
) -> Iterator[tuple[Any, ...]]:
    place = 0 if language == "zh" else 1
    counts, marked, not_taken = RESULTS[language]
    for match in matched:
        facts = match.photo.facts
        lon, lat = (f"{v:.6f}" for v in facts.lonlat) if facts.lonlat else ("", "")
        azimuth = "" if facts.azimuth is None else f"{facts.azimuth:.0f}"
        taken = facts.taken or facts.satellites
        why = "；".join(MARKS[m][place] for m in match.marks)
        yield (
            _safe_cell(match.photo.name),
            match.clue_no,
            lon,
            lat,
            azimuth,
            taken.isoformat(sep=" ") if taken else "",
            "" if match.distance_m is None else f"{match.distance_m:.1f}",
            counts if match.counts else marked,
            why if language == "zh" else why.replace("；", "; "),
        )
    for name, told in refused:
        yield (_safe_cell(name), "", "", "", "", "", "", not_taken, told[place])


def _safe_cell(text: str) -> str:
    """Return a name that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
