"""Sources that need more than a driver: coordinate TXT, databases, local and old systems."""

import datetime as dt
import json

import geopandas
import numpy as np
import pyproj
import pytest
import shapely
from pydantic import ValidationError

from clues.coordinatetext import read_coordinate_text
from clues.layers import build_onemap, layers_fingerprint, read_onemap
from clues.localcrs import accuracy
from clues.sources import open_source
from configs.errors import LayerError
from configs.layers import LayersFile, LayerSpec, LocalCrs
from tests.clues.test_oracle import check, judged, write_county
from tests.database import postgis_server

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0
HEAD = """[属性描述]
格式版本号=1.01版本
数据产生单位=示例县自然资源局
坐标系=2000国家大地坐标系
几度分带=3
投影类型=高斯克吕格
计量单位=米
带号=38
精度=0.01
转换参数=,,,,,,
[地块坐标]
"""


def record(number, rings, *, name="厂房(一期)", head=HEAD, east=X):
    """Return a coordinate TXT of one parcel; rings hold (east, north) offsets, closed."""
    points = sum(len(r) for r in rings)
    lines = [f"{points},0.36,{number},{name},面,,工业用地,0601,@"]
    for k, ring in enumerate(rings, start=1):
        lines += [f"J{i},{k},{Y + y:.3f},{east + x:.3f}" for i, (x, y) in enumerate(ring, 1)]
    return head + "\n".join(lines) + "\n"


def ring(x0, y0, x1, y1):
    return [(x0, y0), (x0, y1), (x1, y1), (x1, y0), (x0, y0)]


@pytest.mark.parametrize("encoding", ["gbk", "utf-8", "utf-8-sig"])
def test_coordinate_text(tmp_path, encoding):
    path = tmp_path / "a.txt"
    holes = [ring(0, 0, 60, 60), ring(10, 10, 20, 20), ring(100, 0, 110, 10)]
    path.write_bytes(record("A2", holes).encode(encoding))
    spec = LayerSpec(
        role="approval", source=path, constants={"date": "2025-01-10", "number": "冀政批1号"}
    )
    row = build_onemap(LayersFile(layers=[spec]), crs=CRS).layers["approval"].table.iloc[0]
    assert (row["key"], row["number"], row["date"]) == (
        "approval:A2",
        "冀政批1号",
        dt.date(2025, 1, 10),
    )
    assert (row["area_m2"], row["use"]) == (3600.0, "industry")
    assert row.geometry.area == pytest.approx(3600 - 100 + 100)
    assert len(row.geometry.geoms) == 2


def test_the_head_tells_the_zone_and_the_eastings_whether_they_have_it(tmp_path):
    def crs(head, east):
        path = tmp_path / "a.txt"
        path.write_text(record("A", [ring(0, 0, 10, 10)], head=head, east=east), "utf-8")
        return read_coordinate_text(path, None, str(path)).crs

    assert crs(HEAD, X) == "EPSG:4526"
    assert crs(HEAD, 500_000.0) == "EPSG:4547"
    six = HEAD.replace("几度分带=3", "几度分带=6").replace("带号=38", "带号=19")
    assert crs(six, 500_000.0) == "EPSG:4508"
    assert crs(HEAD.replace("2000国家大地坐标系", "1980西安坐标系"), X) is None
    assert crs(HEAD.replace("带号=38", "带号="), X) is None
    path = tmp_path / "a.txt"
    with pytest.raises(LayerError, match="does not say its CRS") as error:
        open_source(path)
    assert "EPSG:4526" in error.value.fix
    assert open_source(path, crs=CRS).crs == CRS


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("J2,1,4060010.000", "J2,1,north"), r"no boundary point[\s\S]*line 14"),
        (("J2,1,4060010.000,38500000.000\n", ""), r"tells 5 points, 4 follow[\s\S]*line 12"),
        (("4060010.000,38500010.000", "500010.000,4060010.000"), "axes are swapped"),
        (("[地块坐标]\n", "[地块坐标]\nrubbish\n"), "neither head, record nor point"),
        (("@", ""), "neither head, record nor point"),
    ],
)
def test_broken_coordinate_text_names_the_line(tmp_path, change, match):
    text = record("A", [ring(0, 0, 10, 10)])
    assert change[0] in text
    path = tmp_path / "a.txt"
    path.write_text(text.replace(*change), "utf-8")
    with pytest.raises(LayerError, match=match):
        open_source(path)


