"""Land cover learned from a wrong map, against the truth of the demo county."""

import pytest

from benchmarks.landcover import measure_landcover


@pytest.mark.slow
def test_land_cover_is_right_in_spite_of_a_map_with_wrong_polygons(tmp_path):
    found = measure_landcover(tmp_path, seed=1, size=384)
    cleaned, raw = found["cleaned"], found["as the map is"]
    assert min(cleaned.inside) >= 0.90
    for date in range(2):
        assert cleaned.inside[date] >= raw.inside[date] + 0.02
        assert cleaned.everywhere[date] >= raw.everywhere[date] + 0.02
