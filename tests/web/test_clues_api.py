"""Clues over HTTP: list, points, one clue, explanation, comments, exports, judging again."""

import io
import json

import openpyxl
import pdfplumber
import pytest

from tests.flows.minicounty import APPROVAL_NUMBER
from tests.web.conftest import FIRST, SECOND, ServedDesk

pytestmark = pytest.mark.slow

EN = {"lang": "en"}


def test_the_list_tells_what_the_points_and_the_single_clues_tell(desk: ServedDesk):
    client = desk.as_("city")
    told = client.get("/api/clues").json()
    assert told["total"] == len(told["items"]) > 3
    points = client.get("/api/clues/points").json()
    named = dict(zip(points["columns"], zip(*points["rows"], strict=True), strict=True))
    assert sorted(named["clue_no"]) == sorted(row["clue_no"] for row in told["items"])
    for row in told["items"]:
        one = client.get(f"/api/clues/{row['clue_no']}").json()
        assert {k: one[k] for k in row} == row
        assert one["geometry"]["type"] in ("Polygon", "MultiPolygon")
        assert sum(p["area_dm2"] for p in one["parcels"] if p["line"] == "land") == row["area_dm2"]
        assert {i["role"] for i in one["images"]["before"]} == {"before"}
        west, _, east, _ = one["images"]["change"]["bounds"]
        assert west <= row["lon"] <= east


def test_pages_follow_each_other_without_gap_or_double(desk: ServedDesk):
    client, seen, cursor = desk.as_("city"), [], ""
    while cursor is not None:
        query = {"limit": 2, "cursor": cursor, "order": "area"}
        page = client.get("/api/clues", params=query).json()
        seen += [(row["area_dm2"], row["clue_no"]) for row in page["items"]]
        cursor = page["next"]
    assert len(set(seen)) == len(seen) == page["total"]
    assert seen == sorted(seen, key=lambda one: (-one[0], one[1]))


def test_filters_choose_the_same_set_in_list_points_exports_and_cases(desk: ServedDesk):
    client = desk.as_("city")
    query = {"division": SECOND, "min_area": 1}
    listed = {row["clue_no"] for row in client.get("/api/clues", params=query).json()["items"]}
    assert listed
    assert all(number.startswith(SECOND) for number in listed)
    points = client.get("/api/clues/points", params=query).json()["rows"]
    assert {row[0] for row in points} == listed
    exported = client.get("/api/exports/geojson", params=query).json()["features"]
    assert {f["properties"]["clue_no"] for f in exported} == listed


