"""What lies in the folder in which the commands of a page are typed: small, of the kind named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl

from flows.assessing import against_truth
from flows.civilday import civil_day
from flows.demo.truth import read_truth
from flows.desk.adding import add_run
from flows.desk.place import desk_place
from flows.field.building import FieldChoice, build_field_package
from tests.docs.conftest import WorkedCounty
from tests.docs.pageblocks import ROOT, blocks_of
from tests.flows.minicounty import NEW_BUILDINGS, SIZE, box, paint, write_image
from tests.flows.test_change_models import village, write_pairs
from tests.flows.threecounties import CODES, NAMES, build_three, write_run
from tests.models.onnxbytes import convolution

RUNS = ("county-1a2b3c4d", "demo-s1-d2-8ad2c228", "county-2025-1a2b3c4d", "county-2025Q3")
"""Names that pages give to a finished run; a run is known by the name it has."""


def lay_out(folder: Path, worked: WorkedCounty) -> None:
    """Lay out what most pages name: a county with layers and config, its run and its ledger."""
    shutil.copytree(worked.county.folder, folder, dirs_exist_ok=True)
    shutil.copy(folder / worked.county.config.name, folder / "county.yaml")
    shutil.copytree(worked.run, folder / "runs" / worked.run.name)
    shutil.copy(worked.run / "clues.xlsx", folder / "clues.xlsx")


def run_of(folder: Path) -> Path:
    """Return the run that was laid out."""
    return min((folder / "runs").glob("demo-*"))


def clue_numbers(folder: Path) -> list[str]:
    """Return the numbers of the clues of the run."""
    text = (run_of(folder) / "clues.geojson").read_text(encoding="utf-8")
    return [str(f["properties"]["clue_no"]) for f in json.loads(text)["features"]]


def first_yaml(page: str) -> str:
    """Return the first YAML block of a page."""
    return next(b.text for b in blocks_of(ROOT / page) if b.language == "yaml")


def deliveries(folder: Path) -> None:
    """Images of two days in folders of deliveries, a camera's, and the areas that are asked for."""
    (folder / "sensors").mkdir()
    (folder / "sensors" / "our_cam.yaml").write_text(
        first_yaml("docs/how-to/catalogue.md"), encoding="utf-8"
    )
    (folder / "deliveries").mkdir()
    cover = np.zeros((SIZE, SIZE), np.uint8)
    for day in ("20240905", "20250418", "20250906"):
        for row, col, height, width in NEW_BUILDINGS if day == "20250906" else ():
            cover[row : row + height, col : col + width] = 2
        name = f"OURCAM_{day}.tif"
        write_image(folder / "deliveries" / name, paint(cover, int(day) % 7) * 10_000)
        shutil.copy(folder / "deliveries" / name, folder)
    area = gpd.GeoDataFrame(
        {"XZQDM": ["370305"]}, geometry=[box(10, 10, SIZE - 20, SIZE - 20)], crs="EPSG:32650"
    )
    for name in ("county.gpkg", "counties.gpkg"):
        area.to_file(folder / name, index=False)


def field_cards(folder: Path) -> None:
    """A package of the field, handed in as it was given out."""
    run = run_of(folder)
    choice = FieldChoice(clues=tuple(clue_numbers(folder)[:1]))
    made = build_field_package(run, choice, folder / "made", day=civil_day(run))
    shutil.copy(made.path, folder / "handed-in.zip")
    shutil.unpack_archive(made.path, folder / "handed-in")


def filled_ledger(folder: Path) -> None:
    """A ledger in which every clue has a verdict, by turns."""
    book = openpyxl.load_workbook(folder / "clues.xlsx")
    sheet = book.worksheets[0]
    heads = [c.value for c in sheet[2]]
    numbers = clue_numbers(folder)
    for row in sheet.iter_rows(min_row=3):
        cells = dict(zip(heads, row, strict=False))
        if cells["线索编号"].value in numbers:
            at = numbers.index(cells["线索编号"].value)
            cells["核实认定意见"].value = ("合法", "伪变化")[at % 2]
            cells["核查人"].value = "王五"
    book.save(folder / "county.xlsx")
    shutil.copy(folder / "county.xlsx", folder / "clues.xlsx")


