"""Images of clues: what covers them, in the order of use, and what strangers may hand in."""

from dataclasses import replace

import openpyxl
import pytest

from clues.outputs.imagesources import ImageSource, images_in
from clues.outputs.ledger import write_ledger
from configs.errors import InputError


def square(lon: float, lat: float, half: float = 0.5) -> tuple[tuple[float, float], ...]:
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return tuple((lon + half * x, lat + half * y) for x, y in corners)


def test_a_clue_names_the_scenes_that_cover_it(tables, tmp_path):
    lon, lat = (float(tables.patches[n].iloc[0]) for n in ("lon", "lat"))
    images = (
        ImageSource("before", "Sentinel-2 MSI", "S2A_NEAR", square(lon, lat)),
        ImageSource("before", "Sentinel-2 MSI", "S2A_FAR", square(lon + 3, lat)),
        ImageSource("before", "高分二号", "GF2_BELOW", square(lon, lat, 2.0)),
        ImageSource("after", "高分二号", "GF2_ANY", ()),
    )
    assert images_in([i.record for i in images], "run.json") == images
    told = replace(tables, title=replace(tables.title, images=images))
    write_ledger(told, tmp_path / "clues.xlsx")
    rows = openpyxl.load_workbook(tmp_path / "clues.xlsx").worksheets[1].iter_rows(values_only=True)
    found = next(r for r in rows if "前影像源" in r), next(rows)
    shown = dict(zip(*found, strict=True))
    assert shown["前影像源"] == "Sentinel-2 MSI S2A_NEAR\n高分二号 GF2_BELOW"
    assert shown["后影像源"] == "高分二号 GF2_ANY"


@pytest.mark.parametrize(
    "changes",
    [
        {"date": "later"},
        {"scene": "x" * 301},
        {"sensor": 7},
        {"outline": [[0, 1], [2, 3]]},
        {"outline": [[0, 1], [2, 3], [1, float("nan")]]},
        {"outline": "far"},
        {"outline": None},
    ],
)
def test_an_image_that_is_told_wrongly_is_refused(changes):
    record = ImageSource("after", "GF-2", "a", square(114, 36)).record
    with pytest.raises(InputError, match="told wrongly"):
        images_in([record | changes], "manifest.json")
    with pytest.raises(InputError, match="told wrongly"):
        images_in([{k: v for k, v in record.items() if k != "outline"}], "manifest.json")