def test_what_was_seen_is_not_sent_again(desk: ServedDesk):
    client = desk.as_("county")
    first = client.get("/api/clues")
    again = client.get("/api/clues", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    number = first.json()["items"][0]["clue_no"]
    client.post(f"/api/clues/{number}/comments", json={"text": "看过"})
    later = client.get("/api/clues", headers={"If-None-Match": first.headers["ETag"]})
    assert later.status_code == 200


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_explanation_tells_every_parcel(desk: ServedDesk, lang: str):
    (number, *_) = desk.clue_nos("county")
    told = desk.as_("county").get(f"/api/clues/{number}/explanation", params={"lang": lang}).json()
    assert told["parcels"]
    assert all(len(parcel["lines"]) > 3 for parcel in told["parcels"])


def test_a_comment_belongs_to_the_version_that_was_shown(desk: ServedDesk):
    client = desk.as_("county")
    number = desk.clue_nos("county")[1]
    assert (
        client.post(f"/api/clues/{number}/comments", json={"text": "已联系镇里"}).status_code == 201
    )
    one = client.get(f"/api/clues/{number}").json()
    assert [c["text"] for c in one["comments"]] == ["已联系镇里"]
    assert one["comments"][0]["patch_id"] == one["patch_id"]
    events = client.get(f"/api/clues/{number}/events").json()["items"]
    assert "comment.add" in [e["what"] for e in events]


def test_a_document_no_layer_holds_makes_a_clue_doubtful_at_once(desk: ServedDesk):
    client = desk.as_("county")
    number = desk.clue_nos("county", outcome="suspected")[0]
    form = {"number": "鲁政土字〔2023〕99号", "date": "2023-05-01"}
    told = client.post(f"/api/clues/{number}/rejudge", json=form)
    assert told.status_code == 200, told.text
    assert (told.json()["found"], told.json()["is_kept"]) == ("unknown", True)
    assert {f["outcome"] for f in told.json()["findings"]} == {"unresolved"}
    one = client.get(f"/api/clues/{number}").json()
    assert one["outcome"] == "unresolved"
    assert "99号" in one["parcels"][0]["reason_zh"]
    assert number not in desk.clue_nos("county", outcome="suspected")
    events = client.get(f"/api/clues/{number}/events").json()["items"]
    assert events[-1]["what"] == "clue.rejudge"
    assert events[-1]["after"]["paper"]["by"] == "county"
    exported = client.get("/api/exports/geojson", params={"q": number}).json()["features"]
    assert "99号" in json.dumps(exported, ensure_ascii=False)
    lines = client.get(f"/api/clues/{number}/explanation").json()["parcels"][0]["lines"]
    assert lines[0].endswith("结论：疑似违法 → 存疑")
    assert "99号" in lines[1]


def test_a_document_whose_outline_lies_elsewhere_changes_nothing(desk: ServedDesk):
    client = desk.as_("county")
    number = desk.clue_nos("county", outcome="suspected")[-1]
    told = client.post(f"/api/clues/{number}/rejudge", json={"number": APPROVAL_NUMBER}).json()
    assert told["found"] == "elsewhere"
    assert told["differences"] == []
    assert "米" in told["told_zh"]
    assert client.get(f"/api/clues/{number}").json()["outcome"] == "suspected"


def test_exports_hold_exactly_what_is_chosen_in_every_format(desk: ServedDesk):
    client = desk.as_("city")
    formats = client.get("/api/vocabulary").json()["formats"]
    for name in set(formats) - {"pdf"}:
        told = client.get(f"/api/exports/{name}", params={"division": FIRST, **EN})
        assert told.status_code == 200, (name, told.text)
        assert "attachment" in told.headers["content-disposition"]
    both = client.get("/api/exports/xlsx", params={"lang": "zh"})
    book = openpyxl.load_workbook(io.BytesIO(both.content))
    cells = {str(c.value) for sheet in book for row in sheet.iter_rows() for c in row}
    assert set(desk.clue_nos("city")) <= cells
    assert not list((desk.folder / "register-desk" / "cache" / "exports").iterdir())
    none = client.get("/api/exports/xlsx", params={"q": "nothing-of-that-name"})
    assert none.status_code == 404
    assert client.get("/api/exports/exe").status_code == 404


def test_a_pdf_holds_a_page_for_each_clue_chosen(desk: ServedDesk):
    told = desk.as_("city").get("/api/exports/pdf")
    assert told.headers["content-type"] == "application/pdf"
    with pdfplumber.open(io.BytesIO(told.content)) as sheets:
        pages = [page.extract_text() for page in sheets.pages]
    assert all(no in text for no, text in zip(desk.clue_nos("city"), pages, strict=True))


def test_more_evidence_sheets_than_a_book_holds_are_refused(
    desk: ServedDesk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("flows.desk.sheets.MOST_SHEETS", 2)
    told = desk.as_("city").get("/api/exports/pdf", params={"division": FIRST})
    assert told.status_code == 422
    assert "2 evidence sheets at most, and 3" in told.json()["detail"]
    assert not list((desk.folder / "register-desk" / "cache" / "exports").iterdir())


def test_words_of_every_code_are_told_in_both_languages(desk: ServedDesk):
    words = desk.as_("county").get("/api/vocabulary").json()
    for kind in ("states", "actions", "verdicts", "outcomes", "lines", "roles", "rules", "fates"):
        assert words[kind], kind
        assert all(w["zh"] and w["en"] for w in words[kind].values()), kind
    rows = desk.as_("county").get("/api/clues").json()["items"]
    assert {row["rule"] for row in rows} <= set(words["rules"])


def test_clues_go_to_people_who_work_on_cases_here(desk: ServedDesk):
    client, numbers = desk.as_("county"), desk.clue_nos("county", state="suspected")[-1:]
    before = desk.store.counts()
    for name in ("inspecter", "other", "supervisor", "citizen"):
        told = client.post("/api/dispatch", json={"clue_nos": numbers, "assigned_to": name})
        assert told.status_code == 422, name
        assert name in told.json()["detail_en"]
    batch = {"year": 2026, "number": 78, "issue_date": "2026-02-01", "due_date": "2026-01-31"}
    told = client.post("/api/dispatch", json={"clue_nos": numbers, "batch": batch})
    assert told.status_code == 422
    assert desk.store.counts() == before
    given = {"clue_nos": numbers, "assigned_to": "inspector"}
    (case,) = client.post("/api/dispatch", json=given).json()["cases"].values()
    path = f"/api/cases/{case}/assign"
    for name, code in (("other", 422), ("", 200)):
        version = client.get(f"/api/cases/{case}").json()["version"]
        told = client.post(path, json={"assigned_to": name}, headers={"If-Match": str(version)})
        assert told.status_code == code, told.text
