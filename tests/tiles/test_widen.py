import numpy as np
import pytest

from tiles.widen import clear_invalid, widen


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_values_are_scaled_as_numpy_scales_them_and_flags_tell_what_is_none(dtype):
    stored = np.random.default_rng(0).integers(0, 60_000, (2, 9, 37)).astype(dtype)
    stored[:, 2], stored[1, 3, 4] = 0, 7
    if dtype is np.float32:
        stored[0, 5, 6] = np.nan
    scale, offset = np.float32(1 / 3), np.float32(0.1)
    wide = np.float64 if dtype is np.int32 else np.float32
    factors = np.full(2, scale, wide), np.full(2, offset, wide)
    none, has = np.array([0, 7]).astype(dtype), np.array([False, True])
    out = np.zeros((3, 12, 40), np.float32)
    usable, seen = np.ones((9, 37), np.bool_), np.zeros((9, 37), np.bool_)
    places = np.array([2, 0])
    widen(stored, places, *factors, none, has, dtype is np.float32, 1, 2, out, usable, seen)
    expected = (stored * scale + offset).astype(np.float32)
    assert out[[2, 0], 1:10, 2:39].tobytes() == expected.tobytes()
    assert not out[1].any()
    np.testing.assert_array_equal(usable, np.isfinite(stored).all(axis=0) & (stored[1] != 7))
    np.testing.assert_array_equal(seen, (stored != 0).any(axis=0))


def test_only_pixels_that_are_not_valid_are_cleared():
    values, valid = np.ones((2, 3, 4), np.float32), np.ones((3, 4), np.bool_)
    values[0, 1, 2], valid[1, 2] = np.nan, False
    clear_invalid(values, valid)
    np.testing.assert_array_equal(values, np.broadcast_to(valid, values.shape))
