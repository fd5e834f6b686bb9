"""The report in a browser: nothing overlaps or leaves the page, every text can be read."""

import shutil
from pathlib import Path

import docx
import pytest

from clues.outputs.drawing import contrast
from clues.outputs.evidence import write_sheets
from clues.outputs.report import report_document, write_report
from clues.outputs.reportbuilding import build_report
from clues.outputs.reportmodel import QualityFacts
from clues.outputs.sheet import evidence_sheets

CHROMIUM = shutil.which("chromium")
A4_PX = 794

BOXES = """() => {
  const shown = e => e.getClientRects().length && getComputedStyle(e).visibility !== "hidden";
  const out = {outside: [], overlaps: [], inks: [], width: document.documentElement.scrollWidth};
  const wide = document.documentElement.clientWidth, boxes = [];
  const solid = c => c !== "rgba(0, 0, 0, 0)";
  const texts = "h1,h2,h3,p,li,a,td,th,caption,figcaption,svg text,.ends span";
  for (const e of document.querySelectorAll(texts)) {
    if (!shown(e) || !e.textContent.trim()) continue;
    const r = document.createRange(); r.selectNodeContents(e);
    const b = e.tagName === "text" ? e.getBoundingClientRect() : r.getBoundingClientRect();
    const inside = e.closest(".scroll");
    if (!inside && (b.left < -0.5 || b.right > wide + 0.5)) out.outside.push(e.textContent);
    boxes.push([e, b]);
    const back = x => getComputedStyle(x).backgroundColor, style = getComputedStyle(e);
    let below = e;
    while (below && !solid(back(below))) below = below.parentElement;
    const drawn = e.tagName === "text";
    const ground = drawn || !below ? "rgb(255, 255, 255)" : back(below);
    out.inks.push([drawn ? style.fill : style.color, ground, e.textContent.slice(0, 40)]);
  }
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [a, p] = boxes[i], [b, q] = boxes[j];
    if (a.contains(b) || b.contains(a)) continue;
    const x = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (x > 1 && y > 2) out.overlaps.push(a.textContent + " | " + b.textContent);
  }
  return out;
}"""


def colour(text: str) -> tuple[float, float, float]:
    parts = text[text.index("(") + 1 : -1].split(",")
    red, green, blue = (float(p) / 255 for p in parts[:3])
    return red, green, blue


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (make ci-deps)")
    with sync.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.desk
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_holds_its_texts_at_every_width(tables, pictures, browser, tmp_path, language):
    path = tmp_path / "report.html"
    overview = pictures(tuple(tables.patches.total_bounds))[1]
    layers = [{"role": "approval", "name": "a.shp", "version": "1", "features": 1, "rejects": 0}]
    quality = QualityFacts(layers=[layers[0] | {"complete": True}], notes=["auto: k = 3.0"])
    model = build_report(tables, quality, pictures, overview, previous=tables)
    write_report(report_document(model, language, "annual"), path)
    page = browser.new_page()
    told, asked = [], []
    page.on("console", lambda m: told.append(m.text))
    page.on("pageerror", lambda e: told.append(str(e)))
    page.on("request", lambda r: asked.append(r.url))
    for width, media in ((390, "screen"), (1280, "screen"), (A4_PX, "print")):
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(media=media)
        page.goto(path.as_uri())
        page.evaluate("document.fonts.ready")
        found = page.evaluate(BOXES)
        assert found["width"] <= width
        assert found["outside"] == []
        assert found["overlaps"] == []
        for ink, ground, text in found["inks"]:
            assert contrast(colour(ink), colour(ground)) >= 4.5, text
    assert told == []
    assert {u.partition(":")[0] for u in asked} <= {"file", "data"}
    page.emulate_media(media="screen")
    page.goto(path.as_uri())
    slider = page.locator("input[type=range]").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "51"
    assert page.locator(".stack").first.get_attribute("style") == "--at: 51%;"
    assert page.locator(".panes").first.is_hidden()
    page.emulate_media(media="print")
    assert page.locator(".panes").first.is_visible()
    assert page.locator(".swipe").first.is_hidden()


@pytest.mark.desk
def test_a_word_processor_opens_the_document(tables, pictures, tmp_path: Path):
    import subprocess

    import pdfplumber

    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed (make ci-deps)")
    path = tmp_path / "report.docx"
    write_report(report_document(build_report(tables, QualityFacts(), pictures), "zh"), path)
    assert docx.Document(path).core_properties.title.startswith("示例县")
    home = f"-env:UserInstallation=file://{tmp_path}/office"
    command = ["soffice", "--headless", home, "--convert-to", "pdf", "--outdir", tmp_path, path]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    with pdfplumber.open(tmp_path / "report.pdf") as pdf:
        assert 3 <= len(pdf.pages) <= 12
        for page in pdf.pages:
            assert all(c["x1"] <= page.width for c in page.chars)


@pytest.mark.desk
def test_a_browser_shows_every_letter_of_a_sheet_in_its_own_font(
    tables, pictures, browser, tmp_path
):
    sheet = evidence_sheets(tables)[1]
    _, path = next(iter(write_sheets([sheet], tmp_path, pictures)))
    page = browser.new_page()
    page.goto(path.as_uri())
    page.evaluate("document.fonts.ready")
    devtools = page.context.new_cdp_session(page)
    for domain in ("DOM", "CSS"):
        devtools.send(f"{domain}.enable")
    root = devtools.send("DOM.getDocument", {"depth": 1})["root"]["nodeId"]
    texts = devtools.send("DOM.querySelectorAll", {"nodeId": root, "selector": "body *"})
    fonts = set()
    for node in texts["nodeIds"]:
        told = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})
        fonts |= {(f["familyName"], f["isCustomFont"]) for f in told["fonts"]}
    assert fonts == {("Noto Sans SC", True)}
    page.close()
