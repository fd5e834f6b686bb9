"""The catalogue of facts: everything a rule may test and a sentence may name.

Areas are whole dm², lengths metres, shares 0–1, dates civil days. A fact of an ordered kind is an
interval: what lies between is undecidable from images and layers, and a rule that needs to know
asks.
"""

from dataclasses import dataclass
from functools import cache

from configs.vocabulary import uses

__all__ = ["CODE_NAMES", "Fact", "catalogue"]


@dataclass(frozen=True)
class Fact:
    """One entry of the catalogue.

    Attributes
    ----------
    kind : str
        area, length, share, count, date, bool, code, text or documents.
    roles : tuple of str
        Layer roles the fact is drawn from; empty for facts of the patch itself.
    assumable : bool
        Whether a rule may assume it where it is unknown.
    codes : tuple of str
        Known values of a code.
    """

    name: str
    kind: str
    zh: str
    en: str
    roles: tuple[str, ...] = ()
    assumable: bool = False
    codes: tuple[str, ...] = ()


def _patch_facts() -> tuple[Fact, ...]:
    return (
        Fact("area", "area", "地块面积", "parcel area"),
        Fact("patch_area", "area", "图斑面积", "patch area"),
        Fact("before", "date", "前时相", "earlier date"),
        Fact("after", "date", "后时相", "later date"),
        Fact("use", "code", "现状用途", "use now", codes=tuple(uses())),
        Fact("built", "bool", "现状已建设", "something is built now", assumable=True),
        Fact("permanent", "bool", "永久性建（构）筑物", "permanent structure"),
        Fact("agricultural_use", "bool", "现状为农用", "agricultural use now", assumable=True),
        Fact("facility_use", "bool", "现状为农业设施", "farm facility now"),
        Fact("linear", "bool", "线状地物", "linear feature", assumable=True),
        Fact("mean_width", "length", "平均宽度", "mean width"),
        Fact("pseudo_change", "bool", "伪变化类型", "pseudo-change type", assumable=True),
        Fact("learned_pseudo", "bool", "模型判为伪变化", "pseudo-change to the model", (), True),
        Fact("judged_before", "bool", "已有核实结论", "judged before", assumable=True),
        Fact("judged_object", "documents", "已知对象", "object known before"),
        Fact("listed_before", "bool", "前期已列线索", "listed before", assumable=True),
        Fact("unjudged_area", "area", "原核实范围外面积", "area outside what was judged"),
        Fact("confidence", "share", "影像判定可信度", "confidence of imagery"),
        Fact("farm_purpose", "bool", "服务农业生产", "serves farm production", assumable=True),
        Fact("auxiliary_fits", "bool", "附属设施占比合规", "auxiliary share fits", assumable=True),
        Fact("reclamation_plan", "bool", "有复垦方案", "reclamation plan exists", assumable=True),
        Fact("surface_kept", "bool", "未压占、未改变地表", "surface neither pressed nor changed"),
        Fact("pbf_consent", "bool", "占用永农符合规定", "use of basic farmland within the rule"),
        *_told_facts(),
    )


CODE_NAMES: dict[str, tuple[str, str]] = {
    "none": ("无", "none"),
    "unlawful_grant": ("非法批地", "unlawful grant"),
    "fraud": ("骗取批准", "fraud"),
    "unlawful_supply": ("违法方式供地", "unlawful supply"),
    "slope_works": ("边坡治理", "slope works"),
    "underground_works": ("地下管廊", "underground works"),
    "graves": ("农村土坟", "graves"),
    "poles": ("电力设施", "poles"),
    "river_works": ("水工建筑", "river works"),
    "entrance": ("出入口", "entrance"),
    "disaster_damage": ("灾毁地块", "disaster damage"),
    "emergency": ("紧急用地", "emergency"),
    "mine_restoration": ("矿山修复", "mine restoration"),
    "corner": ("边角细缝", "corner"),
    "homestead": ("农村宅基地", "rural homestead"),
}
"""Chinese and English name of codes that are neither uses nor roles."""
FAULTS = ("none", "unlawful_grant", "fraud", "unlawful_supply")
OTHER_CASES = (
    "none",
    "slope_works",
    "underground_works",
    "graves",
    "poles",
    "river_works",
    "entrance",
    "disaster_damage",
    "emergency",
    "mine_restoration",
    "corner",
)