def test_the_worked_county_with_approvals_as_coordinate_text(oracle_dir, tmp_path):
    expected = json.loads((oracle_dir / "expected.json").read_text(encoding="utf-8"))
    path = write_county(oracle_dir, tmp_path)
    text = path.read_text(encoding="utf-8")
    sources = []
    for number, day, box in (
        ("A1", "2024-11-20", (50, 50, 150, 150)),
        ("A2", "2025-01-10", (200, 50, 260, 110)),
    ):
        (tmp_path / f"{number}.txt").write_text(record(number, [ring(*box)]), "gbk")
        sources.append(
            f"  - {{role: approval, source: {number}.txt, complete: true,"
            f" constants: {{date: '{day}', number: {number}}}, units: {{area_m2: ha}}}}"
        )
    kept = [line for line in text.splitlines() if "role: approval" not in line]
    path.write_text("\n".join([*kept, *sources]) + "\n", encoding="utf-8")
    check(judged(path), expected, tolerance_dm2=1)


PARAMETERS = (-13.0, -107.0, -45.0, 0.5, 0.4, -1.2, 2.5)
PROJECTION = "+proj=tmerc +lat_0=0 +lon_0=114.5 +x_0=50000 +y_0=-4000000 +ellps=krass +units=m"


def local_of(lonlat):
    """Return local coordinates of CGCS2000 degrees, by the inverse of the seven parameters."""
    names = ("x", "y", "z", "rx", "ry", "rz", "s")
    shift = " ".join(f"+{n}={v}" for n, v in zip(names, PARAMETERS, strict=True))
    pipe = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad "
        f"+step +proj=cart +ellps=GRS80 +step +inv +proj=helmert {shift} "
        "+convention=position_vector +step +inv +proj=cart +ellps=krass "
        f"+step {PROJECTION}"
    )
    return np.column_stack(pipe.transform(lonlat[:, 0], lonlat[:, 1]))


def local_crs(**changes):
    lonlat = np.array([[114.0, 36.67], [114.01, 36.67], [114.0, 36.68]])
    points = [
        {"x": x, "y": y, "lon": lon, "lat": lat}
        for (x, y), (lon, lat) in zip(local_of(lonlat), lonlat, strict=True)
    ]
    settings = {
        "projection": PROJECTION,
        "to_cgcs2000": PARAMETERS,
        "control_points": points,
        "accuracy_m": 0.1,
    }
    return LocalCrs.model_validate(settings | changes)


def test_a_local_system_by_seven_parameters(oracle_dir, tmp_path):
    expected = json.loads((oracle_dir / "expected.json").read_text(encoding="utf-8"))
    path = write_county(oracle_dir, tmp_path)
    table = geopandas.read_file(oracle_dir / "JSYDSP.geojson").to_crs("EPSG:4490")
    moved = shapely.transform(table.geometry.to_numpy(), local_of)
    geopandas.GeoDataFrame(table.drop(columns="geometry"), geometry=moved).to_parquet(
        tmp_path / "local.parquet"
    )
    file = LayersFile.load(path)
    specs = [
        s.model_copy(update={"source": tmp_path / "local.parquet", "crs": local_crs()})
        if s.role == "approval"
        else s
        for s in file.layers
    ]
    onemap = build_onemap(file.model_copy(update={"layers": tuple(specs)}), crs=CRS)
    found = onemap.layers["approval"].table.geometry.to_numpy()
    drawn = read_onemap(path, crs=CRS).layers["approval"].table.geometry.to_numpy()
    assert shapely.hausdorff_distance(found, drawn).max() < 0.002
    assert expected["ratio_pct"] == 26.47
    text = accuracy(local_crs(), "here").text()
    assert text == "0.000 m RMS, 0.000 m at worst on 3 control points (±0.1 m promised)"
    assert "not measured" in accuracy(local_crs(control_points=[]), "here").text()


