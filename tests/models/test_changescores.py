"""Scores of a change map on cases that can be counted by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, jaccard_score

from models.changescores import boundary_iou, score_patches, score_pixels


def blank(shape=(60, 60)):
    return np.zeros(shape, np.bool_)


def test_pixels_agree_with_another_implementation():
    rng = np.random.default_rng(1)
    truth, mapped, valid = rng.random((3, 50, 70)) > np.array([0.8, 0.7, 0.2])[:, None, None]
    found = score_pixels(truth, mapped, valid)
    one, two = truth[valid], mapped[valid]
    assert found.f1 == pytest.approx(f1_score(one, two))
    assert found.kappa == pytest.approx(cohen_kappa_score(one, two))
    assert found.iou == pytest.approx(jaccard_score(one, two))
    assert found.hits + found.misses + found.false_alarms + found.quiet == valid.sum()


def test_nothing_to_find_has_no_recall():
    found = score_pixels(blank(), blank(), ~blank())
    assert (found.recall, found.precision, found.f1, found.kappa) == (None, None, None, None)


def test_patches_are_found_by_cover_and_counted_by_size():
    truth, mapped, valid = blank(), blank(), ~blank()
    truth[2:12, 2:12] = mapped[2:12, 2:7] = True  # half of 100 pixels: found
    truth[20:30, 20:30] = mapped[20:30, 20:24] = True  # four tenths: missed
    mapped[40:45, 40:45] = True  # false alarm of 25 pixels
    truth[50, 50] = mapped[51, 51] = True  # corners touch and nothing is covered
    small, large = score_patches(truth, mapped, valid, pixel_m2=100.0, limits_m2=(0.0, 5000.0))
    assert (large.true_patches, large.found, large.mapped_patches, large.right) == (2, 1, 1, 1)
    assert (small.true_patches, small.found, small.mapped_patches, small.right) == (1, 0, 3, 1)
    assert large.recall == 0.5
    assert small.precision == pytest.approx(1 / 3)
    valid[20:30] = False
    assert score_patches(truth, mapped, valid, pixel_m2=100.0)[-2].recall == 1.0


def test_boundary_iou_looks_at_rims_only():
    truth, mapped = blank(), blank()
    truth[10:50, 10:50] = mapped[10:50, 10:50] = True
    mapped[25:35, 25:35] = False  # a hole inside adds a rim
    assert boundary_iou(truth, truth, ~blank(), distance_px=2) == 1.0
    rim = 40**2 - 36**2
    hole = 14**2 - 10**2
    found = boundary_iou(truth, mapped, ~blank(), distance_px=2)
    assert found == pytest.approx(rim / (rim + hole))
    assert boundary_iou(blank(), blank(), ~blank(), distance_px=2) is None
