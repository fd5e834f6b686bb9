"""The page of a vetting: one sheet per parcel, to read on screen or print."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.measures import plain_records
from clues.outputs.page import write_page
from clues.outputs.vetbook import class_rows
from clues.outputs.vetting import summary
from clues.vettingtext import ANSWER_NAMES, source_texts
from configs.units import metres2, mu
from configs.vocabulary import Language

if TYPE_CHECKING:
    from clues.vetting import Vetting

__all__ = ["write_vetting_page"]


def write_vetting_page(
    vetting: "Vetting",
    notes: Sequence[tuple[str, str, str]],
    path: Path,
    *,
    languages: Sequence[Language] = ("zh", "en"),
) -> None:
    """Write the page.

    Parameters
    ----------
    vetting : Vetting
    notes : sequence of (zh, en, value)
        What the answers hold for.
    path : Path
        ``vet.html``; written atomically, opens without network.
    languages : sequence of {"zh", "en"}
    """
    write_page(
        path,
        "vet.html.j2",
        rules=vetting.rules,
        notes=notes,
        languages=languages,
        names=ANSWER_NAMES,
        sheets=_sheets(vetting, languages),
    )


def _sheets(vetting: "Vetting", languages: Sequence[Language]) -> list[dict[str, Any]]:
    """Return what the sheet of each parcel shows."""
    names = {c.code: c.name for c in vetting.rules.checks}
    checks: dict[str, list[dict[str, Any]]] = {}
    for row in plain_records(vetting.checks):
        row["title"] = names[row["check"]]
        for language in languages:
            texts = source_texts(row["source"], row["features"], language)
            row[f"source_{language}"] = " · ".join(t for t in texts if t)
        checks.setdefault(row["parcel_id"], []).append(row)
    classes: dict[tuple[str, str], list[Any]] = {}
    for language in languages:
        for parcel, *cells in class_rows(vetting, language):
            classes.setdefault((parcel, language), []).append(cells)
    sheets = []
    for parcel in plain_records(summary(vetting)):
        own = parcel["parcel_id"]
        sheets.append(
            parcel
            | {
                "area_m2": metres2(parcel["area_dm2"]),
                "area_mu": mu(parcel["area_dm2"]),
                "applied": parcel["applied"] or "",
                "place": f"{parcel['lon']:.6f}°E {parcel['lat']:.6f}°N, {parcel['sheet']}",
                "checks": checks[own],
                "classes": {lang: classes.get((own, lang), []) for lang in languages},
            }
        )
    return sheets
