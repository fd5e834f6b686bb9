"""A small judged county as a package, made without a run."""

import datetime as dt
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd

from clues.indicators import indicators
from clues.judgement import judge_patches
from clues.packages import TABLES, Manifest, write_package
from clues.packagetotals import PackageTables, county_totals, totals
from clues.packageverdicts import VERDICT_TABLE
from configs.rules import load_rules
from tests.clues.made import onemap_of, patch, patches_of, rectangle

APPROVAL, HOLDER = "鲁政土字〔2024〕7号", "张三食品有限公司"
INSPECTOR, REMARK = "王五", "已责令停工"
MADE_FROM = {
    "config field area.by_county": True,
    "config field detection.method": "cva",
    "file before 0": "11",
    "code of detect": "aa",
}


@dataclass(frozen=True)
class Packed:
    """A package and the tables it was made of."""

    path: Path
    tables: PackageTables


@cache
def judged(code: str = "999901", east: float = 0.0) -> PackageTables:
    """Return the tables of a county with an approved patch, a suspected one and a hotline."""
    crop = rectangle(east, 0, east + 900, 900)
    papers = {"number": APPROVAL, "date": dt.date(2024, 12, 1), "holder": HOLDER, "use": "industry"}
    onemap = onemap_of(
        {
            "landuse": [
                ("D1", crop, {"code": "0103", "category": "agricultural", "group": "cropland"})
            ],
            "approval": [("A1", rectangle(east + 90, 90, east + 210, 210), papers)],
            "supply": [("G1", rectangle(east + 90, 90, east + 210, 210), papers)],
        }
    )
    rows = [
        patch(rectangle(east + 100.5, 100.5, east + 180, 180), change_type="new_building"),
        patch(rectangle(east + 613.7, 611.3, east + 707.1, 702.9), change_type="new_building"),
    ]
    patches = patches_of(rows).assign(
        county_code=code,
        county_name="示例县",
        confidence=90,
        origin="image",
        **dict.fromkeys(("source_id", "sheet", "tblx"), ""),
        **dict.fromkeys(("n_pixels", "magnitude", "magnitude_p90", "width_m"), 1),
        **{"from_cover": None, "to_cover": ["built", None]},
        **dict.fromkeys(("ndvi_change", "ndbi_change", "ndwi_change"), 0.0),
    )
    patches["patch_id"] = [f"T{code}{i}" for i in range(len(patches))]
    patches["lon"], patches["lat"] = 114.00123456, 36.67891234
    found = judge_patches(patches, onemap, rules())
    clue = (found.patches["disposition"] == "clue").to_numpy()
    named = found.patches.assign(
        clue_no=[f"{code}25Q2{i:06d}" if c else "" for i, c in enumerate(clue, 1)]
    )
    suspected = str(named["patch_id"][clue].iloc[0])
    number = str(named["clue_no"][clue].iloc[0])
    entries = [
        (suspected, number, "", "0", "remarks", REMARK, INSPECTOR, "2025-07-01T00:00:00Z"),
        (suspected, number, "", "0", "verdict", "其他", INSPECTOR, "2025-07-01T00:00:00Z"),
        (suspected, number, "", "0", "verdict", "违法", INSPECTOR, "2025-07-02T00:00:00Z"),
    ]
    entries.append((*entries[-1][:2], "land", "1", *entries[-1][4:]))
    filled = pd.DataFrame(entries, columns=list(VERDICT_TABLE), dtype="str")
    return PackageTables(named, found.findings, found.coverage, found.leads, filled)


@cache
def rules():
    """Return the rule set of the packages."""
    from clues.catalogue import catalogue

    return load_rules("cn-land", catalogue())


def pack(folder: Path, name: str = "a.zip", code: str = "999901", **changes: object) -> Packed:
    """Write a package; `changes` are fields of its manifest."""
    tables = judged(code, 20_000.0 * int(code[-1]))
    folder.mkdir(parents=True, exist_ok=True)
    tables.write(folder / f"{code}" / "tables")
    inner = folder / code
    numbers = indicators(tables.patches, tables.findings, rules())
    values = {"indicators": numbers, "rules": rules().as_file(), "observed": []}
    for stem, value in values.items():
        (inner / "tables" / f"{stem}.json").write_text(json.dumps(value, ensure_ascii=False))
    (inner / "report.html").write_text(f"<p>{HOLDER} 114.00123456</p>", encoding="utf-8")
    files = {path: (inner / path, zh, en) for path, (zh, en) in TABLES.items()}
    files["products/report.html"] = (inner / "report.html", "报告", "report")
    manifest = Manifest(
        kind="run",
        title={"county_code": code, "county_name": "示例县", "year": 2025, "quarter": 2},
        counties=county_totals(tables, {code: "示例县"}),
        totals=totals(tables),
        versions={"tuban": "0", "rules": "cn-land", "state": "ff"},
        epochs={"before": ["2025-03-05"] * 2, "after": ["2025-06-12"] * 2},
        grid="grid1",
        state="state1",
        rules={"name": "cn-land", "version": rules().digest},
        layers=[{"role": "approval", "version": "aaaa"}],
        made_from=dict(MADE_FROM),
        attribution="© Copernicus",
    )
    path = folder / name
    write_package(path, replace(manifest, **changes), files)
    return Packed(path, tables)
