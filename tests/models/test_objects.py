"""Objects of metre-scale imagery: the same in every window, statistics as NumPy has them."""

import numpy as np
import pytest
from scipy import ndimage

from configs.errors import InputError
from models.objectfeatures import (
    PLANES_HALO,
    STEPS,
    date_planes,
    object_names,
    object_statistics,
    plane_names,
)
from models.objects import LEAST_PX, SQUARE_PX, find_objects, object_window
from tiles.grid import Extent

WHOLE = Extent(0, 0, 600, 592)


@pytest.fixture(scope="module")
def scene():
    """Fields and houses of two dates in robust scores, with a hole that is not valid."""
    rng = np.random.default_rng(5)
    patches = np.kron(rng.normal(0, 2, (4, 30, 40)), np.ones((1, 20, 15)))[:, :, :592]
    planes = (patches + rng.normal(0, 0.5, (4, *WHOLE.shape))).astype(np.float32)
    valid = np.ones(WHOLE.shape, np.bool_)
    valid[280:300, 200:420] = False
    planes *= valid
    return planes, valid, find_objects(planes, valid, WHOLE)


def cut(scene, extent):
    planes, valid, _ = scene
    where = extent.slices_in(WHOLE)
    return np.ascontiguousarray(planes[:, *where]), np.ascontiguousarray(valid[where])


@pytest.mark.slow
def test_every_window_finds_the_same_objects_with_the_same_statistics(scene):
    planes, _, objects = scene
    told = object_statistics(objects, planes, 2)
    owners = {}
    for core in (
        Extent(200, 232, 333, 301),
        Extent(200, 301, 333, 400),
        Extent(251, 180, 259, 401),
    ):
        window = object_window(core).intersect(WHOLE)
        part, valid = cut(scene, window)
        found = find_objects(part, valid, window)
        here, there = found.labels[core.slices_in(window)], objects.labels[core.slices_in(WHOLE)]
        assert np.array_equal(here < 0, there < 0)
        used = here >= 0
        assert np.array_equal(found.anchors[here[used]], objects.anchors[there[used]])
        again = object_statistics(found, part, 2)
        assert np.array_equal(again[here[used]], told[there[used]])
        inside = (found.anchors >= (core.row0, core.col0)) & (
            found.anchors < (core.row1, core.col1)
        )
        owners[core] = {tuple(a) for a in found.anchors[inside.all(axis=1)].tolist()}
    left, right, _ = owners.values()
    assert not left & right
    within = (objects.anchors >= (200, 232)) & (objects.anchors < (333, 400))
    assert left | right == {tuple(a) for a in objects.anchors[within.all(axis=1)].tolist()}


@pytest.mark.slow
def test_objects_are_connected_and_follow_edges(scene):
    planes, valid, objects = scene
    assert np.array_equal(objects.labels < 0, ~valid)
    sizes = np.bincount(objects.labels[valid])
    boxes = ndimage.find_objects(objects.labels + 1)
    for number in range(0, len(objects), 97):
        box = boxes[number]
        member = objects.labels[box] == number
        assert ndimage.label(member)[1] == 1
        first = np.argwhere(member)[0] + (box[0].start, box[1].start)
        assert tuple(first) == tuple(objects.anchors[number])
    assert sizes[sizes < LEAST_PX].sum() < 0.001 * sizes.sum()
    spread = object_statistics(objects, planes, 2)[:, 4:8].mean(axis=1)
    inner = np.average(spread, weights=sizes)
    squares = [
        planes[:, r : r + 8, c : c + 8].std(axis=(1, 2))
        for r in range(0, 200, 8)
        for c in range(0, 200, 8)
    ]
    assert inner < 0.8 * np.mean(squares)


@pytest.mark.slow
def test_statistics_are_those_of_numpy(scene):
    planes, _, objects = scene
    told = dict(
        zip(
            object_names(("a_1", "b_1", "a_2", "b_2"), 2),
            object_statistics(objects, planes, 2).T,
            strict=True,
        )
    )
    whole = np.round(planes * STEPS) / STEPS
    for number in (0, 700, len(objects) - 1):
        member = objects.labels == number
        values = whole[:, member]
        assert told["a_1_mean"][number] == pytest.approx(values[0].mean(), abs=1e-5)
        assert told["b_2_spread"][number] == pytest.approx(values[3].std(), abs=1e-5)
        assert told["b_change"][number] == pytest.approx((values[3] - values[1]).mean(), abs=1e-5)
        shared = [
            ((values[k] - values[k].mean()) * (values[k + 2] - values[k + 2].mean())).mean()
            / np.sqrt((values[k].var() + 0.05) * (values[k + 2].var() + 0.05))
            for k in (0, 1)
        ]
        assert told["correlation"][number] == pytest.approx(np.mean(shared), abs=1e-5)
        padded = np.pad(member, 1)
        edges = sum(int((padded != np.roll(padded, 1, axis)).sum()) for axis in (0, 1))
        compact = 4 * np.pi * member.sum() / edges**2
        assert told["compactness"][number] == pytest.approx(compact, rel=1e-5)
        assert told["log_pixels"][number] == pytest.approx(np.log(member.sum()), rel=1e-5)
        moments = np.linalg.eigvalsh(np.cov(np.argwhere(member).T, ddof=0) + np.eye(2) / 12)
        assert told["elongation"][number] == pytest.approx(
            np.sqrt(moments[1] / moments[0]), rel=1e-4
        )


def test_planes_of_a_window_are_those_of_the_scene():
    from detect.magnitudes import fit_scale

    rng = np.random.default_rng(1)
    image = rng.normal(100, 20, (3, 60, 70)).astype(np.float32)
    valid = rng.random((60, 70)) > 0.05
    scale = fit_scale(image[:, valid].T.astype(np.float64))
    whole = date_planes(image, valid, scale)
    assert len(whole) == len(plane_names(3))
    assert not whole[:, ~valid].any()
    part = date_planes(
        np.ascontiguousarray(image[:, 10:40, 20:60]),
        np.ascontiguousarray(valid[10:40, 20:60]),
        scale,
    )
    inner = slice(PLANES_HALO, -PLANES_HALO)
    assert np.array_equal(part[:, inner, inner], whole[:, 10:40, 20:60][:, inner, inner])


def test_a_window_off_the_squares_or_of_another_shape_is_refused():
    planes, valid = np.zeros((2, 16, 16), np.float32), np.ones((16, 16), np.bool_)
    with pytest.raises(InputError, match=f"multiples of {SQUARE_PX}"):
        find_objects(planes, valid, Extent(3, 0, 19, 16))
    with pytest.raises(InputError, match="do not fit"):
        find_objects(planes, valid, Extent(0, 0, 16, 24))
