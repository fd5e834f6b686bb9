"""Pan-sharpening: fitted weights, GDAL's arithmetic, colours by the protocol of Wald."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from tests.tiles.conftest import Texture
from tiles.pansharpen import PanCell, brovey, ergas, fit_sharpening

Floats = NDArray[np.float32]
VRT = """<VRTDataset subClass="VRTPansharpenedDataset"><PansharpeningOptions>
<Algorithm>WeightedBrovey</Algorithm><AlgorithmOptions><Weights>{weights}</Weights></AlgorithmOptions>
<Resampling>Cubic</Resampling><NumThreads>1</NumThreads>
<PanchroBand><SourceFilename>{pan}</SourceFilename><SourceBand>1</SourceBand></PanchroBand>
{bands}</PansharpeningOptions></VRTDataset>"""
BAND = """<SpectralBand dstBand="{i}"><SourceFilename>{path}</SourceFilename>
<SourceBand>{i}</SourceBand></SpectralBand>"""


def write(path: Path, bands: Floats, size: float) -> None:
    transform = Affine(size, 0, 5e5, 0, -size, 4e6)
    profile = {"height": bands.shape[1], "width": bands.shape[2], "count": len(bands)}
    with rasterio.open(path, "w", driver="GTiff", dtype="float32", crs="EPSG:32650",
                       transform=transform, **profile) as raster:  # fmt: skip
        raster.write(bands)


def gdal(folder: Path, bands: Floats, pan: Floats, weights: tuple[float, ...]) -> Floats:
    """Return what GDAL's pan-sharpening makes of the same images."""
    ratio = pan.shape[0] // bands.shape[1]
    write(folder / "ms.tif", bands, 2.0 * ratio)
    write(folder / "pan.tif", pan[None], 2.0)
    lines = "".join(BAND.format(i=i + 1, path=folder / "ms.tif") for i in range(len(bands)))
    text = VRT.format(
        weights=",".join(str(w) for w in weights), pan=folder / "pan.tif", bands=lines
    )
    with rasterio.open(text) as made:
        return np.asarray(made.read())


