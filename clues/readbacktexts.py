"""What is said about the rows of a ledger that was read back, in both languages."""

from typing import NamedTuple

from configs.vocabulary import Language

__all__ = ["CODES", "KIND_NAMES", "Message", "Said", "say"]


class Said(NamedTuple):
    """What is wrong, or worth knowing, and what to do."""

    what: str
    fix: str


class Message(NamedTuple):
    """A message: its kind, and the words for it."""

    kind: str
    zh: Said
    en: Said


KIND_NAMES = {
    "zh": {"refused": "退回", "conflict": "冲突", "note": "提示"},
    "en": {"refused": "refused", "conflict": "conflict", "note": "note"},
}

CODES: dict[str, Message] = {
    "unknown_clue": Message(
        "refused",
        Said("本次运行没有这个线索编号", "核对编号；若属另一次运行，请导入到那次运行"),
        Said("the run has no clue of this number", "check the number, or import into its own run"),
    ),
    "other_patch": Message(
        "refused",
        Said("此编号的线索是图斑 {patch}，不是 {given}", "按原台账改回线索编号和图斑编号"),
        Said("the clue of this number is patch {patch}, not {given}", "put both numbers back"),
    ),
    "redrawn": Message(
        "refused",
        Said("图斑在台账导出后已修改，现为 {patch}", "重新导出台账后填写"),
        Said("the patch was redrawn since, it is {patch} now", "export the ledger again"),
    ),
    "redrawn_before": Message(
        "note",
        Said("图斑在台账导出后已修改，现为 {patch}；此行没有新填内容", "重新导出台账"),
        Said("the patch is {patch} now; the row holds nothing new", "export the ledger again"),
    ),
    "gone": Message(
        "refused",
        Said("图斑在台账导出后已被裁切或合并，现由 {parts} 代替", "重新导出台账，在其行内填写"),
        Said("the patch was cut or merged since, {parts} took its place", "fill in their rows"),
    ),
    "deleted": Message(
        "refused",
        Said("图斑在台账导出后已被删除", "确有变化的，请内业补绘图斑；否则清空此行"),
        Said("the patch was deleted since", "have it drawn again, or empty the row"),
    ),
    "gone_before": Message(
        "note",
        Said("图斑在台账导出后已被裁切、合并或删除，此行没有新填内容", "重新导出台账"),
        Said("the patch is gone since; the row holds nothing new", "export the ledger again"),
    ),
    "at_the_desk": Message(
        "refused",
        Said("案件 {case} 的认定与“{value}”不一致，或尚有多个案件未认定", "在执法工作台办理该案件"),
        Said("case {case} stands against {value!r}", "judge the case at the desk"),
    ),
    "no_clue": Message(
        "refused",
        Said("此行填有内容，但没有线索编号", "补上线索编号和图斑编号，或删去此行"),
        Said("the row is filled in but names no clue", "give clue and patch, or delete the row"),
    ),
    "double": Message(
        "refused",
        Said("同一线索在第 {rows} 行重复出现，填写内容不同", "只保留一行"),
        Said("the clue stands in rows {rows} with different answers", "keep one of them"),
    ),
    "double_same": Message(
        "note",
        Said("同一线索在第 {rows} 行重复出现，填写内容相同", "可删去重复的行"),
        Said("the clue stands in rows {rows} with the same answers", "one of them may go"),
    ),
    "wrong_word": Message(
        "refused",
        Said("“{value}”不是可选项", "从下拉列表选取：{words}"),
        Said("{value!r} is none of the choices", "choose from the list: {words}"),
    ),
    "wrong_word_near": Message(
        "refused",
        Said("“{value}”不是可选项", "是否为“{near}”？可选：{words}"),
        Said("{value!r} is none of the choices", "did you mean {near!r}? Choose from: {words}"),
    ),
    "no_date": Message(
        "refused",
        Said("“{value}”不是日期", "写成 2025-10-31"),
        Said("{value!r} is no date", "write it as 2025-10-31"),
    ),
    "future_date": Message(
        "refused",
        Said("日期 {value} 在今天（{today}）之后", "改为实际核查日期"),
        Said("{value} lies after today ({today})", "give the day of the check"),
    ),
    "early_date": Message(
        "refused",
        Said("核查日期 {value} 早于后时相影像（{after}）", "改为实际核查日期"),
        Said("{value} is earlier than the later image ({after})", "give the day of the check"),
    ),
    "no_number": Message(
        "refused",
        Said("“{value}”不是面积", "写非负数，不用公式"),
        Said("{value!r} is no area", "write a number of at least 0, no formula"),
    ),
    "too_long": Message(
        "refused",
        Said("内容有 {length} 字，最多 {limit} 字", "缩短内容"),
        Said("{length} characters, at most {limit}", "shorten it"),
    ),
    "area_too_large": Message(
        "refused",
        Said("{value} 大于图斑面积 {area}", "核对面积；图斑以外的部分写入备注"),
        Said("{value} is more than the patch, {area}", "put what lies outside into the remarks"),
    ),
    "area_in_metres": Message(
        "refused",
        Said("{value} 大于图斑面积 {area}", "若所填为平方米，应填 {metres}"),
        Said("{value} is more than the patch, {area}", "if these are m², fill in {metres}"),
    ),
    "part_above_whole": Message(
        "refused",
        Said("{value} 大于“{whole}”的 {of}", "基本农田不大于耕地，耕地不大于违法面积"),
        Said("{value} is more than {whole!r}, {of}", "a part is no more than its whole"),
    ),
    "area_though_lawful": Message(
        "refused",
        Said(
            "核实认定意见为“{verdict}”，却填有违法面积 {value}", "部分违法的选“违法”；否则清空面积"
        ),
        Said("the finding is {verdict!r}, the unlawful area {value}", "mend one of the two"),
    ),
    "way_against_answer": Message(
        "refused",
        Said("是否整改为“{done}”，整改方式为“{way}”", "两者改成一致；尚未整改的选“否”和“未整改”"),
        Said("put right: {done!r}, but the way is {way!r}", "mend one of the two"),
    ),
    "rectified_though_lawful": Message(
        "note",
        Said("核实认定意见为“{verdict}”，却已整改", "请核对核实认定意见"),
        Said("the finding is {verdict!r}, yet it was put right", "check the finding"),
    ),
    "nobody": Message(
        "refused",
        Said("有核实认定意见，但没有核查人", "填写“核查人”，或导入时给出姓名"),
        Said("there is a finding, but nobody who checked", "fill in who checked, or give --by"),
    ),
    "both_changed": Message(
        "conflict",
        Said(
            "导出后 {by} 已改为“{stored}”，此处为“{value}”", "与其核对后改成一致，或以此表为准导入"
        ),
        Said("{by} has changed it to {stored!r} since; here {value!r}", "agree, or use --overrule"),
    ),
    "other_person": Message(
        "conflict",
        Said("此前 {by} 的意见为“{stored}”，此处 {mine} 改为“{value}”", "核对后以此表为准导入"),
        Said("{by} found {stored!r}; here {mine} has {value!r}", "agree, or use --overrule"),
    ),
    "older": Message(
        "conflict",
        Said("已有较晚（{at}）的意见“{stored}”", "核对日期，或以此表为准导入"),
        Said("there is a later finding ({at}): {stored!r}", "check the day, or use --overrule"),
    ),
    "machine_altered": Message(
        "note",
        Said("此行的机器字段被改动，改动不导入", "如有异议写入备注"),
        Said("cells of the machine were altered: not imported", "put objections into the remarks"),
    ),
    "column_gone": Message(
        "note",
        Said("表中没有此列", "若有填写，请恢复该列"),
        Said("the sheet lacks this column", "put it back if it was filled in"),
    ),
    "overruled": Message(
        "note",
        Said("{by} 的“{stored}”改为“{value}”", "已按要求以此表为准"),
        Said("{stored!r} of {by} became {value!r}", "overruled as asked"),
    ),
}
"""Every message by its code."""


def say(code: str, language: Language, facts: dict[str, str]) -> Said:
    """Return a message with its facts filled in."""
    words = CODES[code].zh if language == "zh" else CODES[code].en
    return Said(words.what.format(**facts), words.fix.format(**facts))
