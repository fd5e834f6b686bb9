import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from configs.errors import InputError
from models import features
from models.features import HALO, band_roles, feature_names, features_at

BANDS = ("green", "red", "nir")


def difference(a, b):
    total = a + b
    return np.where(total > 0, np.clip((a - b) / np.where(total > 0, total, 1), -1, 1), 0.0)


def reference(image, valid, row, col):
    """Features of one pixel of a green, red, nir image, by definition."""
    image = image.astype(np.float64)
    green, red, nir = image
    planes = [image.mean(axis=0), difference(nir, red)]
    out = [*image[:, row, col], planes[1][row, col]]
    out += [difference(green, nir)[row, col], difference(green, red)[row, col]]
    for plane in planes:
        for radius in (1, 3):
            near = tuple(slice(max(at - radius, 0), at + radius + 1) for at in (row, col))
            values = plane[near][valid[near]]
            out += [values.mean(), values.std()]
    slopes = []
    for step in ((1, 0), (0, 1)):
        ends = [(row - step[0], col - step[1]), (row + step[0], col + step[1])]
        inside = all(0 <= r < valid.shape[0] and 0 <= c < valid.shape[1] for r, c in ends)
        if inside and all(valid[end] for end in ends):
            slopes.append((planes[0][ends[1]] - planes[0][ends[0]]) / 2)
    return np.array([*out, np.hypot(*slopes) if len(slopes) == 2 else sum(map(abs, slopes))])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_equals_the_definition(data):
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    image = data.draw(hnp.arrays(np.float32, (3, *shape), elements=st.floats(-0.125, 1, width=16)))
    valid = data.draw(hnp.arrays(np.bool_, shape))
    image[:, ~valid] = 0
    rows, cols = np.nonzero(valid)
    found = features_at(image, valid, rows, cols, BANDS)
    assert found.dtype == np.float32
    assert found.shape == (len(rows), len(feature_names(BANDS)))
    for line, row, col in zip(found, rows, cols, strict=True):
        np.testing.assert_allclose(line, reference(image, valid, row, col), rtol=1e-5, atol=1e-6)


def test_what_is_not_valid_is_not_read():
    rng = np.random.default_rng(1)
    image = rng.random((3, 12, 12), np.float32)
    valid = rng.random((12, 12)) < 0.6
    rows, cols = np.nonzero(valid)
    spoiled = np.where(valid, image, np.float32(np.nan))
    np.testing.assert_array_equal(
        features_at(image, valid, rows, cols, BANDS), features_at(spoiled, valid, rows, cols, BANDS)
    )


def test_a_pixel_has_the_same_features_in_every_block():
    rng = np.random.default_rng(2)
    image = rng.random((3, 40, 40), np.float32)
    valid = rng.random((40, 40)) < 0.9
    rows, cols = np.nonzero(valid[10:30, 12:28])
    rows, cols = rows + 10, cols + 12
    whole = features_at(image, valid, rows, cols, BANDS)
    top, left = 10 - HALO, 12 - HALO
    part = np.s_[top : 30 + HALO, left : 28 + HALO]
    cut = features_at(image[:, *part], valid[part], rows - top, cols - left, BANDS)
    assert whole.tobytes() == cut.tobytes()
    order = rng.permutation(len(rows))
    shuffled = features_at(image, valid, rows[order], cols[order], BANDS)
    assert shuffled.tobytes() == whole[order].tobytes()


def test_names_follow_the_roles():
    assert feature_names(("a", "b")) == (
        "a",
        "b",
        "brightness_mean3",
        "brightness_std3",
        "brightness_mean7",
        "brightness_std7",
        "brightness_gradient",
    )
    names = feature_names(("a", "b"), roles=("red", "nir"))
    assert names[2] == "ndvi"
    assert "ndvi_std7" in names
    full = feature_names(("B02", "B03", "B04", "B08", "B11", "B12"))
    assert {"ndvi", "ndwi", "mndwi", "ndbi", "ndti"} <= set(full)


def test_roles_come_from_wavelengths_then_names():
    assert band_roles(("B1", "B2"), (0.48, 0.56)) == ("blue", "green")
    assert band_roles(("B07", "B08", "B8A"), (0.783, 0.842, 0.865)) == ("", "nir", "")
    assert band_roles(("B1", "B2", "nir")) == ("", "", "nir")
    assert band_roles(("B04", "x"), (None, 0.66)) == ("", "red")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i, v: features_at(i, v, [5], [0], BANDS), "lies outside the image"),
        (lambda i, v: features_at(i, v, [0], [0], BANDS), "not valid"),
        (lambda i, v: features_at(i, v, [1], [1], ("a", "b")), "one name per band"),
        (lambda i, v: features_at(i, v, [1], [1], BANDS, roles=("red",)), "one role per band"),
        (lambda i, v: features_at(i, v, [1], [1], BANDS, roles=("x", "", "")), "one role per band"),
        (lambda i, v: band_roles(("a",), (0.5, 0.6)), "1 bands but 2 wavelengths"),
    ],
)
def test_errors(call, message):
    valid = np.ones((3, 3), np.bool_)
    valid[0, 0] = False
    with pytest.raises(InputError, match=message):
        call(np.zeros((3, 3, 3), np.float32), valid)


def test_no_pixel_is_fine():
    none = np.empty(0, np.int64)
    found = features_at(np.zeros((3, 1, 1), np.float32), np.ones((1, 1), bool), none, none, BANDS)
    assert found.shape == (0, len(feature_names(BANDS)))


def test_the_kernel_is_compiled():
    test_no_pixel_is_fine()
    assert features.fill_features.nopython_signatures
