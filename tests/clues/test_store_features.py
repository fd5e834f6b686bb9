"""Features of layers in the store: those that come again replace themselves."""

import shapely

from clues.store.features import LayerFeature, Place, count_features, keep_features
from tests.clues.desk import filled, place, server, template

__all__ = ["place", "server", "template"]

LAYER = ("approval", "JSYDSP", "abc")
GROUND = shapely.box(117, 36, 118, 37)


def test_what_comes_again_is_there_once_also_where_it_lies_in_no_county(place):
    store = filled(place)
    inside = LayerFeature("approval:1", ("999901",), {}, shapely.box(117.1, 36.1, 117.2, 36.2))
    nowhere = LayerFeature("approval:2", (), {}, shapely.box(117.3, 36.3, 117.4, 36.4))
    with store.transaction() as connection:
        for _ in range(2):
            assert keep_features(connection, LAYER, GROUND, [inside, nowhere]) == 2
        assert count_features(connection, "approval", Place()) == 2
    store.close()
