"""What codes in a layer mean: land classes, uses, kinds of mining rights."""

import numpy as np
import pandas as pd

from clues.quality import report_rows
from configs.layers import LayerSpec
from configs.vocabulary import SCHEMES, LandClass, find_use, land_class

__all__ = ["add_classes", "add_right_kind", "add_uses"]


def add_classes(table: pd.DataFrame, spec: LayerSpec) -> pd.DataFrame:
    """Add scheme, category, group, cover of the land-class codes; report unknown codes."""
    scheme = table["scheme"].map(lambda s: s.lower() if s and s.lower() in SCHEMES else spec.scheme)
    code = table["code"].map(lambda c: c.upper().zfill(4) if c and len(c) == 3 else c and c.upper())
    pairs = list(zip(scheme, code, strict=True))
    classes: dict[tuple[str, str], LandClass | None] = {p: land_class(*p) for p in set(pairs)}
    table["scheme"], table["code"] = scheme.astype(object), code.astype(object)
    for column in ("category", "group", "cover"):
        values = [getattr(classes[p], column, None) for p in pairs]
        table[column] = pd.Series(values, dtype=object)
    unknown = np.flatnonzero([classes[p] is None for p in pairs])
    return report_rows(
        "unknown_class",
        spec.source.name,
        table["row"].to_numpy()[unknown],
        field="code",
        values=code.to_numpy(dtype=object)[unknown],
        facts=[{"scheme": scheme.iloc[i]} for i in unknown],
    )


def add_uses(table: pd.DataFrame, spec: LayerSpec) -> pd.DataFrame:
    """Turn the stated use into a use code, keep the words in `use_text`, report unknown words."""
    table["use_text"] = table["use"]
    found = {text: find_use(text, spec.scheme) for text in set(table["use"].dropna())}
    codes = [getattr(found.get(text), "code", None) for text in table["use_text"]]
    table["use"] = pd.Series(codes, dtype=object)
    unknown = np.flatnonzero(table["use_text"].notna() & table["use"].isna())
    return report_rows(
        "unknown_use",
        spec.source.name,
        table["row"].to_numpy()[unknown],
        field="use",
        values=table["use_text"].to_numpy(dtype=object)[unknown],
    )


def add_right_kind(table: pd.DataFrame, spec: LayerSpec) -> None:
    """Make `kind` of mining rights ``mining`` or ``exploration``; a TKQ layer is the latter."""
    name = f"{spec.source.stem} {spec.layer or ''}".upper()
    usual = "exploration" if "TKQ" in name or "探矿" in name else "mining"

    def kind(text: str | None) -> str:
        if not text:
            return usual
        return "exploration" if any(w in text.lower() for w in ("探", "explor", "tk")) else "mining"

    table["kind"] = table["kind"].map(kind).astype(object)
