"""The ledger in Chinese: columns of the list, of the machine's sheet, of the leads."""

from collections.abc import Callable
from functools import partial

from clues.outputs.columns import (
    Column,
    Form,
    Row,
    class_text,
    credit_text,
    day_text,
    document_texts,
    fill_in,
    measured,
    no_text,
    papers_of,
    place_text,
    severity,
    suggestion,
    told_leads,
    versions_text,
)
from clues.outputs.history import history_columns, reason_text
from clues.outputs.imagesources import images_text
from clues.outputs.ledgerkeys import VERDICT_CHOICES
from clues.outputs.severity import SEVERITY_MEANING
from configs.channels import channel_name
from configs.speech import PLAIN
from configs.units import SCORE_UNIT, metres2
from configs.vocabulary import Outcome, change_type, cover_name, role_name

__all__ = ["CHINESE_FORM", "LEAD_COLUMNS", "LEDGER_COLUMNS", "MACHINE_COLUMNS"]

FILLED_IN, SAME = "由核查人员填写", "同表一"

FLAGS_MEANING = (
    "PBF 占用永久基本农田，ECO 占用生态保护红线，UGB 突破城镇开发边界，RES 涉及储备土地，"
    "NRR 占用自然保护地；规则集的其他标记见本表后部的代码"
)


def _epochs(row: Row) -> str:
    return f"{day_text(row.patch['before_to'])}\n{day_text(row.patch['after_to'])}"


def _batch(row: Row) -> str:
    return row.title.batch if row.title else ""


LEDGER_COLUMNS: tuple[Column, ...] = (
    Column("number", "序号", 5, "本表行号", lambda r: r.number, "whole"),
    Column(
        *("clue_no", "线索编号", 18, "县代码+年+季+六位流水号，不重复使用"),
        lambda r: r.patch["clue_no"],
    ),
    Column("place", "位置", 12, "县名称，中心点经度、纬度（CGCS2000，度）", place_text),
    Column(
        *("change", "变化类型", 10, "影像判定的变化类型"),
        lambda r: change_type(r.patch["change_type"]).name_zh,
    ),
    Column("epochs", "前、后时相", 12, "变化前、后影像日期（末日）", _epochs),
    Column(
        *("area_mu", "面积（亩）", 9, "1亩=2000/3平方米；各行按合计取整，与证据单相差不超过0.01亩"),
        *(lambda r: r.area_as("mu"), "area"),
    ),
    Column(
        *("cropland_mu", "耕地（亩）", 9, "占耕地毛面积"),
        *(lambda r: r.area_as("mu", "cropland_dm2"), "area"),
    ),
    Column(
        *("pbf_mu", "永久基本农田（亩）", 9, "占永久基本农田"),
        *(lambda r: r.area_as("mu", "pbf_dm2"), "area"),
    ),
    Column(
        *("redline_mu", "生态红线（亩）", 9, "占生态保护红线"),
        *(lambda r: r.area_as("mu", "redline_dm2"), "area"),
    ),
    Column(
        *("suggestion", "判定建议及规则", 16, "机器判定建议和决定性规则，不是违法认定"),
        partial(suggestion, speech=PLAIN),
    ),
    fill_in("verdict", "核实认定意见", 9, f"{FILLED_IN}：合法、违法、其他、伪变化"),
    fill_in("illegal_mu", "非农违法面积（亩）", 9, FILLED_IN, "fill_area"),
    fill_in("rectified", "是否整改", 6, f"{FILLED_IN}：是、否"),
    fill_in("remarks", "备注", 12, FILLED_IN),
    fill_in("checked_by", "核查人", 8, FILLED_IN),
    fill_in("checked_on", "核查日期", 11, FILLED_IN, "fill_day"),
    Column("county_name", "县名称", 10, "县级行政区名称", lambda r: r.patch["county_name"]),
    Column("batch", "监测批次", 9, "监测年度和季度", _batch),
    Column(
        *("priority", "优先级", 6, "数值越大越先查"),
        *(lambda r: int(r.patch["priority"]), "whole"),
    ),
    fill_in("project", "项目名称", 12, FILLED_IN),
    fill_in("holder", "项目主体", 12, FILLED_IN),
    fill_in("illegal_use", "非农违法土地用途", 9, FILLED_IN),
    fill_in("illegal_cropland_mu", "非农违法耕地面积（亩）", 11, FILLED_IN, "fill_area"),
    fill_in("illegal_pbf_mu", "非农违法基本农田面积（亩）", 9, FILLED_IN, "fill_area"),
    fill_in("rectification", "整改方式", 9, f"{FILLED_IN}：拆除复耕、补办手续、未整改"),
    fill_in("major", "重大典型问题", 6, f"{FILLED_IN}：是、否"),
    Column("reason", "理由", 90, "逐地块的判定理由", partial(reason_text, speech=PLAIN)),
    Column(
        "questions", "待核问题", 50, "须内业或外业回答的问题", lambda r: r.joined("questions_zh")
    ),
    Column(
        *("documents", "批准文件及覆盖", 44, "文号（日期）覆盖比例"),
        partial(document_texts, speech=PLAIN),
    ),
    Column("sources", "线索来源", 26, "卫片，或举报、信访等来件（日期）及距离", told_leads),
    Column("patch_id", "图斑编号", 17, "由格网、时相和起始像元生成", lambda r: r.patch["patch_id"]),
)

