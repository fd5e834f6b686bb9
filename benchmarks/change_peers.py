"""What a user would run instead: NumPy, SciPy, rasterio; Orfeo ToolBox and nrt where they are."""

import subprocess
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy.stats import chi2

Image = NDArray[np.float32]


def numpy_statistics(before: Image, after: Image, vector: Any, mad: Any) -> tuple[Image, ...]:
    """Change of NDVI and NDBI, length of the change vector, root of χ², in float32."""

    def difference(image: Image, one: int, two: int) -> Image:
        return (image[one] - image[two]) / (image[one] + image[two])

    change = np.stack(
        [difference(after, a, b) - difference(before, a, b) for a, b in ((3, 2), (4, 3))]
    )
    scores = [
        np.clip((i - s.centre[:, None, None]) * s.inverse[:, None, None], -6, 10)
        for i, s in ((before, vector.scale_before), (after, vector.scale_after))
    ]
    length = np.sqrt(np.sum((scores[1] - scores[0]) ** 2, axis=0))
    a, b = (m.astype(np.float32) for m in (mad.project_before, mad.project_after))
    flat = [i.reshape(len(i), -1) for i in (before, after)]
    variates = a @ flat[0] - b @ flat[1] + mad.offset.astype(np.float32)[:, None]
    root = np.sqrt(np.sum(variates**2, axis=0)).reshape(before.shape[1:])
    return change, length, root


def numpy_irmad(before: Image, after: Image, iterations: int) -> NDArray[np.float64]:
    """IR-MAD as it is usually written: full covariance of all pixels in every iteration."""
    bands = len(before)
    joint = np.vstack([i.reshape(bands, -1).astype(np.float64) for i in (before, after)])
    weight = np.ones(joint.shape[1])
    for _ in range(iterations):
        covariance = np.cov(joint, aweights=weight, ddof=0)
        mean = np.average(joint, axis=1, weights=weight)
        x, y, cross = (
            covariance[:bands, :bands],
            covariance[bands:, bands:],
            covariance[:bands, bands:],
        )
        values, a = np.linalg.eig(np.linalg.solve(x, cross) @ np.linalg.solve(y, cross.T))
        order = np.argsort(values)[::-1]
        rho = np.sqrt(values[order])
        a = a[:, order] / np.sqrt(np.diag(a[:, order].T @ x @ a[:, order]))
        b = np.linalg.solve(y, cross.T @ a)
        b = b / np.sqrt(np.diag(b.T @ y @ b))
        centred = joint - mean[:, None]
        variates = a.T @ centred[:bands] - b.T @ centred[bands:]
        statistic = np.sum(variates**2 / (2 * (1 - rho))[:, None], axis=0)
        weight = chi2.sf(statistic, bands)
    return np.asarray(rho)


def shapes_table(mask: NDArray[np.uint8], transform: Affine, crs: str) -> gpd.GeoDataFrame:
    """Outlines of the pixels of 1, 4-connected, as a GeoDataFrame."""
    found = rasterio.features.shapes(mask, mask == 1, connectivity=4, transform=transform)
    return gpd.GeoDataFrame(geometry=[shapely.geometry.shape(s) for s, _ in found], crs=crs)


def sieve_then_shapes(
    mask: NDArray[np.uint8], floor_px: int, transform: Affine, crs: str
) -> gpd.GeoDataFrame:
    """Small areas sieved, then outlines. A sieve fills small holes too."""
    sieved = rasterio.features.sieve(mask, floor_px, connectivity=4)
    return shapes_table(sieved, transform, crs)


def shapes_then_filter(
    mask: NDArray[np.uint8], floor_px: int, transform: Affine, crs: str
) -> gpd.GeoDataFrame:
    """All outlines, then those of a least area."""
    found = shapes_table(mask, transform, crs)
    least = floor_px * abs(transform.a * transform.e) * (1 - 1e-9)
    return found[found.geometry.area >= least]


def orfeo_mad(folder: Path, before: Path, after: Path, out: Path) -> None:
    """One pass of Orfeo ToolBox's multivariate alteration detector, file to file, one thread."""
    libraries = folder / "usr" / "lib"
    triplet = libraries / "x86_64-linux-gnu"
    environment = {
        "PATH": "/usr/bin:/bin",
        "LD_LIBRARY_PATH": f"{triplet}:{libraries}",
        "OTB_APPLICATION_PATH": str(triplet / "otb" / "applications"),
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
        "OTB_LOGGER_LEVEL": "WARNING",
    }
    launcher = str(folder / "usr" / "bin" / "otbApplicationLauncherCommandLine")
    images = ["-in1", str(before), "-in2", str(after), "-out", str(out), "float", "-ram", "2048"]
    command = [
        launcher,
        "MultivariateAlterationDetector",
        str(triplet / "otb" / "applications"),
        *images,
    ]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def nrt_series(python: str, cube: Path, monitor: str, repeats: int) -> list[float]:
    """CPU seconds of nrt in its own environment: fit of the history, and one new date."""
    script = str(Path(__file__).with_name("peer_nrt.py"))
    run = subprocess.run(
        [python, script, str(cube), monitor, str(repeats)],
        check=True,
        capture_output=True,
        text=True,
    )
    return [float(v) for v in run.stdout.split()]
