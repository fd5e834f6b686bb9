"""Attribute values of layers: which source field is meant, and what its values say.

Every parser returns the values and a boolean array that marks what could not be read; a value that
stands for "nothing" (blank, ``/``, ``无`` …) is missing, not wrong.
"""

import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.quality import report_rows
from configs.errors import LayerError
from configs.layers import SQUARE_METRES, FieldSpec
from configs.problems import kind_name

__all__ = [
    "chosen_rows",
    "find_column",
    "parse_areas",
    "parse_dates",
    "parse_flags",
    "parse_numbers",
    "parse_texts",
    "read_fields",
]

NOTHING = frozenset({"", "/", "-", "--", "\\", "无", "none", "null", "nan", "nat", "<na>", "n/a"})
FOREVER = frozenset({"长期", "永久", "无期限", "长期有效", "indefinite", "permanent"})
DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})日?(?:[T ]\s*\d{1,2}:.*)?$")
DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0+|0{6})?$")
YEARS = (1900, 2200)
TRUE = frozenset({"1", "y", "yes", "true", "t", "是", "有", "已受理", "1.0"})
FALSE = frozenset({"0", "n", "no", "false", "f", "否", "未受理", "0.0"})

Parsed = tuple[NDArray[np.object_], NDArray[np.bool_]]


def plain(text: str) -> str:
    """Return a field name without regard to case, blanks and full- or half-width forms."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def find_column(columns: Iterable[str], aliases: Sequence[str]) -> str | None:
    """Return the column that the first fitting alias names, or None."""
    known: dict[str, str] = {}
    for column in columns:
        known.setdefault(plain(str(column)), column)
    return next((known[plain(a)] for a in aliases if plain(a) in known), None)


def _distinct(values: pd.Series) -> tuple[NDArray[np.int64], list[Any]]:
    """Return the place of each value among the distinct ones; −1 for a missing value."""
    codes, distinct = pd.factorize(values)
    return np.asarray(codes, dtype=np.int64), list(distinct)


def _mapped(values: pd.Series, read: Callable[[str], Any]) -> Parsed:
    """Apply `read` once to each distinct value; ValueError marks the value as unreadable."""
    codes, distinct = _distinct(values)
    found: NDArray[np.object_] = np.empty(len(distinct) + 1, dtype=object)
    wrong: NDArray[np.bool_] = np.zeros(len(distinct) + 1, dtype=bool)
    for i, value in enumerate(distinct):
        text = unicodedata.normalize("NFKC", _as_text(value)).strip()
        try:
            found[i] = None if text.casefold() in NOTHING else read(text)
        except ValueError:
            wrong[i] = True
    return np.asarray(found[codes]), np.asarray(
        wrong[codes]
    )  # code −1 (missing) reads the last, empty place


def _as_text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def parse_texts(values: pd.Series) -> Parsed:
    """Return stripped texts or None; a whole number comes without its decimal point."""
    codes, distinct = _distinct(values)
    found: NDArray[np.object_] = np.empty(len(distinct) + 1, dtype=object)
    for i, value in enumerate(distinct):
        text = _as_text(value).strip()
        found[i] = None if text.casefold() in NOTHING else text
    return np.asarray(found[codes]), np.zeros(len(codes), dtype=bool)


def parse_dates(values: pd.Series) -> Parsed:
    """Return civil dates (`datetime.date`) or None.

    Understands dates and times, YYYYMMDD as text or number, ISO, 2024/11/20, 2024.11.20,
    2024年11月20日, each with or without a time of day. A time zone is not applied: the date is the
    one that is written. A term "for ever" (长期) is 9999-12-31.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        dates = np.array(values.dt.date, dtype=object)
        dates[values.isna().to_numpy()] = None
        return dates, np.zeros(len(values), dtype=bool)
    return _mapped(values, _read_date)


def _read_date(text: str) -> dt.date | None:
    if text.casefold() in FOREVER:
        return dt.date(9999, 12, 31)
    if text in ("0", "00000000"):
        return None
    match = DATE.match(text) or DIGITS.match(text)
    if match is None:
        raise ValueError(text)
    date = dt.date(*(int(part) for part in match.groups()))
    if not YEARS[0] <= date.year <= YEARS[1] and date.year != 9999:
        raise ValueError(text)
    return date


def parse_numbers(values: pd.Series) -> Parsed:
    """Return floats or None; ``1,234.5`` is understood."""
    return _mapped(values, _read_number)


def _read_number(text: str) -> float:
    number = float(text.replace(",", ""))
    if not np.isfinite(number):
        raise ValueError(text)
    return number


def parse_areas(values: pd.Series, unit: str) -> Parsed:
    """Return areas in m² or None; a negative area cannot be read."""

    def read(text: str) -> float:
        number = _read_number(text)
        if number < 0:
            raise ValueError(text)
        return number * numerator / denominator

    numerator, denominator = SQUARE_METRES[unit]
    return _mapped(values, read)


def parse_flags(values: pd.Series) -> Parsed:
    """Return True, False or None of 是/否, yes/no, 1/0."""

    def read(text: str) -> bool:
        if text.casefold() in TRUE:
            return True
        if text.casefold() in FALSE:
            return False
        raise ValueError(text)

    return _mapped(values, read)


