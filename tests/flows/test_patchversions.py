"""Edits of patches that imagery does not find any more are told."""

import geopandas as gpd
import shapely

from flows.keys import stage_key
from flows.manifest import Run
from flows.patchversions import add_version, unused_edits, versions_of

WHO = {"editor": "赵六", "at": "2026-01-05T08:00:00+00:00", "source_sha256": "ab"}


def found(run: Run, content: str) -> None:
    """Keep what imagery found."""
    path = run.path("work", "patches.parquet")
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    run.put("join", "patches", stage_key("join", inputs={"of": content}), files=[path], values={})


def test_edits_of_patches_that_are_no_more_are_told(tmp_path):
    table = gpd.GeoDataFrame({"patch_id": ["E1"]}, geometry=[shapely.box(0, 0, 1, 1)])
    with Run.create({"name": "demo"}, "0123456789", tmp_path, "demo") as run:
        found(run, "first")
        assert unused_edits(run) == []
        add_version(run, table, WHO)
        assert unused_edits(run) == []
        found(run, "other patches")
        assert versions_of(run) == []
        (told,) = unused_edits(run)
        assert told.en.startswith("edits of patches (赵六, 2026-01-05) are not used")
        assert told.zh.startswith("图斑的人工修改（赵六，2026-01-05）未采用")
        add_version(run, table, WHO)
        assert unused_edits(run) == []
