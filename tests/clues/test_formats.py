"""The worked county from every format, reference system and code scheme, to the last digit."""

import json
import warnings

import geopandas as gpd
import pytest

from tests.clues.test_oracle import ROLES, USES, check, judged

GUIDE = {"0103": "0103", "0301": "0301", "0102": "0102", "0702": "0703", "0404": "0403"}
"""Land classes of the worked county in the scheme of 2023, where 0702 is another class."""

CRSS = ("EPSG:4526", "EPSG:4490", "EPSG:4547")
SCHEMES = ("sandiao", "guide2023")
CASES = [
    (suffix, crs, SCHEMES[(i + j) % 2])
    for i, suffix in enumerate(("shp", "gdb", "gpkg", "parquet"))
    for j, crs in enumerate(CRSS)
]


def write_as(oracle, out, suffix, crs, scheme):
    """Write the county in a format; Shapefiles in GBK without .cpg, the scheme in the file only."""
    lines = [
        'county: {code: "999901", name: 示例县}',
        "patches:",
        f"  source: BHTB.{suffix}",
        "  fields: {id: JCBH, county_code: XZQDM, before_date: QSX, after_date: HSX, use: T2,"
        " type: TBLX}",
        f"  uses: {json.dumps(USES)}",
        "layers:",
    ]
    for name in ("BHTB", *ROLES):
        table = gpd.read_file(oracle / f"{name}.geojson").to_crs(crs)
        settings = ""
        if name == "DLTB":
            settings = f", scheme: {scheme}"
            table = table.drop(columns="SCHEME").assign(权属单位="示例村（一组）")
            if scheme == "guide2023":
                table["DLBM"] = table["DLBM"].map(GUIDE)
        path = out / f"{name}.{suffix}"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*lossy conversion|.*Normalized.*")
            if suffix == "parquet":
                table.to_parquet(path)
            elif suffix == "shp":
                table.to_file(path, encoding="GBK")
                path.with_suffix(".cpg").unlink()
            else:
                driver = {"gdb": "OpenFileGDB", "gpkg": "GPKG"}[suffix]
                table.to_file(path, driver=driver, layer=name)
        if name in ROLES:
            lines.append(
                f"  - {{role: {ROLES[name]}, source: {path.name}, complete: true{settings}}}"
            )
    path = out / "LAYERS.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def expected(oracle_dir):
    return json.loads((oracle_dir / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("suffix", "crs", "scheme"), CASES)
def test_the_worked_county(oracle_dir, expected, tmp_path, suffix, crs, scheme):
    path = write_as(oracle_dir, tmp_path, suffix, crs, scheme)
    check(judged(path, crs=crs), expected, tolerance_dm2=1)


def test_layers_in_one_crs_patches_in_another(oracle_dir, expected, tmp_path):
    path = write_as(oracle_dir, tmp_path, "shp", "EPSG:4490", "guide2023")
    check(judged(path, crs="EPSG:4526"), expected, tolerance_dm2=1)
