"""County borders as walls: a pixel, a lead and an answer belong to one county."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from configs.errors import ConfigError, InputError
from configs.run import RunConfig
from flows.counties import Counties, counties_of
from tests.flows.minicounty import CRS, box, write_config
from tests.flows.threecounties import CODES, write_divisions
from tiles.grid import AnalysisGrid, Extent

GRID = AnalysisGrid(CRS, 10.0, 10.0)
EXTENT = Extent(-400256, 50000, -400064, 50192)


def counties(folder: Path, code: str, **area: object) -> Counties | None:
    config = write_config(folder, area={"county_code": code, "by_county": True} | area)
    write_divisions(folder)
    return counties_of(RunConfig.load(config), CRS)


@pytest.mark.parametrize(
    ("code", "worked"), [("370305", 1), ("370300", 2), ("370000", 3), ("370306", 1)]
)
def test_a_code_stands_for_one_county_or_for_all_in_it(tmp_path, code, worked):
    assert len(counties(tmp_path, code).worked) == worked


def test_every_pixel_is_of_one_county_whichever_are_worked(tmp_path):
    together = dict(counties(tmp_path, "370000").masks(GRID, EXTENT))
    assert sorted(together) == sorted(CODES)
    assert (sum(m.astype(int) for m in together.values()) == 1).all()
    part = Extent(-400200, 50100, -400180, 50150)
    for code in CODES:
        alone = dict(counties(tmp_path, code).masks(GRID, part))
        assert set(alone) <= {code}
        if code in alone:
            np.testing.assert_array_equal(alone[code], together[code][part.slices_in(EXTENT)])


def test_a_lead_is_of_the_county_it_lies_in_or_nearest_to(tmp_path):
    found = counties(tmp_path, "370421")
    places = np.array([box(10, 10, 1, 1), box(10, 190, 2, 2), box(150, 3, 1, 1)], dtype=object)
    beyond = shapely.transform(places[2:], lambda xy: xy - [5000.0, 0.0])
    homes = found.homes(np.concatenate([places, beyond]))
    assert homes.tolist() == ["370305", "370306", "370421", "370421"]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="does not hold county 110000"):
        counties(tmp_path, "110000")
    gpd.GeoDataFrame({"XZQDM": ["37"]}, geometry=[box(0, 0, 9, 9)], crs=CRS).to_file(
        tmp_path / "XZQ.gpkg", index=False
    )
    config = write_config(tmp_path, area={"county_code": "370305", "by_county": True})
    with pytest.raises(InputError, match="role division"):
        counties_of(RunConfig.load(config), CRS)
    write_divisions(tmp_path, codes=("37", "370306", "370421"))
    with pytest.raises(InputError, match="code '37'"):
        counties_of(RunConfig.load(config), CRS)
    config = write_config(tmp_path, area={"by_county": True}, layers=None)
    with pytest.raises(ConfigError, match="division layer"):
        counties_of(RunConfig.load(config), CRS)
