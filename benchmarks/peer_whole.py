"""What people write instead of tuban, run in the peers' environment: no import of this project.

``python peer_whole.py forest BEFORE AFTER LANDUSE APPROVALS OUT`` reads both dates strip by strip,
takes the length of the change vector of standardised bands, a threshold of Otsu, scikit-learn's
forest of 100 trees on the pixels that changed, learned from the land-use map; sieves, traces
outlines, names each by the class of most of its pixels, cuts them by the approvals.

``python peer_whole.py overlay PATCHES APPROVALS OUT`` is the last of these alone, after the command
line tools of GDAL and of Orfeo ToolBox. Both print one line of JSON.
"""

import json
import sys

import geopandas as gpd
import numpy as np
import rasterio
import rasterio.features
import shapely
from rasterio.windows import Window
from scipy import ndimage

STRIP, FLOOR, LEARNED = 512, 4, 20_000


def standardised(sources):
    """Return mean and spread of the bands of both dates, of every eighth strip."""
    found = []
    for source in sources:
        parts = [
            source.read(window=window)[:, ::4, ::4].reshape(source.count, -1)
            for window in strips(source)[::8]
        ]
        sample = np.concatenate(parts, axis=1).astype(np.float32)
        found.append((sample.mean(axis=1)[:, None, None], sample.std(axis=1)[:, None, None]))
    return found


def strips(source):
    """Return full-width windows along the blocks."""
    return [
        Window(0, row, source.width, min(STRIP, source.height - row))
        for row in range(0, source.height, STRIP)
    ]


def length(before, after, scale):
    """Return the length of the change vector."""
    scores = [(i - mean) / spread for i, (mean, spread) in zip((before, after), scale, strict=True)]
    return np.sqrt(np.sum((scores[1] - scores[0]) ** 2, axis=0))


def otsu(values):
    """Return the threshold of Otsu of a sample."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[1:] + edges[:-1]) / 2
    low, high = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_low = np.cumsum(counts * centres) / np.maximum(low, 1)
    mean_high = (np.cumsum((counts * centres)[::-1]) / np.maximum(high[::-1], 1))[::-1]
    return centres[np.argmax(low[:-1] * high[1:] * (mean_low[:-1] - mean_high[1:]) ** 2)]


def features(image):
    """Return bands, NDVI and NDBI of pixels as rows."""
    red, nir, swir = image[2], image[3], image[4]
    indices = [(nir - red) / (nir + red), (swir - nir) / (swir + nir)]
    return np.concatenate([image, np.stack(indices)]).T


def learned(after, landuse):
    """Return a forest learned from the land-use map."""
    from sklearn.ensemble import RandomForestClassifier

    codes = sorted(landuse["DLBM"].unique())
    burnt = rasterio.features.rasterize(
        zip(landuse.geometry, landuse["DLBM"].map(codes.index) + 1, strict=True),
        (after.height, after.width),
        transform=after.transform,
        dtype="uint8",
    )
    x, y = [], []
    for window in strips(after)[::8]:
        image = after.read(window=window).astype(np.float32)
        x.append(features(image[:, ::8, ::8].reshape(after.count, -1)))
        y.append(burnt[window.toslices()][::8, ::8].ravel())
    x, y = np.concatenate(x), np.concatenate(y)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(y))[:LEARNED]
    forest = RandomForestClassifier(100, max_depth=12, min_samples_leaf=5, n_jobs=2, random_state=0)
    return forest.fit(x[chosen], y[chosen])


def forest(before_path, after_path, landuse_path, approvals_path, out):
    """Work the whole way."""
    with rasterio.open(before_path) as before, rasterio.open(after_path) as after:
        scale = standardised((before, after))
        model = learned(after, gpd.read_file(landuse_path))
        middle = strips(before)[len(strips(before)) // 2]
        sample = length(before.read(window=middle), after.read(window=middle), scale)
        limit = otsu(sample[::2, ::2])
        mask = np.zeros((before.height, before.width), np.uint8)
        now = np.zeros_like(mask)
        for window in strips(before):
            images = [s.read(window=window).astype(np.float32) for s in (before, after)]
            changed = length(*images, scale) > limit
            mask[window.toslices()] = changed
            if changed.any():
                now[window.toslices()][changed] = model.predict(features(images[1][:, changed]))
        transform, crs = before.transform, before.crs
    mask = rasterio.features.sieve(mask, FLOOR, connectivity=4)
    labels, count = ndimage.label(mask)
    kinds, at = int(now.max()) + 1, (mask == 1) & (now > 0)
    pairs = labels[at].astype(np.int64) * kinds + now[at]
    votes = np.bincount(pairs, minlength=(count + 1) * kinds).reshape(count + 1, kinds)
    traced = list(
        rasterio.features.shapes(labels.astype(np.int32), mask == 1, 4, transform=transform)
    )
    number = np.array([int(value) for _, value in traced])
    outlines = [shapely.geometry.shape(outline) for outline, _ in traced]
    patches = gpd.GeoDataFrame({"now": votes[number].argmax(axis=1)}, geometry=outlines, crs=crs)
    return finish(patches, approvals_path, out)


def finish(patches, approvals_path, out):
    """Cut patches by approvals, write those that are not covered."""
    approvals = gpd.read_file(approvals_path)
    patches = patches[patches.area > 0].reset_index(drop=True)
    patches["number"] = np.arange(len(patches))
    cut = gpd.overlay(patches[["number", "geometry"]], approvals, how="intersection")
    patches["covered"] = cut.dissolve("number").area.reindex(patches["number"]).fillna(0).to_numpy()
    bare = patches[patches["covered"] < 0.95 * patches.area]
    bare.to_file(out, engine="pyogrio")
    return {"patches": len(patches), "clues": len(bare)}


def overlay(patches_path, approvals_path, out):
    """Cut patches of another program by the approvals."""
    return finish(gpd.read_file(patches_path), approvals_path, out)


if __name__ == "__main__":
    work = {"forest": forest, "overlay": overlay}[sys.argv[1]]
    with rasterio.Env(GDAL_NUM_THREADS="2", GDAL_CACHEMAX=256):
        print(json.dumps(work(*sys.argv[2:])))
