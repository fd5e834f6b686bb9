"""Questions to every watched document: built before it, idle, outside, or after its end."""

import calendar
import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.coverage import date_days
from clues.watching import MAYBE, SURE, Built
from clues.wording import Language
from configs.articles import Text
from configs.units import metres2, mu, percent
from configs.vocabulary import role_name
from configs.watching import Kind, WatchRules

__all__ = ["FINDING_COLUMNS", "Watch", "watch"]

FINDING_COLUMNS = (
    "role",
    "key",
    "number",
    "kind",
    "months",
    "answer",
    "area_dm2",
    "sentence_zh",
    "sentence_en",
    "sources",
)
"""`answer`: found | clear | unknown; `months` of an idle finding, else 0."""

CAUSES = {
    "no_date": ("日期缺失", "its day is missing"),
    "between": ("日期介于建设图斑的前后两期影像之间", "its day lies between the two images"),
    "use": ("部分图斑用途不明", "the use of some patches is not known"),
    "unseen": ("未观测：{names}", "not observed: {names}"),
    "untold": ("未给出可观测范围：{names}", "what could be observed is not told: {names}"),
    "gap": (
        "影像时段不连续或未覆盖该日期起的全部时间",
        "the images do not follow on each other from that day on",
    ),
    "not_before": ("该日期之前无影像时段", "no images lie before that day"),
    "built": ("已动工", "started"),
    "not_due": ("期限未到", "not yet due"),
    "not_ended": ("尚未到期", "not yet ended"),
    "open_end": ("无到期日", "it tells no end"),
    "renewed": ("延续申请已受理", "its renewal was accepted"),
    "nothing": ("观测期内未见新建", "nothing was built as far as was watched"),
    "assumed": (
        "（未给出可观测范围，按全部可观测处理）",
        " (all taken as observed: it is not told)",
    ),
}
PATCH_LIMIT = 10
LANGUAGES: tuple[Language, Language] = ("zh", "en")


@dataclass(frozen=True)
class Watch:
    """Everything watching found out.

    Attributes
    ----------
    built : Built
    own, together : ndarray of int64, shape (periods, documents)
        dm² surely built in each period, and in all up to it.
    observed : ndarray of float64, shape (periods, documents)
        Share that could be observed; NaN where it is not told.
    first : list of (date, date) or None
        Between which images the first building was seen.
    findings : DataFrame
        See `FINDING_COLUMNS`.
    """

    built: Built
    own: NDArray[np.int64]
    together: NDArray[np.int64]
    observed: NDArray[np.float64]
    first: list[tuple[dt.date, dt.date] | None]
    findings: pd.DataFrame


