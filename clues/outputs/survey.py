"""Hand-in to the land survey: changed patches by the field list ``bhtb``, and their update.

VCT (GB/T 17798) and Access databases (MDB) are not written: the first is what the survey's own
database software writes after its checks, the second needs a program of one system alone. Both are
made from these layers there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.columns import Row, main_class
from clues.outputs.dbase import DbaseField
from clues.outputs.national import in_national_crs, last_day
from clues.outputs.shapefile import ShapeLayer, write_shape_layers
from clues.outputs.tables import ClueTables
from configs.crosswalk import class_of_use
from configs.units import metres2
from configs.vocabulary import (
    Outcome,
    change_type,
    find_use,
    land_class,
    tblx_use,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BHTB_FIELDS", "UPDATE_FIELDS", "write_survey_patches", "write_update_package"]

AREA = 15

BHTB_FIELDS = (
    DbaseField("JCBH", 20),
    DbaseField("XZQDM", 6),
    DbaseField("XMC", 60),
    DbaseField("TBLX", 4),
    DbaseField("TZ", 20),
    DbaseField("QSX", 8),
    DbaseField("HSX", 8),
    DbaseField("DLBM", 5),
    DbaseField("DLMC", 60),
    DbaseField("TBXHDM", 6),
    DbaseField("TBXHMC", 20),
    DbaseField("ZZSXDM", 6),
    DbaseField("ZZSXMC", 20),
    DbaseField("CZCSXM", 4),
    DbaseField("JSYDXZ", 20),
    DbaseField("DDTC", 60),
    DbaseField("SFYN", 1),
    DbaseField("SFHX", 1),
    DbaseField("MJ", AREA, 2),
    DbaseField("BZ", 254),
)
"""Fields of a changed patch, in the order of the hand-in."""

BHTB_MEANINGS = {
    "JCBH": "图斑编号",
    "XZQDM": "县级行政区代码",
    "XMC": "县级行政区名称",
    "TBLX": "图斑类型（后时相）",
    "TZ": "图斑特征",
    "QSX": "前时相，YYYYMMDD",
    "HSX": "后时相，YYYYMMDD",
    "DLBM": "原地类编码（前时相，占比最大）",
    "DLMC": "原地类名称",
    "TBXHDM": "图斑细化代码，无资料",
    "TBXHMC": "图斑细化名称，无资料",
    "ZZSXDM": "种植属性代码，无资料",
    "ZZSXMC": "种植属性名称，无资料",
    "CZCSXM": "城镇村属性码（前时相，带有该码的最大地类图斑）",
    "JSYDXZ": "建设用地性质，无资料",
    "DDTC": "单独图层名称，无资料",
    "SFYN": "是否涉及永久基本农田，1是0否",
    "SFHX": "是否涉及生态保护红线，1是0否",
    "MJ": "图斑面积，平方米",
    "BZ": "备注：线索编号和判定建议",
}

UPDATE_FIELDS = (
    DbaseField("JCBH", 20),
    DbaseField("XSBH", 20),
    DbaseField("XZQDM", 6),
    DbaseField("BGQTBBSM", 18),
    DbaseField("BGQDLBM", 6),
    DbaseField("BGQDLMC", 60),
    DbaseField("BGHDLBM", 6),
    DbaseField("BGHDLMC", 60),
    DbaseField("DLTX", 12),
    DbaseField("BGHTBLX", 4),
    DbaseField("BGHYT", 60),
    DbaseField("BGMJ", AREA, 2),
    DbaseField("BGQSX", 8),
    DbaseField("BGHSX", 8),
    DbaseField("HSJL", 40),
    DbaseField("HSR", 40),
    DbaseField("HSRQ", 10),
)
"""Fields of the update process: one row per confirmed patch and land-use parcel under it."""

UPDATE_MEANINGS = {
    "JCBH": "图斑编号",
    "XSBH": "线索编号，非线索为空",
    "XZQDM": "县级行政区代码",
    "BGQTBBSM": "变更前地类图斑标识码",
    "BGQDLBM": "变更前地类编码",
    "BGQDLMC": "变更前地类名称",
    "BGHDLBM": "变更后地类编码：用途只对应一个地类时填写，其余由调查认定",
    "BGHDLMC": "变更后地类名称",
    "DLTX": "地类体系：sandiao为三调工作分类，guide2023为2023年分类指南",
    "BGHTBLX": "变更后图斑类型（TBLX）",
    "BGHYT": "变更后用途",
    "BGMJ": "变更面积，平方米；同一图斑各行之和等于图斑面积",
    "BGQSX": "前时相，YYYYMMDD",
    "BGHSX": "后时相，YYYYMMDD",
    "HSJL": "核实认定意见",
    "HSR": "核查人",
    "HSRQ": "核查日期",
}

UNCHANGED = (Outcome.NON_NEW, Outcome.BELOW_THRESHOLD)


def write_survey_patches(tables: ClueTables, path: Path) -> None:
    """Write the changed patches by the field list ``bhtb``, whatever the law says of them.

    What was found not new, or too small, is left out, and so are clues that no image shows.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.zip`` with one Shapefile, ``BHTB``; written atomically.
    """
    patches = tables.patches
    wanted = ~patches["outcome"].isin([str(o) for o in UNCHANGED]).to_numpy()
    if "origin" in patches:
        wanted &= (patches["origin"] == "image").to_numpy()
    chosen = patches[wanted]
    rows = []
    for part in tables.parts(chosen["patch_id"], ("trace", "geometry")):
        findings, classes = part.findings_by_patch(), part.classes_by_patch()
        for record in part.patches.drop(columns="geometry").to_dict("records"):
            own = (findings.get(record["patch_id"], []), classes.get(record["patch_id"], []))
            rows.append(_survey_row(Row(0, record, own[0], [], [], tables.leading_line, own[1])))
    shapes = in_national_crs(chosen.geometry, tables)
    layer = ShapeLayer("BHTB", BHTB_FIELDS, rows, shapes, BHTB_MEANINGS)
    write_shape_layers([layer], path, day=last_day(tables))


def _survey_row(row: Row) -> dict[str, Any]:
    patch, kind = row.patch, change_type(row.patch["change_type"])
    scheme, code = main_class(row)
    code, name = _survey_class(scheme, code)
    towns = [str(c["town"]) for c in row.classes if c["code"] and c.get("town")]
    note = [patch["clue_no"], Outcome(patch["outcome"]).name_zh]
    return {
        "JCBH": patch["patch_id"],
        "XZQDM": patch["county_code"],
        "XMC": patch["county_name"],
        "TBLX": _tblx(patch["tblx"], kind.tblx),
        "TZ": kind.name_zh,
        "QSX": _compact(patch["before_to"]),
        "HSX": _compact(patch["after_to"]),
        "DLBM": code,
        "DLMC": name,
        "CZCSXM": towns[0] if towns else "",
        "SFYN": str(int(row.area("pbf_dm2") > 0)),
        "SFHX": str(int(row.area("redline_dm2") > 0)),
        "MJ": metres2(patch["area_dm2"]),
        "BZ": " ".join(part for part in note if part),
    }


def _tblx(told: str | None, usual: str) -> str:
    """Return the type of the patch, if the vocabulary knows it; else that of the change."""
    return str(told) if tblx_use(told) is not None else usual


def _survey_class(scheme: str, code: str) -> tuple[str, str]:
    """Return code and name of a class in five characters: a sub-class stands under its class."""
    found = land_class(scheme, code)
    if found is None:
        return code[:5], ""
    return code if len(code) <= 5 else found.code, found.name_zh


def _compact(day: Any) -> str:
    return f"{day:%Y%m%d}" if hasattr(day, "strftime") and day == day else ""


def write_update_package(tables: ClueTables, path: Path, verdicts: "pd.DataFrame") -> int:
    """Write what people confirmed as changes of the land-use layer: before and after of each piece.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.zip`` with one Shapefile, ``DLTBGXGC``; written atomically.
    verdicts : DataFrame
        See `clues.verdicts.VERDICT_COLUMNS`; the patches that are real by `clues.verdicts.settle`
        are written.

    Returns
    -------
    int
        Number of confirmed patches.
    """
    import geopandas as gpd

    from clues.verdicts import settle

    confirmed = [patch for patch, pseudo in settle(verdicts).pseudo.items() if not pseudo]
    chosen = tables.patches[tables.patches["patch_id"].isin(confirmed).to_numpy()]
    records = {str(r["patch_id"]): r for r in chosen.drop(columns="geometry").to_dict("records")}
    last = verdicts.sort_values("at", kind="stable").drop_duplicates("patch_id", keep="last")
    told: dict[str, Any] = {str(v["patch_id"]): v for v in last.to_dict("records")}
    pieces = _pieces(tables, chosen)
    rows = [
        _update_row(piece, records[str(piece["patch_id"])], told[str(piece["patch_id"])])
        for piece in pieces.drop(columns="geometry").to_dict("records")
    ]
    shapes = gpd.GeoSeries(pieces.geometry.to_numpy(), crs=tables.patches.crs)
    shapes = in_national_crs(shapes, tables)
    layer = ShapeLayer("DLTBGXGC", UPDATE_FIELDS, rows, shapes, UPDATE_MEANINGS)
    write_shape_layers([layer], path, day=last_day(tables))
    return len(chosen)


def _pieces(tables: ClueTables, chosen: Any) -> Any:
    """Return the pieces of patches by land-use parcel; the whole patch where none are known."""
    import pandas as pd

    found = tables.only(set(chosen["patch_id"])).classes
    known = set() if found is None else set(found["patch_id"])
    whole = chosen[~chosen["patch_id"].isin(known).to_numpy()]
    whole = whole[["patch_id", "area_dm2", "geometry"]].assign(parcel="", scheme="", code="")
    if found is None:
        return whole
    own = found[found["patch_id"].isin(set(chosen["patch_id"])).to_numpy()]
    parts = [table for table in (own, whole) if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else whole


def _update_row(
    piece: Mapping[str, Any], patch: Mapping[str, Any], verdict: Mapping[str, Any]
) -> dict[str, Any]:
    before = land_class(piece["scheme"], piece["code"])
    use = find_use(str(patch["use"] or ""))
    told = class_of_use(use.code, piece["scheme"], piece.get("town") or "") if use else None
    after = land_class(piece["scheme"], told.code) if told else None
    return {
        "JCBH": patch["patch_id"],
        "XSBH": patch["clue_no"],
        "XZQDM": patch["county_code"],
        "BGQTBBSM": piece["parcel"],
        "BGQDLBM": piece["code"],
        "BGQDLMC": before.name_zh if before else "",
        "BGHDLBM": after.code if after else "",
        "BGHDLMC": after.name_zh if after else "",
        "DLTX": piece["scheme"],
        "BGHTBLX": _tblx(patch["tblx"], change_type(patch["change_type"]).tblx),
        "BGHYT": use.name_zh if use else "",
        "BGMJ": metres2(piece["area_dm2"]),
        "BGQSX": _compact(patch["before_to"]),
        "BGHSX": _compact(patch["after_to"]),
        "HSJL": verdict["verdict"],
        "HSR": verdict["by"],
        "HSRQ": str(verdict["at"])[:10],
    }
