"""A look at layers before a run finds what reading them finds."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from clues.layerglance import AwayLayer, LayerGlance, Place, glance_at, glance_at_file
from clues.layers import build_onemap
from configs.errors import LayerError
from configs.layers import LayersFile, LayerSpec

CRS = "EPSG:4547"
WEST, SOUTH = 500_000.0, 4_000_000.0


def square(at: int) -> shapely.Polygon:
    """Return a field of a hectare; fields of different numbers do not meet."""
    return shapely.box(WEST + 200 * at, SOUTH, WEST + 200 * at + 100, SOUTH + 100)


def bow(at: int) -> shapely.Polygon:
    """Return an outline that crosses itself."""
    x, y = WEST + 200 * at, SOUTH
    return shapely.Polygon([(x, y), (x + 90, y + 90), (x + 90, y), (x, y + 90)])


def write(folder: Path, name: str, shapes: list[shapely.Geometry | None], **columns: object) -> str:
    frame = gpd.GeoDataFrame({k: list(v) for k, v in columns.items()}, geometry=shapes, crs=CRS)
    frame.to_file(folder / name, index=False)
    return name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write approvals of two sources with every kind of fault, and a land use without any."""
    days = ("2024-01-02", "soon", "2024-03-04", "2024-05-06")
    write(tmp_path, "a.gpkg", [square(0), square(1), None, bow(2)], PWH="abcd", PZRQ=days)
    write(tmp_path, "b.gpkg", [square(3), square(4)], PWH="ef", PZRQ=days[:2], KIND="xy")
    write(tmp_path, "landuse.gpkg", [square(n) for n in range(3)], DLBM=("0103", "0301", "0701"))
    layers = tmp_path / "LAYERS.yaml"
    layers.write_text(
        """
version: 1
layers:
  - {role: landuse, source: landuse.gpkg}
  - {role: approval, source: a.gpkg}
  - {role: approval, source: b.gpkg, where: {KIND: [x]}}
""",
        encoding="utf-8",
    )
    return layers


def test_a_glance_counts_what_reading_reports(file: Path):
    found = glance_at_file(file)
    assert found == [LayerGlance("approval", 4, 3), LayerGlance("landuse", 3, 0)]
    onemap = build_onemap(LayersFile.load(file), crs=CRS)
    for one in found:
        layer = onemap.layers[one.role]
        assert (one.rows, one.problems) == (len(layer.table), len(layer.rejects))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("source: a.gpkg", "source: none.gpkg"),
        ("source: a.gpkg", "source: a.gpkg, fields: {date: NODAY}"),
        ("source: a.gpkg", "source: a.gpkg, crs: 'EPSG:4548'"),
        ("KIND: [x]", "KIND: [z]"),
        ("KIND: [x]", "SORT: [x]"),
        ("source: landuse.gpkg", "source: landuse.gpkg, layer: other"),
    ],
)
def test_what_reading_refuses_a_glance_refuses_alike(file: Path, old: str, new: str):
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(LayerError) as read:
        build_onemap(LayersFile.load(file), crs=CRS)
    with pytest.raises(LayerError) as seen:
        glance_at_file(file)
    assert str(seen.value) == str(read.value)


def test_a_role_is_looked_at_with_all_its_sources(file: Path):
    specs = LayersFile.load(file).layers
    assert glance_at(specs[1:2]) == LayerGlance("approval", 3, 3)
    assert glance_at(specs[2:]) == LayerGlance("approval", 1, 0)


def test_a_source_of_another_place_is_told_with_its_distance(file: Path):
    here = Place((500_000.0, 3_999_000.0, 501_000.0, 4_000_050.0), CRS)
    assert not any(one.away for one in glance_at_file(file, here))
    path = file.parent
    box = gpd.GeoSeries([shapely.box(*here.bounds)], crs=CRS).to_crs("EPSG:4326").total_bounds
    assert not any(one.away for one in glance_at_file(file, Place(tuple(box), "EPSG:4326")))
    north = Place((500_000.0, 4_099_000.0, 501_000.0, 4_101_000.0), CRS)
    approval, landuse = glance_at_file(file, north)
    assert approval.away == (
        AwayLayer("a.gpkg", str(path / "a.gpkg"), 3, 100),
        AwayLayer("b.gpkg", str(path / "b.gpkg"), 1, 100),
    )
    assert landuse.away == (AwayLayer("landuse.gpkg", str(path / "landuse.gpkg"), 3, 100),)


def test_degrees_that_are_swapped_lie_elsewhere(tmp_path: Path):
    """A CRS of the whole world allows x 43.8, y 87.6: only the place of the run tells."""
    box = shapely.box(43.8, 87.6, 43.9, 87.7)
    gpd.GeoDataFrame({"DLBM": ["0103"]}, geometry=[box], crs="EPSG:4326").to_file(
        tmp_path / "a.gpkg"
    )
    spec = LayerSpec(role="landuse", source=tmp_path / "a.gpkg")
    urumqi = Place((87.6, 43.8, 87.7, 43.9), "EPSG:4490")
    (away,) = glance_at([spec], urumqi).away
    assert away.km > 4000