@dataclass(frozen=True)
class _Answer:
    answer: str
    area_dm2: int
    cause: str = ""
    names: tuple[str, ...] = ()
    months: int = 0
    patches: tuple[int, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


def watch(built: Built, rules: WatchRules) -> Watch:
    """Answer every question of the rules for every document.

    What could not be observed is unknown: a place under clouds is not idle.
    """
    own, together = built.by_period()
    seen = [
        np.full(len(built.documents), np.nan) if p.observed is None else p.observed
        for p in built.periods
    ]
    observed = np.array(seen, dtype=np.float64).reshape(own.shape)
    asker = _Asker(built, rules, together, observed)
    rows = []
    for row, document in enumerate(asker.records):
        for kind in rules.roles[document["role"]].asked:
            for answer in asker.answers(kind, row):
                rows.append(asker.finding(kind, row, answer))
    table = pd.DataFrame(rows, columns=list(FINDING_COLUMNS))
    return Watch(built, own, together, observed, asker.first, table)


class _Asker:
    """The facts of all documents, worked out once, and the questions to each."""

    def __init__(
        self, built: Built, rules: WatchRules, together: Any, observed: NDArray[np.float64]
    ) -> None:
        self.built, self.rules, self.observed = built, rules, observed
        n = len(built.documents)
        plain = built.documents.drop(columns="geometry")
        self.records = [{str(k): v for k, v in r.items()} for r in plain.to_dict("records")]
        self.order = np.argsort(built.link_document, kind="stable")
        self.starts = np.searchsorted(built.link_document[self.order], np.arange(n + 1))
        self.sure = together[-1] if len(together) else np.zeros(n, np.int64)
        self.maybe = built.area(built.sure >= MAYBE)
        dates = date_days(built.documents["date"])[built.link_document]
        ends = date_days(built.documents["expires"])[built.link_document]
        before, after = built.days("before_from"), built.days("after_to")
        self.before, self.after = before, after
        sure = built.sure == SURE
        self.masks = {
            "any": built.sure >= MAYBE,
            "early": sure & (after < dates),
            "early_maybe": before < dates,
            "late": sure & (before >= ends),
            "late_maybe": after > ends,
        }
        self.areas = {name: built.area(mask) for name, mask in self.masks.items()}
        self.least = round(rules.least_built_m2 * 100)
        self.first = [self._first(row) for row in range(n)]
        lasts = [p.last for p in built.periods if p.last]
        self.last = max(lasts) if lasts else None

    def answers(self, kind: Kind, row: int) -> list[_Answer]:
        if kind == "idle":
            return [self._idle(row, months) for months in self.rules.idle_months]
        return [getattr(self, f"_{kind}")(row)]

    def _links(self, row: int) -> NDArray[np.int64]:
        """Return the links of a document."""
        return self.order[self.starts[row] : self.starts[row + 1]]

    def _first(self, row: int) -> tuple[dt.date, dt.date] | None:
        """Return the images between which the least built area was first reached."""
        if self.sure[row] < self.least:
            return None
        built, mine = self.built, self._links(row)
        mine = mine[built.sure[mine] == SURE]
        after, before = self.after[mine], self.before[mine]
        for day in np.unique(after):
            covered = np.unique(built.link_piece[mine[after <= day]])
            if built.piece_area[covered].sum() >= self.least:
                start = before[after == day].min()
                return dt.date.fromordinal(int(start)), dt.date.fromordinal(int(day))
        return None

    def _date(self, row: int, name: str = "date") -> dt.date | None:
        day = self.records[row][name]
        return day if isinstance(day, dt.date) else None

    def _behind(self, row: int, mask: str) -> tuple[int, ...]:
        """Return the patches of a document that one of the masks chooses."""
        own = self._links(row)
        own = own[self.masks[mask][own]]
        return tuple(int(p) for p in np.unique(self.built.link_patch[own]))

    def _doubt(self, row: int, mask: str) -> _Answer:
        """Return why patches that may count cannot be told: their use, or the days."""
        own = self._links(row)
        own = own[self.masks[f"{mask}_maybe"][own]]
        cause = "use" if (self.built.sure[own] == MAYBE).any() else "between"
        behind = self._behind(row, f"{mask}_maybe")
        return _Answer("unknown", int(self.areas[mask][row]), cause, patches=behind)

    def _sight(self, row: int, periods: list[int]) -> tuple[str, tuple[str, ...]]:
        """Return why a document was not observed in some periods, and which; "" if it was."""
        unseen, untold = [], []
        for t in periods:
            share, name = self.observed[t, row], self.built.periods[t].name
            if np.isnan(share):
                untold.append(name)
            elif share < self.rules.observed_share:
                unseen.append(f"{name} {100 * share:.2f} %")
        if unseen:
            return "unseen", tuple(unseen)
        if untold and self.rules.observed_if_untold == "ask":
            return "untold", tuple(untold)
        return "", tuple(untold)

    def _early(self, row: int) -> _Answer:
        date, area = self._date(row), int(self.areas["early"][row])
        patches = self._behind(row, "early")
        if date is None:
            return _Answer("unknown", area, "no_date")
        if area >= self.least:
            return _Answer("found", area, patches=patches)
        if self.areas["early_maybe"][row] >= self.least:
            return self._doubt(row, "early")
        earlier = [t for t, p in enumerate(self.built.periods) if p.first and p.first < date]
        if self.sure[row] < self.least and not earlier:
            return _Answer("unknown", area, "not_before")
        cause, names = self._sight(row, earlier)
        if cause:
            return _Answer("unknown", area, cause, names)
        return _Answer("clear", area, names=names)

    def _idle(self, row: int, months: int) -> _Answer:
        date, sure, maybe = self._date(row), int(self.sure[row]), int(self.maybe[row])
        if date is None:
            return _Answer("unknown", sure, "no_date", months=months)
        deadline = _months_later(date, months)
        extra: dict[str, Any] = {"deadline": deadline}
        behind = self._behind(row, "any")
        if sure >= self.least:
            return _Answer("clear", sure, "built", (), months, behind, extra)
        if self.last is None or self.last < deadline:
            return _Answer("clear", sure, "not_due", (), months, behind, extra)
        if maybe >= self.least:
            return _Answer("unknown", sure, "use", (), months, behind, extra)
        spans = [
            t for t, p in enumerate(self.built.periods) if p.first and p.last and p.last > date
        ]
        if not self._follow_on(date, deadline, spans):
            return _Answer("unknown", sure, "gap", (), months, (), extra)
        cause, names = self._sight(row, spans)
        answer = "unknown" if cause else "found"
        return _Answer(answer, sure, cause, names, months, (), extra)

    def _follow_on(self, date: dt.date, deadline: dt.date, spans: list[int]) -> bool:
        """Tell whether the periods follow on each other from a day to the deadline."""
        end, gap = date, dt.timedelta(days=self.rules.gap_days)
        for first, last in sorted(
            (p.first, p.last) for p in (self.built.periods[t] for t in spans) if p.first and p.last
        ):
            if first > end + gap:
                return False
            end = max(end, last)
        return end >= deadline

    def _outside(self, row: int) -> _Answer:
        least = round(self.rules.least_outside_m2 * 100)
        sure, maybe = (int(a[row]) for a in (self.built.outside_dm2, self.built.outside_maybe_dm2))
        behind = self.built.outside_patches[row]
        if sure >= least:
            return _Answer("found", sure, patches=behind)
        if maybe >= least:
            return _Answer("unknown", sure, "use", patches=behind)
        cause, names = self._sight(row, list(range(len(self.built.periods))))
        return _Answer("unknown" if cause else "clear", sure, cause, names, patches=behind)

    def _expired(self, row: int) -> _Answer:
        ends, area = self._date(row, "expires"), int(self.areas["late"][row])
        if bool(self.records[row]["renewed"]):
            return _Answer("clear", area, "renewed")
        if ends is None:
            return _Answer("unknown", area, "open_end")
        if area >= self.least:
            return _Answer("found", area, patches=self._behind(row, "late"))
        if self.areas["late_maybe"][row] >= self.least:
            return self._doubt(row, "late")
        if self.last is None or self.last <= ends:
            return _Answer("clear", area, "not_ended")
        later = [t for t, p in enumerate(self.built.periods) if p.last and p.last > ends]
        cause, names = self._sight(row, later)
        return _Answer("unknown" if cause else "clear", area, cause or "nothing", names)

    def finding(self, kind: Kind, row: int, answer: _Answer) -> dict[str, Any]:
        """Return a row of the findings, with a sentence in each language and its sources."""
        document = self.records[row]
        text: Text = getattr(self.rules.findings[kind], answer.answer)
        sentences = {}
        for x in LANGUAGES:
            words = (text.zh if x == "zh" else text.en).format(**self._values(row, answer, x))
            sentences[f"sentence_{x}"] = words[:1].upper() + words[1:]
        patches = [self.built.patches.iloc[p] for p in answer.patches[:PATCH_LIMIT]]
        names = [f"{self.built.periods[int(p['period'])].name}:{p['patch_id']}" for p in patches]
        more = [f"+{len(answer.patches) - PATCH_LIMIT}"] * (len(answer.patches) > PATCH_LIMIT)
        return {
            "role": document["role"],
            "key": document["key"],
            "number": document["number"] or "",
            "kind": kind,
            "months": answer.months,
            "answer": answer.answer,
            "area_dm2": answer.area_dm2,
            **sentences,
            "sources": "; ".join([f"{document['key']} {document['source']}", *names, *more]),
        }

    def _values(self, row: int, answer: _Answer, language: Language) -> dict[str, str]:
        document, rules = self.records[row], self.rules
        sure, outside = int(self.sure[row]), int(self.built.outside_dm2[row])
        first = self.first[row]
        between = f"{first[0]} – {first[1]}" if first else _none(language)
        assumed = _cause("assumed", (), language) if self._assumes(row) else ""
        return {
            "role": role_name(document["role"], language),
            "number": str(document["number"] or document["key"]),
            "date": _day(document["date"], language),
            "area": _area(int(document["area_dm2"]), language),
            "built": _area(sure, language),
            "share": f"{percent(sure, int(document['area_dm2']))} %",
            "first": between,
            "early": _area(int(self.areas["early"][row]), language),
            "months": str(answer.months),
            "deadline": _day(answer.extra.get("deadline"), language),
            "last": _day(self.last, language) + assumed,
            "outside": _area(outside, language),
            "outside_share": f"{percent(outside, outside + sure)} %",
            "adjoining": f"{rules.adjoining_m:g} m",
            "expires": _day(document["expires"], language),
            "late": _area(int(self.areas["late"][row]), language),
            "least": f"{rules.least_built_m2:.2f} m²",
            "least_outside": f"{rules.least_outside_m2:.2f} m²",
            "gap": str(rules.gap_days),
            "cause": _cause(answer.cause, answer.names, language),
        }

    def _assumes(self, row: int) -> bool:
        if self.rules.observed_if_untold == "ask" or not len(self.observed):
            return False
        return bool(np.isnan(self.observed[:, row]).any())


def _none(language: Language) -> str:
    return "无" if language == "zh" else "never"


def _cause(name: str, names: tuple[str, ...], language: Language) -> str:
    if not name:
        return ""
    joined = ("、" if language == "zh" else ", ").join(names)
    return CAUSES[name][language == "en"].format(names=joined)


def _day(day: Any, language: Language) -> str:
    if isinstance(day, dt.date):
        return day.isoformat()
    return "不详" if language == "zh" else "not known"


def _area(dm2: int, language: Language) -> str:
    return (
        f"{metres2(dm2)} m²（{mu(dm2)} 亩）"
        if language == "zh"
        else f"{metres2(dm2)} m² ({mu(dm2)} mu)"
    )


def _months_later(day: dt.date, months: int) -> dt.date:
    """Return the same day some months later, the last of the month where there is none."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(day.day, last))
