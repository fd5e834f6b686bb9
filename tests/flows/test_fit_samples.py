"""What land cover is learned from keeps away from parcel borders that may lie elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from configs.run import RunConfig
from configs.vocabulary import COVERS
from detect.normalise import fit_radiometry
from flows.fitjob import FitJob, draw_landcover, sample_blocks
from flows.fitting import label_shapes
from flows.plan import make_plan
from tests.flows.minicounty import NORTH, PIXEL, build_mini
from tiles.registration import Registration

BUILT, TOWN_ROW = COVERS.index("built") + 1, 72


def test_samples_are_eroded_by_the_registration_residual(tmp_path: Path) -> None:
    config = RunConfig.load(build_mini(tmp_path))
    near = Registration(0.0, 0.0, 9, 9, 0.4)
    job = FitJob(make_plan(config), near, config.detection, config.landcover, config.seed)
    assert config.layers is not None
    job = replace(job, shapes=label_shapes(config.layers, job))
    off = replace(job, registration=replace(near, residual_px=1.2))
    asked = replace(job, landcover=config.landcover.model_copy(update={"erode_px": 2}))
    blocks = sample_blocks(job)
    radiometry = fit_radiometry(blocks)
    one, two, same = (draw_landcover(j, blocks, radiometry)[0] for j in (job, off, asked))
    for name in ("rows", "cols", "labels", "X"):
        assert np.array_equal(getattr(two, name), getattr(same, name))
    rims = [int((t.rows[t.labels == BUILT] + NORTH / PIXEL).min()) - TOWN_ROW for t in (one, two)]
    assert rims == [1, 2]


def test_a_far_off_pair_still_has_its_halo(tmp_path: Path) -> None:
    config = RunConfig.load(build_mini(tmp_path))
    wide = Registration(0.0, 0.0, 9, 9, 98.5)
    job = FitJob(make_plan(config), wide, config.detection, config.landcover, config.seed)
    assert job.halo >= job.erode_px == 99
