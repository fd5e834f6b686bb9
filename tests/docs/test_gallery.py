"""The notebooks of the gallery run from the top, and their pages show the same cells."""

import json
from pathlib import Path

import pytest

from tests.test_reference import script

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "gallery"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST_PICTURE = 150_000


def sources(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells]


def test_there_is_a_gallery():
    assert len(NOTEBOOKS) >= 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_without_what_it_prints(path: Path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_its_page_shows_the_cells_in_their_order(path: Path):
    page, at = path.with_suffix(".md").read_text(encoding="utf-8"), 0
    for source in sources(path):
        found = page.find(source, at)
        assert found >= at, f"run make gallery: {source[:60]!r} is not on the page"
        at = found + len(source)
    pictures = (FOLDER.parent / "images").glob(f"{path.stem}-*.png")
    assert all(picture.stat().st_size <= LARGEST_PICTURE for picture in pictures)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path: Path):
    pytest.importorskip("nbclient", reason="the notebooks need nbclient: pip install '.[test]'")
    cells = script("gallery").worked(path)
    assert any(cell.cell_type == "code" and cell.outputs for cell in cells)
