"""Steps as peers do them, each in a fresh process of the peers' environment.

``python peer_steps.py STEP FOLDER BEFORE AFTER`` works a small part to warm up, then the whole, and
prints one line of JSON: wall and CPU seconds of the whole, and a figure by which answers compare.
Nothing of this project is imported but the functions of ``change_peers.py``, which stand alone.
"""

import datetime as dt
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

FLOOR, CRS, TREES, ITERATIONS = 4, "EPSG:32650", 100, 10


def index_numpy(folder, before, after):
    """Change of NDVI, file to file, by strips: rasterio and NumPy in float32."""
    import rasterio
    from rasterio.windows import Window

    def work(small):
        total = 0.0
        with (
            rasterio.Env(GDAL_NUM_THREADS="2", GDAL_CACHEMAX=256),
            rasterio.open(before) as one,
            rasterio.open(after) as two,
        ):
            height = min(one.height, 512 if small else one.height)
            profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "tiled": True}
            profile |= {"height": height, "width": one.width, "crs": CRS, "nodata": -9999.0}
            profile |= {"compress": "zstd", "zstd_level": 1, "num_threads": 2}
            profile |= {"blockxsize": 512, "blockysize": 512}
            with rasterio.open(folder / "peer.tif", "w", **profile) as raster:
                for row in range(0, height, 512):
                    window = Window(0, row, one.width, min(512, height - row))
                    change = 0
                    for source, sign in ((two, 1), (one, -1)):
                        nir, red = source.read((4, 3), window=window).astype(np.float32)
                        change = change + sign * (nir - red) / (nir + red)
                    change = np.where(np.isfinite(change), change, np.float32(-9999))
                    raster.write(change, 1, window=window)
                    total += float(change[change > -9999].sum(dtype=np.float64))
        return total / (height * one.width)

    return work


def index_xrspatial(folder, before, after):
    """Change of NDVI by xarray-spatial, whole bands in memory."""
    import rasterio
    import xarray as xr
    from xrspatial.multispectral import ndvi

    def work(small):
        planes = []
        with rasterio.Env(GDAL_NUM_THREADS="2"):
            for path in (before, after):
                with rasterio.open(path) as source:
                    rows = min(source.height, 512 if small else source.height)
                    window = ((0, rows), (0, source.width))
                    bands = source.read((4, 3), window=window).astype(np.float32)
                    profile = source.profile | {"height": rows, "count": 1, "dtype": "float32"}
                planes.append(ndvi(*(xr.DataArray(b, dims=("y", "x")) for b in bands)))
            change = (planes[1] - planes[0]).to_numpy().astype(np.float32)
            profile |= {"compress": "zstd", "zstd_level": 1, "num_threads": 2, "predictor": 1}
            profile.pop("zlevel", None)
            with rasterio.open(folder / "peer.tif", "w", **profile) as raster:
                raster.write(change, 1)
        return float(np.nansum(change, dtype=np.float64)) / change.size

    return work


def irmad(folder, before, after):
    """IR-MAD as it is usually written, NumPy in float64."""
    from change_peers import numpy_irmad

    dates = np.load(folder / "dates.npy")
    return lambda small: float(
        np.max(numpy_irmad(*(d[:, : 64 if small else None] for d in dates), ITERATIONS))
    )


def forest(folder, before, after):
    """Class of every row by scikit-learn, two threads."""
    from sklearn.ensemble import RandomForestClassifier

    with np.load(folder / "rows.npz") as kept:
        x, learned, classes = kept["x"], kept["learned"], kept["classes"]
    fitted = RandomForestClassifier(
        TREES, max_depth=12, min_samples_leaf=5, n_jobs=2, random_state=0
    ).fit(learned, classes)
    return lambda small: float(np.mean(fitted.predict(x[:1000] if small else x)))


