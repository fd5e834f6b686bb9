"""Directions of change vectors against their definition."""

import numpy as np
import pytest

from configs.errors import InputError
from detect.directions import vector_angles
from detect.magnitudes import fit_vector
from tests.detect.invented import block_of, changed_pair


@pytest.fixture(scope="module")
def scene():
    before, after, _ = changed_pair((40, 50), 4)
    valid = np.random.default_rng(0).random((40, 50)) > 0.1
    block = block_of(before, after, valid)
    state = fit_vector(*(d[:, valid].T.astype(np.float64) for d in (before, after)))
    scores = [
        np.clip((d.astype(float) - s.centre[:, None, None]) * s.inverse[:, None, None], -6, 10)
        for d, s in ((before, state.scale_before), (after, state.scale_after))
    ]
    return block, state, scores[1] - scores[0], valid


def test_the_angle_from_grey_is_that_of_the_cosine(scene):
    block, state, change, valid = scene
    found = vector_angles(block, state)
    cosine = change.sum(axis=0) / (2.0 * np.linalg.norm(change, axis=0))
    np.testing.assert_allclose(np.cos(found[valid]), cosine[valid], atol=2e-5)
    assert found.dtype == np.float32
    assert (found[~valid] == 0).all()


def test_the_angle_in_a_plane_is_that_of_its_two_bands(scene):
    block, state, change, valid = scene
    found = vector_angles(block, state, (3, 1))[valid]
    length = np.hypot(change[3], change[1])[valid]
    np.testing.assert_allclose(length * np.cos(found), change[3][valid], atol=3e-5)
    np.testing.assert_allclose(length * np.sin(found), change[1][valid], atol=3e-5)
    assert (found >= 0).all()
    assert (found <= np.float32(2 * np.pi)).all()


def test_what_did_not_change_has_no_direction():
    flat = np.full((2, 5, 5), 3.0, np.float32)
    block = block_of(flat, flat + 2)
    state = fit_vector(*(d.reshape(2, -1).T.astype(np.float64) for d in (flat, flat + 2)))
    assert not vector_angles(block, state).any()
    assert not vector_angles(block, state, (0, 1)).any()
    with pytest.raises(InputError, match="two different ones of 2"):
        vector_angles(block, state, (1, 1))
