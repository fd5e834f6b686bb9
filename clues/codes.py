"""What codes in a layer mean: land classes, uses, kinds of mining rights."""

import numpy as np
import pandas as pd

from clues.quality import report_rows
from configs.layers import LayerSpec
from configs.vocabulary import SCHEMES, LandClass, find_use, land_class

__all__ = ["add_classes", "add_right_kind", "add_uses"]


def add_classes(table: pd.DataFrame, spec: LayerSpec) -> pd.DataFrame:
    """Add scheme, category, group, cover of the land-class codes; report unknown codes."""
    scheme = [s.lower() if s and s.lower() in SCHEMES else spec.scheme for s in table["scheme"]]
    code = [c.upper().zfill(4) if c and len(c) == 3 else c and c.upper() for c in table["code"]]
    pairs = list(zip(scheme, code, strict=True))
    classes: dict[tuple[str, str | None], LandClass | None] = {
        p: land_class(*p) for p in set(pairs)
    }
    table["scheme"], table["code"] = pd.Series(scheme, dtype=object), pd.Series(code, dtype=object)
    for column in ("category", "group", "cover"):
        values = [getattr(classes[p], column, None) for p in pairs]
        table[column] = pd.Series(values, dtype=object)
    empty = np.flatnonzero([c is None for c in code])
    unknown = np.flatnonzero([c is not None and classes[s, c] is None for s, c in pairs])
    rows, name = table["row"].to_numpy(), spec.name
    facts = [{"scheme": scheme[i]} for i in unknown]
    codes = table["code"].to_numpy(dtype=object)[unknown]
    reports = (
        report_rows("value_missing", name, rows[empty], field="code"),
        report_rows("unknown_class", name, rows[unknown], field="code", values=codes, facts=facts),
    )
    return pd.concat(reports, ignore_index=True)


def add_uses(table: pd.DataFrame, spec: LayerSpec) -> pd.DataFrame:
    """Turn the stated use into a use code, keep the words in `use_text`, report unknown words."""
    table["use_text"] = table["use"]
    found = {text: find_use(text, spec.scheme) for text in set(table["use"].dropna())}
    codes = [getattr(found.get(text), "code", None) for text in table["use_text"]]
    table["use"] = pd.Series(codes, dtype=object)
    unknown = np.flatnonzero(table["use_text"].notna() & table["use"].isna())
    return report_rows(
        "unknown_use",
        spec.name,
        table["row"].to_numpy()[unknown],
        field="use",
        values=table["use_text"].to_numpy(dtype=object)[unknown],
    )


def add_right_kind(table: pd.DataFrame, spec: LayerSpec) -> None:
    """Make `kind` of mining rights ``mining`` or ``exploration``; a TKQ layer is the latter."""
    name = f"{spec.name} {spec.layer or ''}".upper()
    usual = "exploration" if "TKQ" in name or "探矿" in name else "mining"

    def kind(text: str | None) -> str:
        if not text:
            return usual
        return "exploration" if any(w in text.lower() for w in ("探", "explor", "tk")) else "mining"

    table["kind"] = table["kind"].map(kind).astype(object)