def test_wrong_parameters_are_refused_with_the_residual():
    with pytest.raises(LayerError, match=r"misses its control points by \d+\.\d+ m RMS"):
        accuracy(local_crs(rotation="coordinate_frame"), "here")
    with pytest.raises(LayerError, match="datum shift of its own"):
        accuracy(local_crs(projection=PROJECTION + " +towgs84=1,2,3,0,0,0,0 +type=crs"), "here")
    with pytest.raises(LayerError, match="projection cannot be read"):
        accuracy(local_crs(projection="local grid"), "here")
    with pytest.raises(ValidationError):
        LocalCrs(projection=PROJECTION)


@pytest.mark.parametrize("code", ["EPSG:2362", "EPSG:2434"])
def test_old_datums_need_their_parameters(tmp_path, code):
    zone = pyproj.CRS(code)
    easting = next(p.value for p in zone.coordinate_operation.params if "easting" in p.name)
    shape = shapely.box(easting, Y, easting + 100, Y + 100)
    frame = geopandas.GeoDataFrame({"HXBM": ["1"]}, geometry=[shape], crs=code)
    frame.to_file(tmp_path / "a.gpkg")
    with pytest.raises(LayerError, match="no public transformation leads from") as error:
        open_source(tmp_path / "a.gpkg")
    assert "to_cgcs2000" in error.value.fix


def test_databases_are_named_without_passwords():
    with pytest.raises(ValidationError, match="PGPASSWORD"):
        LayerSpec(role="redline", source="postgresql://me:secret@host/db", layer="a")
    spec = LayerSpec(role="redline", source="postgresql://me@host/db", layer="gis.redline")
    assert (spec.name, spec.source) == ("gis.redline", "postgresql://me@host/db")
    with pytest.raises(LayerError, match=r"needs (the name of a table|the package)"):
        open_source("postgresql://localhost/db")


@pytest.fixture
def postgis():
    with postgis_server() as url:
        yield url


@pytest.mark.desk
def test_postgis(oracle_dir, tmp_path, postgis):
    import psycopg

    url = postgis
    expected = json.loads((oracle_dir / "expected.json").read_text(encoding="utf-8"))
    table = geopandas.read_file(oracle_dir / "JSYDSP.geojson")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA tuban_test")
        connection.execute(
            'CREATE TABLE tuban_test.jsydsp ("DKBH" text, "PZRQ" date, "YTDM" text,'
            " geom geometry(Geometry, 4526))"
        )
        for row in table.itertuples():
            connection.execute(
                "INSERT INTO tuban_test.jsydsp VALUES (%s, %s, %s, ST_GeomFromText(%s, 4526))",
                (row.DKBH, row.PZRQ, row.YTDM, row.geometry.wkt),
            )
    path = write_county(oracle_dir, tmp_path)
    text = path.read_text(encoding="utf-8")
    old = f"source: {oracle_dir / 'JSYDSP.geojson'}"
    assert old in text
    path.write_text(
        text.replace(old, f"source: '{url}', layer: tuban_test.jsydsp"), encoding="utf-8"
    )
    check(judged(path), expected, tolerance_dm2=1)
    before = layers_fingerprint(path)
    assert layers_fingerprint(path) == before
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE tuban_test.jsydsp SET \"PZRQ\" = '2025-07-01'")
    assert layers_fingerprint(path) != before
    with pytest.raises(LayerError, match="has 0 geometry columns"):
        open_source(url, layer="tuban_test.nothing")


def test_a_geopackage_is_read_as_utf8_whatever_the_shapefiles_of_its_role_are_in(tmp_path):
    number, shape = "示政土〔2024〕7号", shapely.box(X, Y, X + 9, Y + 9)
    table = geopandas.GeoDataFrame({"PWH": [number]}, geometry=[shape], crs=CRS)
    table.to_file(tmp_path / "new.gpkg", index=False)
    assert list(open_source(tmp_path / "new.gpkg", encoding="GBK")["PWH"]) == [number]