def read_fields(
    source: Any,
    known: Mapping[str, FieldSpec],
    mapped: Mapping[str, Sequence[str]],
    units: Mapping[str, str],
    constants: Mapping[str, Any],
    *,
    name: str,
    where: str,
    nothing: Mapping[str, Sequence[str]] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Parse the fields of a source into internal columns.

    Parameters
    ----------
    source : GeoDataFrame
        Rows as read.
    known : mapping of str to FieldSpec
        Internal fields with their aliases.
    mapped, units, constants, nothing, defaults : mapping
        What the layers file says about them. Where it maps a field to several of the source, the
        first that tells a value in a row counts.
    name, where : str
        For the report and for errors.

    Returns
    -------
    table : DataFrame
        One column per known field, `source` and `row` (from 1); ``attrs["columns"]`` tells which
        source field each was read from.
    report : list of DataFrame
        Unreadable values.

    Raises
    ------
    LayerError
        If a mapped or required field is missing, or no value of a required one can be read.
    """
    rows = np.arange(1, len(source) + 1)
    columns = [str(c) for c in source.columns if c != source.geometry.name]
    table, report = pd.DataFrame({"source": name, "row": rows}), []
    found_in: dict[str, str] = {}
    for field, spec in known.items():
        if field in constants:
            values = pd.Series([constants[field]] * len(source), dtype=object)
            column: str | None = f"constants.{field}"
        else:
            column = find_column(columns, mapped.get(field, spec.aliases))
            if column is None and (field in mapped or spec.required):
                raise _missing_field(field, mapped.get(field, spec.aliases), columns, where)
            values = pd.Series([None] * len(source), dtype=object)
            values = values if column is None else source[column]
        if column is not None:
            found_in[field] = column
        values = _filled(values, field, source, columns, mapped, nothing or {}, defaults or {})
        parsed, wrong = _parse(values, spec, units.get(field, spec.unit))
        if spec.required and wrong.any() and all(v is None for v in parsed):
            raise LayerError(
                f"no value of {column} can be read as {spec.kind}, e.g. {values[wrong].iloc[0]!r}",
                where,
                f"name the right field under `fields: {{{field}: …}}`",
            )
        is_number = spec.kind in ("number", "area")
        table[field] = pd.Series(parsed, dtype=float if is_number else object)
        bad = np.flatnonzero(wrong)
        facts = {"kind": spec.kind, "kind_zh": kind_name(spec.kind), "column": str(column)}
        texts = values.to_numpy(dtype=object)[bad]
        report.append(
            report_rows(
                "unreadable_value", name, rows[bad], field=str(column), values=texts, facts=facts
            )
        )
    table.attrs["columns"] = found_in
    return table, report


def _filled(
    values: pd.Series,
    field: str,
    source: Any,
    columns: list[str],
    mapped: Mapping[str, Sequence[str]],
    nothing: Mapping[str, Sequence[str]],
    defaults: Mapping[str, Any],
) -> pd.Series:
    """Fill rows that tell nothing from the other mapped fields, then by the default."""
    others = (find_column(columns, [alias]) for alias in mapped.get(field, ())[1:])
    more = [source[c] for c in others if c is not None]
    empty = NOTHING | {str(word).casefold() for word in nothing.get(field, ())}
    if not more and field not in nothing and field not in defaults:
        return values
    out = values.to_numpy(dtype=object, copy=True)
    for other in [*more, None]:
        rows = np.array([pd.isna(v) or _as_text(v).strip().casefold() in empty for v in out], bool)
        out[rows] = defaults.get(field) if other is None else other.to_numpy(dtype=object)[rows]
    return pd.Series(out, dtype=object)


def chosen_rows(
    source: Any, wanted: Mapping[str, Sequence[str]], *, where: str
) -> NDArray[np.bool_]:
    """Tell which rows of a source have one of the wanted values in each field that is named.

    Raises
    ------
    LayerError
        If the source lacks a field, or no row has a value that is asked for.
    """
    columns = [str(c) for c in source.columns if c != source.geometry.name]
    chosen = np.ones(len(source), dtype=bool)
    for field, values in wanted.items():
        column = find_column(columns, [field])
        if column is None:
            raise _missing_field(field, [field], columns, where)
        texts = ["" if pd.isna(v) else _as_text(v).strip() for v in source[column]]
        absent = sorted(set(values) - set(texts))
        if absent:
            raise LayerError(
                f"no row has {absent[0]!r} in {column}",
                where,
                f"mend `where: {{{field}: …}}`; there are: {', '.join(sorted(set(texts))[:30])}",
            )
        chosen &= np.isin(np.array(texts, dtype=str), list(values))
    return chosen


def _parse(
    values: pd.Series, spec: FieldSpec, unit: str
) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    if spec.kind == "area":
        return parse_areas(values, unit)
    parsers = {
        "text": parse_texts,
        "date": parse_dates,
        "number": parse_numbers,
        "flag": parse_flags,
    }
    return parsers[spec.kind](values)


def _missing_field(
    field: str, aliases: Sequence[str], columns: list[str], where: str
) -> LayerError:
    near = difflib.get_close_matches(aliases[0], columns, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return LayerError(
        f"the field {field} is missing: none of {', '.join(aliases)} is there",
        where,
        f"{hint}name it under `fields: {{{field}: …}}`; the source has: {', '.join(columns)}",
    )