def _told_facts() -> tuple[Fact, ...]:
    """Facts that only people can tell, in a column of the patch table with the fact's name."""
    return (
        Fact("later_change", "bool", "此后又有变化", "changed again since", assumable=True),
        Fact("other_case", "code", "其他用地情形", "other case", assumable=True, codes=OTHER_CASES),
        Fact("other_evidence", "bool", "有佐证材料", "supporting document exists"),
        Fact("homestead_permit", "bool", "有宅基地批准书", "homestead permit exists"),
        Fact("document_fault", "code", "批文瑕疵", "fault of the papers", (), True, FAULTS),
        Fact("same_applicant", "bool", "用地单位相同", "same applicant"),
        Fact("crop_cycle", "bool", "有作物生长周期", "a crop cycle was seen"),
        Fact("main_building_share", "share", "主体建筑套合率", "coverage of the main building"),
    )


def _class_facts() -> tuple[Fact, ...]:
    landuse = ("landuse",)
    return (
        Fact("construction_share", "share", "原建设用地占比", "former construction land", landuse),
        Fact("agricultural_share", "share", "原农用地占比", "former agricultural land", landuse),
        Fact("cropland_share", "share", "原耕地占比", "former cropland", landuse),
        Fact("wild_share", "share", "原荒草沙裸地占比", "former wild unused land", landuse),
        Fact("cropland_area", "area", "占耕地面积", "cropland taken", landuse),
        Fact("cropland_net_area", "area", "占耕地净面积", "net cropland taken", landuse),
        Fact("forest_area", "area", "占林地面积", "forest taken", landuse),
        Fact(
            "village_share",
            "share",
            "村庄范围内占比",
            "inside the village area",
            ("landuse", "village_area"),
        ),
        Fact("farmland_area", "area", "占非耕农用地面积", "other agricultural land", landuse),
        Fact("unused_area", "area", "占未利用地面积", "unused land taken", landuse),
        Fact("construction_area", "area", "占建设用地面积", "construction land", landuse),
    )


def _line_facts() -> tuple[Fact, ...]:
    return (
        Fact("pbf_area", "area", "占永久基本农田面积", "basic farmland taken", ("basic_farmland",)),
        Fact("redline_area", "area", "占生态保护红线面积", "redline taken", ("redline",)),
        Fact("redline_documents", "documents", "所占红线", "redlines taken", ("redline",)),
        Fact(
            "inside_boundary_area",
            "area",
            "城镇开发边界内面积",
            "inside the growth boundary",
            ("growth_boundary",),
        ),
        Fact(
            "outside_boundary_area",
            "area",
            "城镇开发边界外面积",
            "outside the growth boundary",
            ("growth_boundary",),
        ),
        Fact("reserve_area", "area", "占储备土地面积", "reserve land taken", ("reserve",)),
        Fact(
            "nature_reserve_area",
            "area",
            "占自然保护地面积",
            "nature reserve taken",
            ("redline",),
        ),
        Fact(
            "restoration_area",
            "area",
            "涉及补充耕地面积",
            "land claimed as new cropland",
            ("restoration",),
        ),
        Fact(
            "road_network_share",
            "share",
            "与路网重叠占比",
            "inside the road network",
            ("road_network",),
            assumable=True,
        ),
    )


def _near_facts() -> tuple[Fact, ...]:
    return (
        Fact("redline_distance", "length", "与红线距离", "distance to the redline", ("redline",)),
        Fact(
            "mining_distance",
            "length",
            "与最近矿业权距离",
            "distance to the nearest mining right",
            ("mining_right",),
        ),
        Fact(
            "near_approval_distance",
            "length",
            "与最近批文距离",
            "distance to the nearest approval",
            ("approval",),
        ),
        Fact(
            "near_approval_ratio",
            "share",
            "与最近批文的面积比",
            "area ratio with the nearest approval",
            ("approval",),
        ),
        Fact(
            "near_approval_documents", "documents", "最近的批文", "nearest approval", ("approval",)
        ),
        Fact(
            "former_overlap",
            "share",
            "与历史线索的重叠度",
            "overlap with a former clue",
            ("former_clue",),
            assumable=True,
        ),
        Fact("former_date", "date", "历史线索日期", "date of the former clue", ("former_clue",)),
        Fact("former_documents", "documents", "历史线索", "former clue", ("former_clue",)),
    )


