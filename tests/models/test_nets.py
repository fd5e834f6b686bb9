import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from configs.errors import InputError
from detect.score import STRONG
from models.nets import change_shares, net_of, net_scores, read_net, require_bands
from tests.models.onnxbytes import convolution
from tiles.block import Block
from tiles.grid import Extent
from tiles.state import pack_states, unpack_states

BANDS = ("red", "nir")
SIDE = 32
SCENE = Extent(-20, 35, 108, 163)


def weights(seed=0, size=5):
    return np.random.default_rng(seed).normal(size=(1, 4, size, size)) / size


def image(seed):
    """Return a band of the scene that knows its place, for any extent of it."""
    return np.random.default_rng(seed).random((3, *SCENE.shape)).astype(np.float32)


BEFORE, AFTER = image(1), image(2)


def block(core, halo):
    """Return a block of a scene of three bands; nothing is valid outside it."""
    extent = core.expand(halo)
    inside = extent.intersect(SCENE)
    to, at = inside.slices_in(extent), inside.slices_in(SCENE)
    dates = np.zeros((2, 3, *extent.shape), np.float32)
    dates[0][:, *to], dates[1][:, *to] = BEFORE[:, *at], AFTER[:, *at]
    valid = np.zeros(extent.shape, np.bool_)
    valid[to] = True
    source = np.zeros((2, *extent.shape), np.uint8)
    return Block(extent, core, ("nir", "blue", "red"), *dates, valid, source)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    path.write_bytes(convolution(weights(), [0.1], (1, 4, SIDE, SIDE)))
    return read_net(path, BANDS)


def test_the_map_does_not_depend_on_the_tiles(net):
    whole = change_shares(net, block(SCENE, net.halo))
    for tile in (40, 57, 128):
        parts = np.zeros_like(whole)
        for core in SCENE.cells(tile):
            part = core.intersect(SCENE)
            parts[part.slices_in(SCENE)] = change_shares(net, block(part, net.halo))
        np.testing.assert_array_equal(parts, whole)


def test_the_weights_of_the_windows_add_up_to_one(tmp_path):
    path = tmp_path / "flat.onnx"
    path.write_bytes(convolution(np.zeros((1, 4, 1, 1)), [0.0], (1, 4, SIDE, SIDE)))
    share = change_shares(read_net(path, BANDS), block(SCENE, SIDE))
    np.testing.assert_allclose(share, 0.5, rtol=0, atol=1e-12)


def test_there_are_no_seams_where_windows_meet(tmp_path):
    """A net that sees the border of its window must not draw it on the map."""
    path = tmp_path / "border.onnx"
    path.write_bytes(convolution(np.full((1, 4, 5, 5), 0.2), [-8.0], (1, 4, SIDE, SIDE)))
    state = read_net(path, BANDS)
    flat = block(SCENE, SIDE)
    flat.before[:], flat.after[:] = 0.5, 0.5
    flat.valid[:] = True
    share = change_shares(state, flat)
    window = np.abs(np.diff(share, axis=0)).max()
    assert 0 < window < 0.12
    assert share.min() > 0.6


def test_bands_are_read_by_name_and_dates_in_order(tmp_path):
    kernel = np.zeros((1, 4, 1, 1))
    kernel[0, 1] = 2.0
    kernel[0, 2] = -1.0
    path = tmp_path / "bands.onnx"
    path.write_bytes(convolution(kernel, [0.3], (1, 4, SIDE, SIDE)))
    share = change_shares(read_net(path, BANDS, scale=3.0), block(SCENE, SIDE))
    wanted = 1 / (1 + np.exp(-(0.3 + 3 * (2.0 * BEFORE[0] - AFTER[2]))))
    np.testing.assert_allclose(share, wanted, atol=1e-6)


def test_scores_are_cut_at_the_threshold_and_where_nothing_is_valid(net):
    core = Extent(-40, 35, 20, 75)
    there = block(core, net.halo)
    scores, share = net_scores(net, there), change_shares(net, there)
    np.testing.assert_array_equal(scores.strong, scores.score >= STRONG)
    np.testing.assert_array_equal(scores.strong[20:], share[20:] >= net.threshold)
    assert not scores.score[:20].any()
    assert scores.strong.any()
    assert not scores.strong.all()


def test_a_state_goes_through_a_file_and_is_tried_again(net):
    stored = unpack_states(pack_states({"net": net}), {"net": type(net)}, "f")["net"]
    again = net_of(stored, "f")
    here = block(Extent(0, 40, 30, 80), net.halo)
    np.testing.assert_array_equal(change_shares(again, here), change_shares(net, here))


REFUSED = {
    "no net": (b"GIF89a", "no ONNX net"),
    "a pickle": (b"\x80\x04\x95\x00\x00", "no ONNX net"),
    "cut short": (convolution(weights(), [0.1], (1, 4, SIDE, SIDE))[:-40], "no ONNX net"),
    "empty": (b"", "has 0 bytes"),
    "wrong bands": (
        convolution(np.zeros((1, 6, 1, 1)), [0.0], (1, 6, SIDE, SIDE)),
        "reads 6 bands, 2 bands at two dates are 4",
    ),
    "open sides": (
        convolution(weights(), [0.0], (1, 4, "h", "w"), outputs=(1, 1, "h", "w")),
        "open dimensions",
    ),
    "open bands": (
        convolution(weights(), [0.0], (1, "c", SIDE, SIDE), outputs=(1, 1, SIDE, SIDE)),
        "open dimensions",
    ),
    "not square": (convolution(weights(), [0.0], (1, 4, 32, 64)), "has shape"),
    "a batch": (convolution(weights(), [0.0], (8, 4, SIDE, SIDE)), "has shape"),
    "too small": (convolution(weights(), [0.0], (1, 4, 8, 8)), "8 pixels wide"),
    "three dimensions": (
        convolution(np.zeros((1, 4, 3)), [0.0], (1, 4, SIDE), outputs=(1, 1, SIDE)),
        "no ONNX net|3 dimensions",
    ),
    "two classes": (
        convolution(np.zeros((2, 4, 1, 1)), [0.0, 0.0], (1, 4, SIDE, SIDE)),
        "returns shape",
    ),
    "no probability": (
        convolution(weights(), [7.0], (1, 4, SIDE, SIDE), sigmoid=False),
        "no probabilities",
    ),
    "whole numbers": (convolution(weights(), [0.1], (1, 4, SIDE, SIDE), kind=7), "no ONNX net"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_net_of_these_bands_is_refused(name, tmp_path):
    content, said = REFUSED[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        read_net(path, BANDS)
    assert refused.value.where == str(path)
    assert refused.value.fix


def test_a_missing_file_and_senseless_settings_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_net(tmp_path / "none.onnx", BANDS)
    path = tmp_path / "net.onnx"
    path.write_bytes(convolution(weights(), [0.1], (1, 4, SIDE, SIDE)))
    with pytest.raises(InputError, match="threshold is 1"):
        read_net(path, BANDS, threshold=1.0)
    with pytest.raises(InputError, match="red, red"):
        read_net(path, ("red", "red"))


def test_images_without_its_bands_are_refused(net):
    with pytest.raises(InputError, match="reads red, nir; the images have nir, green, not red"):
        require_bands(net, ("nir", "green"), "model net")
    with pytest.raises(InputError, match="does not reach 31 pixels"):
        change_shares(net, block(SCENE, 30))
