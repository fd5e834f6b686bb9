"""A row of a ledger as a whole: cells that are each in order and cannot be true together."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from clues.store.answers import VERDICT, Filled
from configs.units import UNIT_NAMES, area_in
from configs.verdicts import verdict_meaning

__all__ = ["Fault", "row_faults"]

Fault = tuple[str, str, dict[str, str]]
"""Code of `clues.readbacktexts`, key of the cell, and what the message names."""

AREAS = ("illegal_mu", "illegal_cropland_mu", "illegal_pbf_mu")
"""Each no more than any before it: basic farmland is cropland."""

ROUNDED, MUCH = Decimal("0.01"), 2
LAWFUL = ("合法", "lawful", "legal")
YES, NO = ("是", "yes"), ("否", "no")
UNDONE, LEGALISED = ("未整改", "not put right"), ("补办手续", "papers completed")
IN_BRACKETS = re.compile(r"[(（]([^()（）]+)[)）]")


def row_faults(
    cells: Mapping[str, str], titles: Mapping[str, str], known: Filled
) -> Iterator[Fault]:
    """Tell what is wrong with a row whose cells could all be read.

    Parameters
    ----------
    cells : dict of str to str
        As `clues.readbackcells.read_cell` gives them, by key.
    titles : dict of str to str
        Titles of the columns, which name the unit of areas.
    known : Filled
        What the store knows of the patch.
    """
    yield from _early(cells, known)
    yield from _too_large(cells, titles, known)
    yield from _parts(cells, titles)
    yield from _against_finding(cells)
    yield from _rectified(cells)


def _early(cells: Mapping[str, str], known: Filled) -> Iterator[Fault]:
    day = cells.get("checked_on", "")
    if day and known.after is not None and dt.date.fromisoformat(day) < known.after:
        yield "early_date", "checked_on", {"value": day, "after": known.after.isoformat()}


def _unit(title: str) -> str:
    """Return the unit that a title names in brackets; "" where it names none."""
    told = IN_BRACKETS.findall(title)
    return next((unit for unit, names in UNIT_NAMES.items() if set(names) & set(told)), "")


def _too_large(
    cells: Mapping[str, str], titles: Mapping[str, str], known: Filled
) -> Iterator[Fault]:
    for key in AREAS:
        text, unit = cells.get(key, ""), _unit(titles.get(key, ""))
        if not text or not unit or not known.area_dm2:
            continue
        value, area = Decimal(text), area_in(known.area_dm2, unit)
        if value <= area + ROUNDED:
            continue
        facts = {"value": text, "area": str(area)}
        metres = area_in(int(value * 100), unit)
        if unit != "m2" and value > MUCH * area and metres <= area + ROUNDED:
            yield "area_in_metres", key, facts | {"metres": str(metres)}
        else:
            yield "area_too_large", key, facts


def _parts(cells: Mapping[str, str], titles: Mapping[str, str]) -> Iterator[Fault]:
    for i, key in enumerate(AREAS):
        for whole in reversed(AREAS[:i]):
            part, of = cells.get(key, ""), cells.get(whole, "")
            if part and of and Decimal(part) > Decimal(of):
                facts = {"value": part, "whole": titles.get(whole, whole), "of": of}
                yield "part_above_whole", key, facts
                break


def _is_lawful(verdict: str) -> bool:
    return verdict.casefold() in LAWFUL or verdict_meaning(verdict) == "pseudo"


def _against_finding(cells: Mapping[str, str]) -> Iterator[Fault]:
    verdict = cells.get(VERDICT, "")
    if not verdict or not _is_lawful(verdict):
        return
    for key in AREAS:
        text = cells.get(key, "")
        if text and Decimal(text) > 0:
            yield "area_though_lawful", key, {"value": text, "verdict": verdict}
            break
    if cells.get("rectified") in YES and cells.get("rectification") not in LEGALISED:
        yield "rectified_though_lawful", "rectified", {"verdict": verdict}


def _rectified(cells: Mapping[str, str]) -> Iterator[Fault]:
    done, way = cells.get("rectified", ""), cells.get("rectification", "")
    if done and way and (done in YES) == (way in UNDONE) and done in YES + NO:
        yield "way_against_answer", "rectification", {"done": done, "way": way}
