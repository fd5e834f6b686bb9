"""The parts of the page that stand in files: what is vendored, both languages, no other host."""

import hashlib
import re
from pathlib import Path

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"
VENDOR = STATIC / "vendor"


def test_vendored_files_are_those_of_the_named_versions():
    lines = (VENDOR / "README.md").read_text(encoding="utf-8").split("\n")
    named = {
        m[1]: m[2] for line in lines if (m := re.match(r"\| (\S+/\S+) \| ([0-9a-f]{64}) ", line))
    }
    files = {p.relative_to(VENDOR).as_posix(): p for p in VENDOR.rglob("*") if p.is_file()}
    del files["README.md"]
    found = {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in files.items()}
    assert found == named


OWN = sorted(
    p
    for p in STATIC.rglob("*")
    if p.suffix in (".js", ".css", ".html", ".svg") and VENDOR not in p.parents
)
TEXT = re.compile(r'^  "([\w.]+)": "(.*)",$', re.MULTILINE)


def texts(language: str) -> dict[str, str]:
    paths = sorted((STATIC / "js" / "texts").glob(f"{language}*.js"))
    found = [pair for p in paths for pair in TEXT.findall(p.read_text(encoding="utf-8"))]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_both_languages_say_all_that_the_page_asks_for():
    zh, en = texts("zh"), texts("en")
    assert list(zh) == list(en)
    assert {k: sorted(re.findall(r"\{\w+\}", v)) for k, v in zh.items()} == {
        k: sorted(re.findall(r"\{\w+\}", v)) for k, v in en.items()
    }
    code = "".join(p.read_text(encoding="utf-8") for p in OWN if p.suffix == ".js")
    asked = set(re.findall(r'\bt\((?:[^()"`]*\? )?"([\w.]+)"', code))
    assert asked
    assert asked <= zh.keys()


def test_each_language_keeps_to_itself():
    names = {"tuban"}
    latin = {
        w
        for v in texts("zh").values()
        for w in re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", "", v))
    }
    assert latin <= names
    assert not re.findall(r"[\u3000-\u9fff\uff00-\uffef]", "".join(texts("en").values()))


def test_page_names_no_other_host_and_writes_no_markup():
    for path in OWN:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z0-9-]+\.[a-z]{2,}/", text), path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text
        )
        assert text.count("\n") <= 350, path
