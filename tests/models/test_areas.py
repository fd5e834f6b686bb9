"""Areas from a stratified sample: a published example to its printed digits, and random worlds."""

import numpy as np
import pytest

from configs.errors import InputError
from models.areas import allocate, draw_stratified, estimate_areas

CLASSES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HECTARES = 0.09


def test_the_published_example_to_its_printed_digits():
    """Olofsson et al. (2014), section 5: areas in ha, accuracies with 95 % intervals."""
    found = estimate_areas(COUNTS, list(PIXELS * HECTARES), CLASSES)
    assert [round(a.value) for a in found.areas] == [21_158, 11_686, 285_770, 581_386]
    assert [round(a.margin) for a in found.areas] == [6158, 3756, 15_510, 16_282]
    assert [round(u.value, 2) for u in found.users] == [0.88, 0.73, 0.93, 0.96]
    assert [round(u.margin, 2) for u in found.users] == [0.07, 0.10, 0.04, 0.02]
    assert [round(p.value, 2) for p in found.producers] == [0.75, 0.85, 0.93, 0.96]
    assert round(found.producers[0].margin, 2) == 0.21
    assert (round(found.overall.value, 2), round(found.overall.margin, 2)) == (0.95, 0.02)
    assert found.proportions.sum() == pytest.approx(1)
    assert sum(a.value for a in found.areas) == pytest.approx(sum(found.mapped))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    truth = rng.random(200_000) < 0.1
    mapped = np.where(
        rng.random(truth.size) < 0.15, ~truth & (rng.random(truth.size) < 0.02), truth
    )
    strata = mapped.astype(np.int64)
    sizes = [int((strata == s).sum()) for s in (0, 1)]
    inside = 0
    for _ in range(300):
        counts = np.zeros((2, 2), np.int64)
        for s, n in enumerate((1000, 400)):
            drawn = rng.choice(np.flatnonzero(strata == s), n, replace=False)
            np.add.at(counts, (s, truth[drawn].astype(int)), 1)
        area = estimate_areas(counts, [float(n) for n in sizes], ("no", "yes")).areas[1]
        inside += abs(area.value - truth.sum()) <= area.margin
    assert 0.91 <= inside / 300 <= 0.99


def test_a_class_without_units_is_refused():
    with pytest.raises(InputError, match="class gain has 1 sample units"):
        estimate_areas(np.array([[5, 0], [1, 0]]), [10.0, 2.0], ("loss", "gain"))


def test_rare_strata_get_enough_and_no_more_than_they_have():
    assert allocate([9_000_000, 100_000], 400) == [325, 75]
    assert allocate([1000, 30], 400) == [370, 30]
    assert allocate([50, 0], 20) == [20, 0]
    assert sum(allocate([500, 400, 300], 100)) == 100


def test_a_draw_is_random_in_each_stratum_and_the_same_in_any_order():
    rows, cols = (a.ravel() for a in np.mgrid[:200, :200])
    strata = (cols > 150).astype(np.int64)
    drawn = draw_stratified(rows, cols, strata, [300, 100])
    assert np.bincount(strata[drawn]).tolist() == [300, 100]
    assert abs(rows[drawn].mean() - 99.5) < 12
    mixed = np.random.default_rng(0).permutation(rows.size)
    again = mixed[draw_stratified(rows[mixed], cols[mixed], strata[mixed], [300, 100])]
    np.testing.assert_array_equal(again, drawn)