def new_approvals(folder: Path) -> None:
    """Approvals that came later, as the layer of an update."""
    table = gpd.read_file(folder / "onemap" / "JSYDSP.shp", encoding="GBK").iloc[:1]
    table.assign(DKBH="NEW-1", PWH="新批〔2025〕1号").to_file(
        folder / "new_approvals.gpkg", index=False
    )


def villages(folder: Path) -> None:
    """Labelled places, a pair of images like theirs, and a net."""
    pairs = [village(folder, seed) for seed in range(4)]
    write_pairs(folder, pairs)
    for date in ("before", "after"):
        shutil.copy(folder / str(pairs[0][date]), folder / f"{date}.tif")
    weights = np.full((1, 8, 3, 3), 0.1)
    (folder / "unet.onnx").write_bytes(convolution(weights, [0.0], ("n", 8, 32, 32)))


def two_periods(folder: Path) -> None:
    """The run of the county under the names of two years."""
    for name in ("2024-1a2b3c4d", "2025-5e6f7a8b"):
        shutil.copytree(run_of(folder), folder / "runs" / name)


def own_rules(folder: Path) -> None:
    """The rule set that the page shows."""
    text = first_yaml("docs/how-to/rules.md")
    (folder / "our-county.yaml").write_text(text, encoding="utf-8")


def parcels(folder: Path) -> None:
    """Parcels that somebody applies for."""
    land = gpd.read_file(folder / "onemap" / "DLTB.gpkg").iloc[:2]
    table = gpd.GeoDataFrame(
        {"BH": ["1", "2"], "XMMC": ["甲", "乙"], "NYT": ["工业", "工业"]},
        geometry=list(land.geometry),
        crs=land.crs,
    )
    table.to_file(folder / "parcels.shp", index=False, encoding="GBK")


def city_and_county(folder: Path) -> None:
    """The config of a city of three counties and that of one of them."""
    build_three(folder)
    write_run(folder, "city", f"{CODES[0][:4]}00", "示例市")
    write_run(folder, "cixian", CODES[0], NAMES[0])


def assessed(folder: Path) -> None:
    """The run of the quarter before, and what an assessment says of this one."""
    run = run_of(folder)
    shutil.copytree(run, folder / "runs" / "county-2025Q2")
    read_truth(folder / "truth.gpkg")[0].to_file(folder / "changes.gpkg", index=False)
    against_truth(
        run / "change.tif", folder / "changes.gpkg", folder / "assessment", share=0.5, pixel_m=None
    )


def desk_store(folder: Path) -> None:
    """A desk with the run in it."""
    add_run(run_of(folder), desk_place(str(folder / "county.sqlite")), by="anna", pictures=False)


PREPARED: dict[str, tuple[Callable[[Path], None], ...]] = {
    "docs/how-to/catalogue.md": (deliveries,),
    "docs/how-to/field.md": (field_cards,),
    "docs/how-to/ledger.md": (filled_ledger,),
    "docs/how-to/layers.md": (new_approvals,),
    "docs/how-to/models.md": (villages,),
    "docs/how-to/packages.md": (city_and_county,),
    "docs/how-to/retraining.md": (filled_ledger,),
    "docs/how-to/rules.md": (own_rules,),
    "docs/how-to/vetting.md": (parcels,),
    "docs/how-to/watching.md": (two_periods,),
    "docs/how-to/register.md": (desk_store,),
    "docs/how-to/report.md": (assessed,),
    "docs/how-to/restoring.md": (desk_store,),
    "docs/upgrading.md": (desk_store,),
}
"""What a page needs besides the county and its run."""
