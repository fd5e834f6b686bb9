"""STAC items as scenes."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import RasterError
from tiles.sensors import open_epoch

MakeTif = Callable[..., Path]


def item(assets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "my-item",
        "geometry": None,
        "properties": {"datetime": "2024-03-04T17:30:00Z", **properties},
        "links": [],
        "assets": assets,
    }


def write(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data))
    return path


def test_bands_by_name_common_name_and_role(make_tif: MakeTif, tmp_path: Path) -> None:
    for name in ("b2", "b4", "n", "stack"):
        make_tif(f"{name}.tif", np.ones((2, 4, 5), np.uint16))
    path = write(
        tmp_path / "item.json",
        item(
            {
                "B02": {"href": "./b2.tif"},
                "red-jp2": {
                    "href": "b4.tif",
                    "raster:bands": [{"scale": 0.5, "offset": -1, "nodata": 7}],
                },
                "n": {
                    "href": "n.tif",
                    "eo:bands": [{"name": "X", "common_name": "nir08", "center_wavelength": 0.86}],
                },
                "short": {
                    "href": "stack.tif",
                    "bands": [
                        {"eo:common_name": "swir16"},
                        {"eo:common_name": "swir22", "raster:scale": 0.25},
                    ],
                },
                "SCL": {"href": "b2.tif"},
                "thumbnail": {"href": "https://example.org/t.png"},
            },
            platform="sentinel-2a",
        ),
    )
    epoch = open_epoch([path])
    scene = epoch.scenes[0]
    assert epoch.bands == ("blue", "red", "nir", "swir1", "swir2")
    assert (scene.scene_id, scene.sensor) == ("my-item", "sentinel2")
    assert scene.acquired == dt.datetime(2024, 3, 4, 17, 30, tzinfo=dt.UTC)
    assert epoch.civil_from == dt.date(2024, 3, 5)
    red, swir = scene.bands["red"], scene.bands["swir2"]
    assert (red.scale, red.offset, red.nodata) == (0.5, -1.0, 7)
    assert (swir.index, swir.scale) == (2, 0.25)
    assert scene.bands["nir"].wavelength_um == 0.86
    assert scene.mask is not None
    assert scene.mask.path == tmp_path / "b2.tif"


@pytest.mark.parametrize(
    "href", ["https://example.org/b.tif", "s3://x/b.tif", "/vsicurl/http://e/b.tif"]
)
def test_remote_assets_are_refused(tmp_path: Path, href: str) -> None:
    path = write(tmp_path / "i.json", item({"red": {"href": href}}))
    with pytest.raises(RasterError, match=r"not on this machine|is not allowed"):
        open_epoch([path])


def test_broken_items_say_so(make_tif: MakeTif, tmp_path: Path) -> None:
    for text in ("{", "[]", '{"type": "FeatureCollection", "features": []}'):
        path = tmp_path / "x.json"
        path.write_text(text)
        with pytest.raises(RasterError, match="not a STAC item"):
            open_epoch([path])
    with pytest.raises(RasterError, match="no asset is recognised"):
        open_epoch([write(tmp_path / "n.json", item({"what": {"href": "a.tif"}}))])
    with pytest.raises(RasterError, match=r"no such raster file[\s\S]*gone\.tif"):
        open_epoch([write(tmp_path / "g.json", item({"red": {"href": "gone.tif"}}))])