def _shapes(sieved):
    def make(folder, before, after):
        from affine import Affine
        from change_peers import shapes_then_filter, sieve_then_shapes

        mask, transform = np.load(folder / "mask.npy").astype(np.uint8), Affine(10, 0, 0, 0, -10, 0)
        trace = sieve_then_shapes if sieved else shapes_then_filter
        return lambda small: float(len(trace(mask[:256] if small else mask, FLOOR, transform, CRS)))

    return make


def overlay_pairs(folder, before, after):
    """Pairs by sjoin, their intersections, united per patch so that nothing counts twice."""
    import geopandas as gpd

    patches, given = (gpd.read_file(folder / f"{n}.gpkg") for n in ("patches", "approvals"))

    def work(small):
        own = patches.iloc[:200] if small else patches
        pairs = own.sjoin(given, predicate="intersects")
        other = given.geometry.loc[pairs["index_right"]].reset_index(drop=True)
        pairs = pairs.reset_index(drop=True)
        cut = pairs.geometry.intersection(other)
        once = gpd.GeoDataFrame(pairs[["patch_id"]], geometry=cut).dissolve("patch_id")
        return float(once.area.sum())

    return work


def overlay_frames(folder, before, after):
    """`geopandas.overlay`, intersection alone: what overlaps counts twice."""
    import geopandas as gpd

    patches, given = (gpd.read_file(folder / f"{n}.gpkg") for n in ("patches", "approvals"))
    return lambda small: float(
        gpd.overlay(patches.iloc[:200] if small else patches, given, how="intersection").area.sum()
    )


def zonal(folder, before, after):
    """Sum and count of scores in the outlines above the floor, by exactextract."""
    import geopandas as gpd
    import rasterio
    from affine import Affine
    from change_peers import shapes_then_filter
    from exactextract import exact_extract

    mask, transform = np.load(folder / "mask.npy").astype(np.uint8), Affine(10, 0, 0, 0, -10, 0)
    patches = gpd.GeoDataFrame(geometry=shapes_then_filter(mask, FLOOR, transform, CRS).geometry)
    scores = np.load(folder / "scores.npy")
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 1, "transform": transform}
    profile |= {"height": scores.shape[0], "width": scores.shape[1], "crs": CRS, "tiled": True}
    path = folder / "scores.tif"
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(scores, 1)
    patches = patches.set_crs(CRS)

    def work(small):
        asked = patches.iloc[:100] if small else patches
        told = exact_extract(
            str(path), asked, ["sum", "count"], output="pandas", strategy="raster-sequential"
        )
        return float(told["sum"].sum())

    return work


def series(folder, before, after):
    """EWMA's fit of nrt, ordinary least squares; the median of the constant terms."""
    import xarray as xr
    from nrt.monitor.ewma import EWMA

    with np.load(folder / "cube.npz") as cube:
        days, values = cube["days"], cube["values"].astype(np.float64)
    dates = days.astype("datetime64[D]").astype("datetime64[ns]")
    assert dt.date(1970, 1, 1) < dates[-1].astype("datetime64[D]").astype(object)

    def work(small):
        part = values[:-1, : 8 if small else None]
        history = xr.DataArray(part, dims=("time", "y", "x"), coords={"time": dates[:-1]})
        monitor = EWMA(trend=False, harmonic_order=2)
        monitor.fit(history, method="OLS")
        return float(np.nanmedian(monitor.beta[0]))

    return work


STEPS = {
    "index rasterio + NumPy": index_numpy,
    "index xarray-spatial": index_xrspatial,
    "IR-MAD NumPy": irmad,
    "forest scikit-learn": forest,
    "polygons sieve, shapes": _shapes(True),
    "polygons shapes, filter": _shapes(False),
    "overlay sjoin, intersection, dissolve": overlay_pairs,
    "overlay geopandas.overlay": overlay_frames,
    "zonal exactextract": zonal,
    "series nrt EWMA": series,
}


def cpu_seconds():
    """Return CPU seconds of this process and of the children it has waited for."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    task = STEPS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:5])
    task(True)
    wall, cpu = time.perf_counter(), cpu_seconds()
    answer = task(False)
    took = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu, "answer": answer}
    print(json.dumps(took))
