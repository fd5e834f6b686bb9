"""The words and figures of an evidence sheet, in rows and blocks, for the PDF and the page."""

from collections.abc import Sequence

from clues.outputs.sheet import EvidenceSheet, Picture
from clues.surroundings import Surroundings
from configs.units import UNIT_NAMES, area_in, metres2

__all__ = [
    "area_rows",
    "document_rows",
    "footer_words",
    "qr_text",
    "ring_points",
    "ring_text",
    "word_blocks",
]

CLASSES = 8
"""Land classes on the page; the smaller ones are added up."""


def area_rows(
    sheet: EvidenceSheet, around: Surroundings, classes: int = CLASSES
) -> list[tuple[str, str, str]]:
    """Return the table of areas: head, patch, its land classes, categories and control lines."""
    unit = " ".join(dict.fromkeys(UNIT_NAMES[sheet.unit]))
    rows = [("面积 Area", "m²", unit)]
    whole, *parts = sheet.areas
    rows.append((f"{whole[0]} {whole[1]}", str(whole[2]), str(whole[3])))
    shown, rest = around.classes[:classes], around.classes[classes:]
    for code, zh, en, area in shown:
        rows.append((f"· {code} {zh} {en}", str(metres2(area)), str(area_in(area, sheet.unit))))
    if rest:
        area = sum(one[3] for one in rest)
        label = f"· 另 {len(rest)} 类 {len(rest)} more"
        rows.append((label, str(metres2(area)), str(area_in(area, sheet.unit))))
    rows += [(f"{zh} {en}", str(m2), str(other)) for zh, en, m2, other in parts]
    return rows


def document_rows(sheet: EvidenceSheet, limit: int | None = None) -> list[tuple[str, ...]]:
    """Return the table of documents: head, then one row each, the rest told where it is cut."""
    rows: list[tuple[str, ...]] = [
        ("图上 No.", "文件 Document", "图层 Layer", "日期 Date", "覆盖 m²", "占比 %")
    ]
    shown = sheet.documents if limit is None else sheet.documents[:limit]
    keys = list(sheet.document_keys)
    for key, (name, role, dates, area, share) in zip(keys, shown, strict=False):
        number = str(keys.index(key) + 1)
        rows.append((number, name, role, dates, str(area), f"{share:.2f}"))
    rest = len(sheet.documents) - len(shown)
    if rest:
        words = f"另有 {rest} 行见网页版 {rest} more rows in {sheet.clue_no}.html"
        rows.append(("…", words, "", "", "", ""))
    if len(rows) == 1:
        rows.append(("", "图斑范围内没有任何文件 no document touches the patch", "", "", "", ""))
    return rows


def word_blocks(sheet: EvidenceSheet) -> list[tuple[str, bool]]:
    """Return reasons, questions and rings as blocks of text, and whether each is a main one."""
    blocks = []
    for (_, zh, en), (trace_zh, trace_en) in zip(sheet.reasons, sheet.traces, strict=True):
        blocks.append((f"【{trace_zh}】{zh}" if trace_zh else zh, True))
        blocks.append((f"[{trace_en}] {en}" if trace_en else en, False))
    for zh, en in sheet.questions:
        blocks += [(f"待核：{zh}", True), (f"To ask: {en}", False)]
    blocks.append((ring_text(sheet), False))
    return blocks


def ring_points(sheet: EvidenceSheet) -> list[tuple[str, str]]:
    """Return name and points of each ring, the points numbered as in coordinate TXT.

    Eight decimals of a degree are a millimetre: the ground of the rings is that of the clue.
    """
    rings, first = [], 1
    for name, points in sheet.rings:
        told = (f"J{i}({x:.8f},{y:.8f})" for i, (x, y) in enumerate(points, start=first))
        rings.append((name, " ".join(told)))
        first += len(points)
    return rings


def ring_text(sheet: EvidenceSheet) -> str:
    """Return all boundary points, ring by ring."""
    count = sum(len(points) for _, points in sheet.rings)
    rings = [f"{name}: {points}" for name, points in ring_points(sheet)]
    head = f"界址点 {count} 个（CGCS2000，经度,纬度） {count} boundary points (lon,lat)"
    return f"{head}  {'  '.join(rings)}"


def footer_words(
    sheet: EvidenceSheet, pair: tuple[Picture, Picture], hashes: Sequence[str], note: str
) -> list[str]:
    """Return versions, hashes and credits, line by line."""
    versions = "  ".join(f"{name} {value}" for name, value in sheet.title.versions.items())
    credits = "  ".join(dict.fromkeys(p.attribution for p in pair if p.attribution))
    return [
        f"版本 versions  {versions}",
        f"校验 SHA-256 的前16位十六进制数 first 16 hex digits  "
        f"图斑界线（WKB） outline (WKB) {sheet.outline_hash}  "
        f"前图像素 pixels before {hashes[0]}  后图像素 pixels after {hashes[1]}",
        f"影像 imagery  {credits}" if credits else "",
        note,
    ]


def qr_text(sheet: EvidenceSheet) -> str:
    """Return what the QR code of a sheet says: clue, place, hash of the outline."""
    facts = {en: value for _, en, value in sheet.facts}
    east, north = facts["Centre"].split()[:2]
    place = f"{north.removesuffix('°N')},{east.removesuffix('°E')}"
    return f"{sheet.clue_no} {place} {sheet.outline_hash}"