PICTURE_COLUMNS = (
    Column("before_picture", "变化前", 14, "前时相影像，图斑居中", no_text, "picture"),
    Column("after_picture", "变化后", 14, "后时相影像，同一范围", no_text, "picture"),
)

INDEX_MEANING = "后时相减前时相，图斑内像元（至多64个）的平均"


def _papers(key: str, title: str) -> Column:
    name = role_name(key)
    return Column(key, title, 30, f"{name}：编号（日期）覆盖比例", papers_of(key, PLAIN))


def _cover(name: str, date: str) -> Column:
    def value(row: Row) -> str:
        code = row.patch[name]
        return cover_name(code) if code else ""

    return Column(f"{name}_name", f"{date}覆被", 10, f"{date}时相覆被", value)


def _cover_code(name: str, date: str) -> Column:
    told = f"{date}时相覆被代码"
    return Column(name, f"{date}覆被代码", 10, told, lambda r: r.patch[name] or "")


MACHINE_COLUMNS: tuple[Column, ...] = (
    Column("number", "序号", 6, SAME, lambda r: r.number, "whole"),
    Column("clue_no", "线索编号", 19, SAME, lambda r: r.patch["clue_no"]),
    Column("patch_id", "图斑编号", 17, SAME, lambda r: r.patch["patch_id"]),
    Column("source_id", "来源编号", 14, "导入图斑的原编号", lambda r: r.patch["source_id"] or ""),
    Column("county_code", "县代码", 9, "县级行政区代码", lambda r: r.patch["county_code"]),
    Column(
        *("lon", "经度", 12, "中心点，CGCS2000，度"),
        *(lambda r: round(float(r.patch["lon"]), 6), "degree"),
    ),
    Column(
        *("lat", "纬度", 12, "中心点，CGCS2000，度"),
        *(lambda r: round(float(r.patch["lat"]), 6), "degree"),
    ),
    Column("sheet", "图幅号", 14, "1:10000图幅号", lambda r: r.patch["sheet"]),
    Column("before", "前时相", 11, "变化前影像末日", lambda r: day_text(r.patch["before_to"])),
    Column("after", "后时相", 11, "变化后影像末日", lambda r: day_text(r.patch["after_to"])),
    Column(
        *("before_image", "前影像源", 26, "覆盖图斑的前时相影像：传感器、景名，依取用次序"),
        partial(images_text, date="before"),
    ),
    Column(
        *("after_image", "后影像源", 26, "覆盖图斑的后时相影像：传感器、景名，依取用次序"),
        partial(images_text, date="after"),
    ),
    Column("imagery", "影像署名", 26, "影像使用时应注明的署名", credit_text),
    Column("n_pixels", "像元数", 10, "图斑像元个数", lambda r: int(r.patch["n_pixels"]), "whole"),
    Column("change_type", "变化代码", 16, "变化类型代码", lambda r: r.patch["change_type"]),
    Column("change", "变化类型", 16, SAME, lambda r: change_type(r.patch["change_type"]).name_zh),
    Column("tblx", "图斑类型", 10, "TBLX", lambda r: r.patch["tblx"] or ""),
    Column(
        *("former_class", "原地类", 24, "前时相占比最大的地类：名称、编码、体系"),
        partial(class_text, language="zh"),
    ),
    _cover("from_cover", "前"),
    _cover_code("from_cover", "前"),
    _cover("to_cover", "后"),
    _cover_code("to_cover", "后"),
    Column(
        *("confidence", "置信度", 8, "0–100，-1为未知"),
        *(lambda r: int(r.patch["confidence"]), "whole"),
    ),
    Column("width_m", "平均宽度（米）", 11, "长条形图斑的平均宽度", measured("width_m"), "measure"),
    Column(
        *("strength", "变化强度", 10, "变化最强的十分之一像元，为阈值的倍数"),
        *(measured("magnitude_p90", SCORE_UNIT), "measure"),
    ),
    Column(
        *("ndvi_change", "植被指数变化", 11, f"NDVI，{INDEX_MEANING}"),
        *(measured("ndvi_change"), "measure"),
    ),
    Column(
        *("ndbi_change", "建筑指数变化", 11, f"NDBI，{INDEX_MEANING}"),
        *(measured("ndbi_change"), "measure"),
    ),
    Column(
        *("ndwi_change", "水体指数变化", 11, f"NDWI，{INDEX_MEANING}"),
        *(measured("ndwi_change"), "measure"),
    ),
    Column(
        *("area_m2", "面积（平方米）", 14, "椭球面积"),
        *(lambda r: metres2(r.patch["area_dm2"]), "area"),
    ),
    Column(
        *("cropland_net_mu", "耕地净面积（亩）", 13, "扣除田坎"),
        *(lambda r: r.area_as("mu", "cropland_net_dm2"), "area"),
    ),
    Column(
        *("outside_mu", "边界外（亩）", 11, "城镇开发边界外"),
        *(lambda r: r.area_as("mu", "outside_boundary_dm2"), "area"),
    ),
    _papers("approval", "批文号及占比"),
    _papers("supply", "供地及占比"),
    _papers("temporary", "临时用地及占比"),
    _papers("facility", "设施农用地及占比"),
    _papers("mining_right", "矿业权及占比"),
    Column("outcome", "判定代码", 14, "机器判定代码", lambda r: r.patch["outcome"]),
    Column(
        *("outcome_name", "判定建议", 12, "机器判定建议，不是违法认定"),
        lambda r: Outcome(r.patch["outcome"]).name_zh,
    ),
    Column(
        *("severity", "严重程度", 18, SEVERITY_MEANING["zh"]),
        partial(severity, language="zh"),
    ),
    Column("rule", "规则代码", 10, "决定性规则代码", lambda r: r.joined("rule", "、")),
    Column("rules", "全部规则", 16, "成立的规则", lambda r: r.joined("rules", "、")),
    Column("flags", "控制线标记", 14, FLAGS_MEANING, lambda r: r.joined("flags", "、")),
    Column("features", "涉及文件", 30, "文件键", lambda r: r.joined("documents", "、")),
    Column("versions", "数据版本", 40, "规则、图层、拟合状态的版本", versions_text),
    *history_columns(PLAIN),
    Column("reason_en", "英文理由", 60, "英文的判定理由", lambda r: r.joined("reason_en")),
)

