"""Accuracy on real labelled pairs, read and registered as a run reads them."""

import numpy as np
import pytest

from benchmarks.labelled import CITIES, accuracy, changed, detect, open_pair
from benchmarks.plain_methods import plain_answer

FLOOR_PX = 4


@pytest.fixture(scope="module")
def taizhou(data_dir):
    if not (data_dir / "taizhou_landsat").is_dir():
        pytest.skip(f"the Taizhou pair is not at {data_dir / 'taizhou_landsat'}")
    return open_pair("taizhou", data_dir)


def test_counts_of_eight_bits_hold_no_cloud(taizhou):
    assert not taizhou.reader.clouds.codes.any()


def score(pair, method="auto", sensitivity="medium", target="any"):
    scores = detect(pair, method, sensitivity, target)
    return accuracy(changed(scores, FLOOR_PX), pair)


@pytest.mark.parametrize(
    ("method", "sensitivity", "f1", "kappa"),
    [
        ("auto", "medium", 0.94, 0.93),
        ("auto", "high", 0.945, 0.93),
        ("irmad", "medium", 0.92, 0.90),
        ("cva", "medium", 0.90, 0.88),
    ],
)
def test_taizhou(taizhou, method, sensitivity, f1, kappa):
    found = score(taizhou, method, sensitivity)
    assert found.f1 >= f1
    assert found.kappa >= kappa


@pytest.mark.slow
def test_oscd_cities(data_dir):
    if not (data_dir / "oscd").is_dir():
        pytest.skip(f"the OSCD cities are not at {data_dir / 'oscd'}")
    pairs = [open_pair(city, data_dir) for city in CITIES]
    plain = [accuracy(plain_answer(pair, "z-scored CVA + Otsu"), pair).f1 for pair in pairs]
    for target, least in (("any", 0.42), ("construction", 0.43)):
        found = [score(pair, target=target).f1 for pair in pairs]
        assert np.mean(found) >= least
        assert min(np.subtract(found, plain)) >= -0.02
