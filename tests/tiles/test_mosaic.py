"""Mosaics: the same pixels whatever the order in which scenes are listed."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from configs.run import RunConfig
from flows.plan import make_plan
from tests.tiles.conftest import MakeTif
from tiles.mosaic import Order, scene_order
from tiles.scene import Scene


def scene_file(make_tif: MakeTif, day: str, value: int, hole: slice) -> Path:
    values = np.full((4, 30, 40), value, np.uint8)
    values[:, :, hole] = 0
    return make_tif(f"x_{day}.tif", values)


def plan_of(scenes: tuple[Path, ...], after: Path, order: Order):
    config = {
        "name": "m",
        "before": {"scenes": scenes, "order": order},
        "after": {"scenes": [after]},
    }
    return make_plan(RunConfig.model_validate(config))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("newest", np.repeat([20, 30, 20], [10, 10, 20])),
        ("oldest", np.repeat([20, 30, 10], [5, 5, 30])),
    ],
)
def test_the_order_of_listing_does_not_matter(make_tif: MakeTif, order: Order, expected):
    first = scene_file(make_tif, "20240101", 10, slice(0, 10))
    second = scene_file(make_tif, "20240301", 20, slice(10, 20))
    third = scene_file(make_tif, "20240201", 30, slice(0, 5))
    after = scene_file(make_tif, "20250101", 7, slice(0, 0))
    blocks = []
    for scenes in itertools.permutations([first, second, third]):
        plan = plan_of(scenes, after, order)
        with plan.reader() as reader:
            blocks.append(reader.read(plan.extent))
    for block in blocks[1:]:
        np.testing.assert_array_equal(block.before, blocks[0].before)
        np.testing.assert_array_equal(block.source, blocks[0].source)
    np.testing.assert_array_equal(blocks[0].before[0, 0], expected)


def test_given_order_is_kept_on_request(make_tif: MakeTif):
    first = scene_file(make_tif, "20240101", 10, slice(0, 0))
    second = scene_file(make_tif, "20240301", 20, slice(0, 0))
    plan = plan_of((first, second), second, "given")
    assert [s.scene_id for s in plan.before.scenes] == ["x_20240101", "x_20240301"]
    scenes = (Scene("b", {}), Scene("a", {}))
    assert scene_order(scenes, "given") == scenes
    assert [s.scene_id for s in scene_order(scenes, "newest")] == ["a", "b"]