RELATIONS = {"attached": "并入线索", "reopened": "重新核实", "opened": "单独列为线索"}


def _told(name: str) -> Callable[[Row], str]:
    return lambda row: str(row.leads[0][name] or "")


LEAD_COLUMNS: tuple[Column, ...] = (
    Column("lead_number", "来件编号", 18, "举报、信访等来件的编号", _told("number")),
    Column(
        *("lead_channel", "来件渠道", 14, "举报、信访等"),
        lambda r: channel_name(r.leads[0]["channel"]).zh,
    ),
    Column("lead_day", "来件日期", 11, "收到日期", lambda r: day_text(r.leads[0]["received"])),
    Column("lead_text", "反映内容", 50, "来件原文", _told("text")),
    Column(
        *("lead_relation", "处理方式", 14, "并入、重新核实或单列"),
        lambda r: RELATIONS[r.leads[0]["relation"]],
    ),
    Column("clue_no", "线索编号", 19, SAME, lambda r: r.patch["clue_no"]),
    Column("patch_id", "图斑编号", 17, SAME, lambda r: r.patch["patch_id"]),
    Column("lead_reason", "处理理由", 60, "距离、时限和结论", _told("reason_zh")),
    Column("lead_reason_en", "英文处理理由", 60, "英文的处理理由", _told("reason_en")),
)

YES_NO = ("是", "否")

CHINESE_FORM = Form(
    "zh",
    "卫片执法线索台账",
    LEDGER_COLUMNS,
    PICTURE_COLUMNS,
    "checked_on",
    MACHINE_COLUMNS,
    LEAD_COLUMNS,
    ("线索台账", "机器字段", "字典", "其他来源线索"),
    "合计",
    "&R第 &P 页 共 &N 页",
    ("字段或代码", "含义"),
    "版本",
    ("（资料不全，见“字典”表）", "注意"),
    {
        "verdict": VERDICT_CHOICES["zh"],
        "rectified": YES_NO,
        "rectification": ("拆除复耕", "补办手续", "未整改"),
        "major": YES_NO,
    },
    {
        "fill": ("不在选项中", "请从下拉列表中选择。"),
        "fill_area": ("不是面积", "请填写不小于0的数，单位为亩。"),
        "fill_day": ("不是日期", "请填写日期，例如 2025-10-31。"),
    },
    SAME,
    lambda kind: str(kind.name_zh),
)