def shrink(image: NDArray[np.floating], ratio: int) -> Floats:
    *front, height, width = image.shape
    shape = (*front, height // ratio, ratio, width // ratio, ratio)
    return image.reshape(shape).mean(axis=(-3, -1)).astype(np.float32)


def scene(texture: Texture, side: int = 512) -> Floats:
    """Return four bands whose colours differ from field to field."""
    rng = np.random.default_rng(3)
    fields = ndimage.zoom(rng.integers(0, 5, (side // 32, side // 32)), 32, order=0)
    colours = np.array(
        [[0.05, 0.08, 0.06, 0.36], [0.03, 0.05, 0.03, 0.26], [0.19, 0.21, 0.24, 0.27],
         [0.10, 0.13, 0.16, 0.21], [0.04, 0.06, 0.03, 0.02]]
    )  # fmt: skip
    detail = np.stack([texture((side, side), seed, 1.0) for seed in range(4)])
    return (colours[fields].transpose(2, 0, 1) * (0.4 + 2 * detail)).astype(np.float32)


def pan_of(bands: Floats, weights: tuple[float, ...]) -> Floats:
    return np.tensordot(np.array(weights), bands, 1).astype(np.float32)


def test_the_arithmetic_is_that_of_gdal(tmp_path: Path, texture: Texture):
    fine = scene(texture, 256)
    weights = (0.2, 0.3, 0.4, 0.1)
    pan = pan_of(fine, weights)
    coarse = shrink(fine, 4)
    theirs = gdal(tmp_path, coarse, pan, weights)
    with rasterio.open(tmp_path / "ms.tif") as raster:
        smooth = raster.read(out_shape=(4, 256, 256), resampling=rasterio.enums.Resampling.cubic)
    ours = brovey(smooth, pan, weights)
    inner = (slice(None), slice(16, -16), slice(16, -16))
    np.testing.assert_allclose(ours[inner], theirs[inner], rtol=2e-5, atol=1e-6)


def test_weights_are_found_again(texture: Texture):
    fine = scene(texture)
    pan = pan_of(fine, (0.1, 0.5, 0.7, 0.05))
    cell = PanCell(shrink(fine, 4), shrink(pan, 4), np.ones((128, 128), np.bool_))
    found = fit_sharpening([cell], 4)
    np.testing.assert_allclose(found.weights, (0.1, 0.5, 0.7, 0.05), atol=0.01)
    assert found.source == "regression"
    assert found.explained > 0.999
    assert found.pixels == 128 * 128
    assert fit_sharpening([cell], 4) == found


def test_colours_by_walds_protocol_are_not_worse_than_with_equal_weights(
    tmp_path: Path, texture: Texture
):
    """The whole protocol from outside: make coarse, sharpen, compare, here and with GDAL."""
    fine = scene(texture)
    for number, weights in enumerate([(0.1, 0.5, 0.7, 0.05), (0.0, 0.6, 0.4, 0.0), (1, 1, 1, 1)]):
        noise = np.random.default_rng(number).normal(0, 0.002, fine.shape[1:])
        pan = (pan_of(fine, weights) + noise).astype(np.float32)
        ms, coarse = shrink(fine, 4), shrink(fine, 16)
        cell = PanCell(ms, shrink(pan, 4), np.ones((128, 128), np.bool_))
        found = fit_sharpening([cell], 4)
        inner = np.zeros((128, 128), np.bool_)
        inner[16:-16, 16:-16] = True
        fitted = ergas(ms, gdal(tmp_path, coarse, shrink(pan, 4), found.weights), inner, 4)
        equal = ergas(ms, gdal(tmp_path, coarse, shrink(pan, 4), (0.25,) * 4), inner, 4)
        assert fitted <= equal
        assert found.ergas <= found.ergas_equal
        assert found.ergas == pytest.approx(fitted, rel=0.05)


@pytest.mark.parametrize("city", ["beihai", "bercy", "saclay_e"])
def test_real_colours(data_dir: Path, city: str):
    """A panchromatic image made of five bands, one of them unknown to the fit."""
    folder = data_dir / "oscd" / city / "imgs_1"
    names = ("B02", "B03", "B04", "B08", "B11")
    stack: list[Floats] = []
    for name in names:
        with rasterio.open(next(folder.glob(f"*{name}*.tif"))) as raster:
            shape = stack[0].shape if stack else raster.shape
            stack.append(raster.read(1, out_shape=shape).astype(np.float32))
    height, width = (n // 16 * 16 for n in stack[0].shape)
    pan = np.tensordot(np.array([0.15, 0.3, 0.3, 0.1, 0.15]), np.stack(stack), 1)[:height, :width]
    ms = np.stack(stack[:4])[:, :height, :width]
    coarse = shrink(ms, 4)
    cell = PanCell(coarse, shrink(pan, 4), np.ones(coarse.shape[1:], np.bool_))
    found = fit_sharpening([cell], 4)
    assert found.ergas <= found.ergas_equal
    assert found.explained > 0.9


def test_what_cannot_be_fitted_is_said():
    blank = PanCell(
        np.zeros((4, 8, 8), np.float32), np.zeros((8, 8), np.float32), np.zeros((8, 8), np.bool_)
    )
    found = fit_sharpening([blank], 4)
    assert (found.source, found.pixels, found.weights) == ("equal", 0, (0.25,) * 4)
    dark = brovey(np.zeros((2, 3, 3), np.float32), np.ones((3, 3), np.float32), (0.5, 0.5))
    assert not dark.any()


def test_ergas_by_hand():
    reference = np.stack([np.full((2, 2), 10.0), np.full((2, 2), 20.0)]).astype(np.float32)
    made = reference + np.array([1.0, -4.0], np.float32)[:, None, None]
    expected = 100 / 4 * np.sqrt((0.1**2 + 0.2**2) / 2)
    assert ergas(reference, made, np.ones((2, 2), np.bool_), 4) == pytest.approx(expected)
