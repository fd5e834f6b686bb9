"""Which rows of a source are read, and what stands where a row tells nothing."""

import datetime as dt
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from clues.layers import build_onemap
from configs.errors import LayerError
from configs.layers import LayersFile


@pytest.fixture
def annexations(tmp_path: Path) -> Path:
    rows = {
        "ORDINANCE": ["4504", "0", "0"],
        "RESOLUTION": ["0", "21156", None],
        "NAME": ["Moreland No_1", "Moreland No_22", "Boynton No_62"],
        "BEGINS": ["1954-11-26", "1961-12-06", "1980-08-01"],
        "ENDS": [None, "1979-07-01", None],
        "STATUS": ["in", "out", None],
    }
    boxes = [shapely.box(x, 0, x + 50, 50) for x in (500_000, 500_100, 500_200)]
    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame(rows, geometry=boxes, crs="EPSG:32610").to_file(path)
    return path


def read(source: Path, **more: object):
    layer = {
        "role": "temporary",
        "source": source,
        "fields": {
            "number": ["ORDINANCE", "RESOLUTION", "NAME"],
            "valid_from": "BEGINS",
            "valid_to": "ENDS",
        },
        "nothing": {"number": "0"},
        "defaults": {"valid_to": "indefinite"},
        **more,
    }
    file = LayersFile.model_validate({"layers": [layer]})
    return build_onemap(file, crs="EPSG:32610").layers["temporary"]


def test_the_first_field_that_tells_a_value_counts_row_by_row(annexations: Path):
    table = read(annexations).table.sort_values("row")
    assert table["number"].tolist() == ["4504", "21156", "Boynton No_62"]


def test_words_that_tell_nothing_are_no_value(annexations: Path):
    table = read(annexations, fields={"number": "ORDINANCE", "valid_to": "ENDS"}).table
    assert table.sort_values("row")["number"].tolist() == ["4504", None, None]


def test_defaults_stand_only_where_a_row_tells_nothing(annexations: Path):
    ends = read(annexations).table.sort_values("row")["valid_to"].tolist()
    assert ends == [dt.date(9999, 12, 31), dt.date(1979, 7, 1), dt.date(9999, 12, 31)]


@pytest.mark.parametrize(
    ("values", "rows"), [(["in"], [1]), (["in", "out"], [1, 2]), (["out", ""], [2, 3])]
)
def test_rows_are_chosen_by_value_and_keep_their_numbers(
    annexations: Path, values: list[str], rows: list[int]
):
    layer = read(annexations, where={"STATUS": values})
    assert sorted(layer.table["row"]) == rows


def test_a_choice_that_names_no_value_is_refused(annexations: Path):
    with pytest.raises(LayerError, match="no row has 'inside' in STATUS") as caught:
        read(annexations, where={"STATUS": ["in", "inside"]})
    assert "there are: , in, out" in caught.value.fix
    with pytest.raises(LayerError, match="STATE"):
        read(annexations, where={"STATE": ["in"]})


def test_a_choice_changes_the_version_of_the_layer(annexations: Path):
    assert read(annexations).version != read(annexations, where={"STATUS": ["in"]}).version