PARCEL_TESTS: tuple[tuple[str, str, str, str], ...] = (
    ("approval_before", "批文（前时相之前）", "approvals before the earlier date", "approval"),
    ("approval_by_after", "批文（后时相之前）", "approvals by the later date", "approval"),
    ("approval_late", "批文（后时相之后）", "approvals after the later date", "approval"),
    ("application", "用地申请（后时相之前）", "applications by the later date", "approval"),
    ("supply_before", "供地（前时相之前）", "supply before the earlier date", "supply"),
    ("supply_by_after", "供地（后时相之前）", "supply by the later date", "supply"),
    (
        "registration_before",
        "登记（前时相之前）",
        "registration before the earlier date",
        "registration",
    ),
    (
        "unbuilt_before",
        "批准未建设土地（前时相之前）",
        "land approved but unbuilt before the earlier date",
        "approved_unbuilt",
    ),
    ("temporary", "临时用地许可", "temporary permits", "temporary"),
    ("temporary_in_force", "有效的临时用地许可", "temporary permits in force", "temporary"),
    ("facility_filed", "设施农用地备案", "facility filings", "facility"),
    ("project", "项目用地手续", "project papers", "project"),
    (
        "project_before",
        "项目手续（前时相之前）",
        "project papers before the earlier date",
        "project",
    ),
    ("reserve", "储备土地", "reserve land", "reserve"),
    ("restoration", "补充耕地", "land claimed as new cropland", "restoration"),
    ("mining_valid", "有效采矿权", "mining rights in force", "mining_right"),
    ("mining", "采矿权", "mining rights", "mining_right"),
    ("exploration", "探矿权", "exploration rights", "mining_right"),
)
"""Coverage of the parcel by documents: name, zh, en, role."""

PATCH_TESTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("patch_approval", "批文（后时相之前）", "approvals by the later date", ("approval",)),
    (
        "patch_permit",
        "批文或临时用地许可",
        "approvals or temporary permits by the later date",
        ("approval", "temporary"),
    ),
    (
        "patch_ground",
        "批文、供地或登记",
        "approvals, supply or registration by the later date",
        ("approval", "supply", "registration"),
    ),
    ("patch_application", "用地申请", "applications by the later date", ("approval",)),
    ("patch_temporary", "临时用地许可", "temporary permits", ("temporary",)),
    ("patch_mining", "采矿权", "mining rights", ("mining_right",)),
)
"""Coverage of the whole patch by documents: name, zh, en, roles."""


def _share_facts() -> tuple[Fact, ...]:
    found = []
    for name, zh, en, role in PARCEL_TESTS:
        found += [
            Fact(f"{name}_share", "share", f"{zh}覆盖率", f"coverage by {en}", (role,)),
            Fact(f"{name}_documents", "documents", zh, en, (role,)),
        ]
    for name, zh, en, roles in PATCH_TESTS:
        found += [
            Fact(f"{name}_share", "share", f"{zh}对图斑的覆盖率", f"patch coverage by {en}", roles),
            Fact(f"{name}_documents", "documents", f"图斑涉及的{zh}", f"{en} on the patch", roles),
        ]
    return tuple(found)


def _document_facts() -> tuple[Fact, ...]:
    found = [
        Fact(
            f"{name}_uncovered_cropland",
            "area",
            f"{zh}未覆盖的耕地",
            f"cropland not covered by {en}",
            (role, "landuse"),
        )
        for name, zh, en, role in (
            ("approval_before", "批文", "approvals", "approval"),
            ("supply_before", "供地", "supply", "supply"),
            ("registration_before", "登记", "registration", "registration"),
            ("unbuilt_before", "批准未建设土地", "approved unbuilt land", "approved_unbuilt"),
            ("project_before", "项目手续", "project papers", "project"),
            ("temporary_in_force", "临时用地许可", "temporary permits", "temporary"),
            ("facility_filed", "设施农用地备案", "facility filings", "facility"),
        )
    ]
    found += [
        Fact("use_compatible", "bool", "用途相符", "use as approved", ("approval",), True),
        Fact("temporary_end", "date", "临时用地到期日", "end of the permit", ("temporary",)),
        Fact("reclaim_until", "date", "复垦期限", "end of reclamation", ("temporary",)),
        Fact("filed_area", "area", "备案面积", "filed area", ("facility",)),
        Fact("filing_used_area", "area", "备案内已用面积", "area used inside it", ("facility",)),
        Fact("over_filed_area", "area", "超出备案面积", "area beyond the filing", ("facility",)),
        Fact("mining_end", "date", "采矿权到期日", "end of the mining right", ("mining_right",)),
    ]
    return tuple(found)


@cache
def catalogue() -> dict[str, Fact]:
    """Return the catalogue by name."""
    facts = (
        *_patch_facts(),
        *_class_facts(),
        *_line_facts(),
        *_near_facts(),
        *_share_facts(),
        *_document_facts(),
    )
    return {f.name: f for f in facts}
