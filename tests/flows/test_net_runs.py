"""A user's net from its file to the change map, whatever the tiles."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from flows.cli.app import build_app
from tests.flows.minicounty import NEW_BUILDINGS, build_mini, write_config
from tests.models.onnxbytes import convolution

BANDS = "blue,green,red,nir"


def tuban(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(build_app(), ["--quiet", *map(str, args)])
    assert result.exit_code == code, result.output
    return result.output


def brightening(side: int = 64) -> bytes:
    """Return a net that asks whether the visible bands became brighter around a pixel."""
    kernel = np.zeros((1, 8, 3, 3))
    kernel[0, :3], kernel[0, 4:7] = -60 / 27, 60 / 27
    return convolution(kernel, [-3.0], (1, 8, side, side))


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("net")
    build_mini(folder)
    (folder / "bright.onnx").write_bytes(brightening())
    return folder


@pytest.mark.slow
def test_a_net_maps_change_and_the_map_is_the_same_for_any_tile(
    county: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(county)
    said = tuban("model", "net", "bright.onnx", "--bands", BANDS)
    assert "detection.net: bright-" in said
    assert "\tnet\t" in tuban("model", "list")
    maps = []
    for tile in (64, 256):
        out = county / f"change{tile}.tif"
        images = ("before.tif", "after.tif", "-o", out)
        tuban("detect", *images, "--net", "bright", "--tile", tile, "--workers", 1)
        with rasterio.open(out) as source:
            maps.append(source.read(1))
    np.testing.assert_array_equal(*maps)
    changed = maps[0] == 2
    for row, col, height, width in NEW_BUILDINGS:
        inner = changed[row + 2 : row + height - 2, col + 2 : col + width - 2]
        assert inner.mean() > 0.9
    assert changed.mean() < 0.1


def test_a_net_that_does_not_fit_is_refused(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(county)
    said = tuban("model", "net", "bright.onnx", "--bands", "red,nir", code=1)
    assert "reads 8 bands, 2 bands at two dates are 4" in said
    tuban("model", "net", "bright.onnx", "--bands", "red,nir,swir1,swir2", "--name", "swir")
    images = ("before.tif", "after.tif", "-o", "none.tif")
    said = tuban("detect", *images, "--net", "swir", code=1)
    assert "not swir1, swir2" in said
    assert "where:" in said
    assert not Path("none.tif").exists()
    config = write_config(county, detection={"method": "cva", "net": "swir"})
    said = tuban("check", config, code=1)
    assert "not swir1, swir2" in said
    tuban("model", "net", "bright.onnx", "--bands", BANDS, "--name", "fits")
    said = tuban("check", write_config(county, detection={"method": "cva", "net": "fits"}))
    assert f"bands {BANDS.replace(',', ', ')}" in said
