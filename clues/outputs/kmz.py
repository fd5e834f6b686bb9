"""Clues for globes and phones: KMZ with outlines by answer, and pictures before and after."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely

from clues.outputs.archive import FixedZip, fixed_zip
from clues.outputs.exchange import lonlat_outlines
from clues.outputs.flat import FlatField, flat_fields, flat_rows
from clues.outputs.palette import OUTCOME_COLOURS
from clues.outputs.tables import ClueTables, RunTitle
from configs.speech import Speech
from configs.units import UNIT_NAMES
from configs.vocabulary import Language, Outcome

__all__ = ["write_kmz"]

SHOWN = {
    "change": "Change",
    "before": "Before",
    "after": "After",
    "area_{unit}": "Area, {name}",
    "cropland_{unit}": "Cropland, {name}",
    "pbf_{unit}": "Basic farmland, {name}",
    "redline_{unit}": "Ecological redline, {name}",
    "suggestion": "Suggestion",
    "severity": "Severity (a hint)",
    "rule": "Rules",
    "documents": "Papers",
    "reason": "Reasons",
    "questions": "To ask",
}
"""Fields in the balloon of a clue, and their English titles; others are data of the placemark."""

SHOWN_ZH = (
    *("change", "before", "after", "area_mu", "cropland_mu", "pbf_mu", "redline_mu"),
    *("suggestion", "severity", "rule", "documents", "reason_zh", "questions_zh", "sources"),
)

TITLES = {"zh": "卫片执法线索", "en": "clues"}

NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
DECIMALS = 7
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">\n'


def write_kmz(
    tables: ClueTables,
    path: Path,
    thumbnails: Mapping[str, tuple[bytes, bytes]] | None = None,
    language: Language | None = None,
) -> None:
    """Write the clues as KMZ, a folder for each answer.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.kmz``; written atomically.
    thumbnails : mapping of str to (bytes, bytes), optional
        JPEG before and after by clue number, shown in the balloon of the clue.
    language : {"zh", "en"}, optional
        Of folders and balloons; by default that of the rule set.
    """
    outlines = dict(zip(tables.clues["patch_id"], lonlat_outlines(tables.clues), strict=True))
    spoken = tables.title.speech
    speech = spoken.model_copy(update={"language": language or spoken.language})
    rows, pictures = list(flat_rows(tables, speech)), thumbnails or {}
    with fixed_zip(path) as archive:
        with archive.member("doc.kml") as target:
            for text in _document(tables.title, speech, rows, outlines, pictures):
                target.write(text.encode())
        for _, values in rows:
            _add_pictures(archive, values["clue_no"], pictures)


def _add_pictures(
    archive: FixedZip, clue: str, pictures: Mapping[str, tuple[bytes, bytes]]
) -> None:
    for name, jpeg in zip(_picture_names(clue), pictures.get(clue, ()), strict=False):
        archive.add(name, jpeg, packed=False)


def _picture_names(clue: str) -> tuple[str, str]:
    return f"files/{clue}-before.jpg", f"files/{clue}-after.jpg"


def _document(
    title: RunTitle,
    speech: Speech,
    rows: list[tuple[str, dict[str, Any]]],
    outlines: Mapping[str, Any],
    pictures: Mapping[str, tuple[bytes, bytes]],
) -> Iterator[str]:
    named = f"{title.stem} {TITLES[speech.language]}"
    versions = "; ".join(f"{key}: {value}" for key, value in title.versions.items())
    yield HEAD + f"<Document><name>{_text(named)}</name>\n"
    yield f"<description>{_text(title.attribution)}\n{_text(versions)}</description>\n"
    for outcome, colour in OUTCOME_COLOURS.items():
        yield _style(outcome, colour)
    zh, titled = speech.language == "zh", _titled(speech)
    fields = [(f.zh if zh else f.key, f) for f in flat_fields(speech)]
    for outcome in Outcome:
        own = [(patch, values) for patch, values in rows if values["outcome"] == outcome]
        if own:
            yield f"<Folder><name>{_text(speech.outcome(outcome))}</name>\n"
            for patch, values in own:
                yield _placemark(
                    fields, titled, values, outlines[patch], values["clue_no"] in pictures
                )
            yield "</Folder>\n"
    yield "</Document></kml>\n"


def _titled(speech: Speech) -> dict[str, str]:
    """Return the keys of the fields in a balloon, in order, and what they are called there."""
    if speech.language == "zh":
        names = {f.key: f.zh for f in flat_fields(speech)}
        return {key: names[key] for key in SHOWN_ZH}
    told = {"unit": speech.area_unit, "name": UNIT_NAMES[speech.area_unit][1]}
    return {key.format(**told): title.format(**told) for key, title in SHOWN.items()}


def _style(outcome: str, colour: str) -> str:
    red, green, blue = colour[1:3], colour[3:5], colour[5:7]
    line = f"<LineStyle><color>ff{blue}{green}{red}</color><width>2</width></LineStyle>"
    fill = f"<PolyStyle><color>55{blue}{green}{red}</color></PolyStyle>"
    return f'<Style id="{outcome}">{line}{fill}</Style>\n'


def _placemark(
    fields: Sequence[tuple[str, FlatField]],
    titled: Mapping[str, str],
    values: Mapping[str, Any],
    outline: Any,
    pictured: bool,
) -> str:
    shown = {f.key: _shown(values, f) for _, f in fields}
    data = "".join(
        f'<Data name="{_text(name)}"><value>{_text(shown[f.key])}</value></Data>'
        for name, f in fields
    )
    told = {title: shown[key] for key, title in titled.items()}
    balloon = _balloon(told, values["clue_no"] if pictured else "")
    parts = "".join(_polygon(part) for part in shapely.get_parts(outline))
    return (
        f"<Placemark><name>{_text(values['clue_no'])}</name>"
        f"<description>{_text(balloon)}</description>"
        f"<styleUrl>#{values['outcome']}</styleUrl><ExtendedData>{data}</ExtendedData>"
        f"<MultiGeometry>{parts}</MultiGeometry></Placemark>\n"
    )


def _shown(values: Mapping[str, Any], field: Any) -> str:
    value = values[field.key]
    return value if isinstance(value, str) else f"{value:.{field.decimals}f}"


def _balloon(told: Mapping[str, str], pictured: str) -> str:
    """Return the HTML of the balloon; texts in it are escaped once more as a part of the KML.

    Parameters
    ----------
    told : mapping of str to str
        By title; empty ones are left out.
    pictured : str
        Number of the clue where it has pictures, "" elsewhere.
    """
    rows = "".join(
        f"<tr><th align='left'>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
        for name, text in told.items()
        if text
    )
    names = _picture_names(pictured) if pictured else ()
    images = "".join(f"<img src='{name}' width='160'/> " for name in names)
    return f"{images}<table>{rows}</table>"


def _polygon(part: Any) -> str:
    inner = "".join(f"<innerBoundaryIs>{_ring(r)}</innerBoundaryIs>" for r in part.interiors)
    return f"<Polygon><outerBoundaryIs>{_ring(part.exterior)}</outerBoundaryIs>{inner}</Polygon>"


def _ring(ring: Any) -> str:
    points = shapely.get_coordinates(ring)
    told = " ".join(f"{x:.{DECIMALS}f},{y:.{DECIMALS}f}" for x, y in points.tolist())
    return f"<LinearRing><coordinates>{told}</coordinates></LinearRing>"


def _text(value: str) -> str:
    return html.escape(NOT_XML.sub("", value))
