"""Displacements of real pairs: put in and found again, corrected and measured by other means."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.registration import (
    SCENES,
    Case,
    blocks_of,
    drawn,
    read_scene,
    run_scene,
    turned,
)
from configs.errors import PairRefused
from configs.runparts import CloudSettings, GateSettings
from flows.fitjob import GateJob, gate_pair
from flows.plan import RunPlan
from tiles.block import Block
from tiles.coregister import Registered, register_pair
from tiles.gate import require_gate
from tiles.grid import sample_cells
from tiles.reader import PairReader, common_bands, default_grid, pair_extent, wavelengths
from tiles.registration import Registration
from tiles.sensors import open_epoch

CITIES = ("beihai", "bordeaux", "saclay_e", "bercy")


@pytest.fixture(scope="module")
def cases(data_dir: Path) -> list[Case]:
    for place in ("oscd/rennes", "oscd/cupertino", "taizhou_landsat"):
        if not (data_dir / place).is_dir():
            pytest.skip(f"no imagery at {data_dir / place}")
    return [c for n in SCENES for c in run_scene(n, data_dir, first_shifts=1, first_turns=1)]


@pytest.mark.slow
def test_injected_displacements_are_found(cases: list[Case]) -> None:
    assert len(cases) == 12
    assert sum("°" in c.injected for c in cases) == 6
    for case in cases:
        assert case.errors["tuban"] <= (0.05 if case.same_date else 0.1), case


@pytest.mark.slow
def test_no_worse_than_other_estimators(cases: list[Case]) -> None:
    for title in ("scikit-image default", "OpenCV ECC"):
        ours, theirs = (np.array([c.errors[t] for c in cases]) for t in ("tuban", title))
        assert np.median(ours) <= np.nanmedian(theirs)
        worse = ours - theirs
        assert worse[np.isfinite(theirs)].max() <= 0.03, cases[int(np.nanargmax(worse))]


@pytest.mark.parametrize("name", SCENES)
def test_displacements_are_drawn_between_the_steps_of_any_answer(name: str) -> None:
    for same_date in (False, True):
        shifts, turns = drawn(name, same_date)
        assert (shifts, turns) == drawn(name, same_date)
        hundredths = 100 * np.array(shifts)
        assert np.abs(hundredths).max() <= 400
        off = np.abs(hundredths - hundredths.round())
        assert off.max() > 0.1
        assert 0.1 < off.mean() < 0.4
        assert len(turns) == 2


def plan_of(before: Path, after: Path) -> RunPlan:
    first, second = open_epoch([before]), open_epoch([after])
    grid, bands = default_grid(first, second), common_bands(first, second)
    extent = pair_extent(first, second, grid)
    return RunPlan(first, second, grid, bands, wavelengths(first, bands), extent)


def registered(plan: RunPlan) -> Registered:
    def read(move: Registration | None) -> list[Block]:
        with plan.reader(move) as reader:
            return [reader.read(cell) for cell in sample_cells(plan.extent, 0)]

    return register_pair(read)


def left_by_least_squares(reader: PairReader, plan: RunPlan) -> NDArray[np.float64]:
    """Return the shift that is left: Gauss-Newton on brightness, nothing of the module tested.

    Differences beyond two standard deviations are changes and weigh nothing.
    """
    block = reader.read(plan.extent)
    valid = ndimage.binary_erosion(block.valid, iterations=6, border_value=0)
    red = block.bands.index("red")
    first, second = (
        ndimage.gaussian_filter((d[red] - d[red][valid].mean()) / d[red][valid].std(), 1.0)
        for d in (block.before.astype(float), block.after.astype(float))
    )
    shift = np.zeros(2)
    for _ in range(30):
        now = ndimage.shift(second, shift, order=3, mode="nearest")
        gain, offset = np.polyfit(now[valid], first[valid], 1)
        rest = first - gain * now - offset
        use = valid & (np.abs(rest) < 2 * rest[valid].std())
        slopes = gain * np.stack([g[use] for g in np.gradient(now)], axis=1)
        step = -np.linalg.lstsq(slopes, rest[use], rcond=None)[0]
        shift += step
        if np.abs(step).max() < 1e-3:
            break
    return shift


@pytest.mark.slow
@pytest.mark.parametrize("city", CITIES)
def test_real_pairs_end_below_a_third_of_a_pixel(data_dir: Path, city: str) -> None:
    folder = data_dir / "oscd" / city
    plan = plan_of(folder / "imgs_1", folder / "imgs_2")
    result = registered(plan)
    assert result.left.misfit_px <= result.found.misfit_px
    with plan.reader() as raw, plan.reader(result.applied) as corrected:
        before, after = (left_by_least_squares(r, plan) for r in (raw, corrected))
    assert np.hypot(*after) <= 0.3, (before, after)
    assert np.hypot(*after) < np.hypot(*before)


@pytest.fixture
def turned_pair(data_dir: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return the before date of Taizhou, and the same turned by half a degree."""
    folder = data_dir / "taizhou_landsat"
    if not folder.is_dir():
        pytest.skip(f"no imagery at {folder}")
    image, _ = read_scene("taizhou", data_dir)
    with rasterio.open(folder / "2000TM") as source:
        profile = source.profile | {"driver": "GTiff", "dtype": "float32"}
    paths = (tmp_path / "before.tif", tmp_path / "after.tif")
    for path, values in zip(paths, (image, turned(image, 0.5)), strict=True):
        with rasterio.open(path, "w", **profile) as target:
            target.write(values)
    return paths


def test_a_turn_is_undone_by_the_reader(turned_pair: tuple[Path, Path]) -> None:
    plan = plan_of(*turned_pair)
    aligned, checks = gate_pair(GateJob(plan, GateSettings(), 0, CloudSettings()))
    applied = aligned.registration
    assert applied.model == "affine"
    assert next(c for c in checks if c.name == "residual shift").value < 0.1
    with plan.reader(applied) as reader:
        block = reader.read(plan.extent.expand(-20))
    difference = (block.before - block.after)[:, block.valid]
    with plan.reader() as reader:
        raw = reader.read(plan.extent.expand(-20))
    assert difference.std() < 0.25 * (raw.before - raw.after)[:, block.valid].std()


def test_cells_of_an_affine_do_not_depend_on_what_is_read(turned_pair: tuple[Path, Path]) -> None:
    plan = plan_of(*turned_pair)
    move = Registration(0.3, -0.2, 9, 9, 0.1, origin=(0.0, 0.0), terms=((0.1, 8.7), (-8.7, 0.1)))
    with plan.reader(move) as reader:
        whole = reader.read(plan.extent)
    with plan.reader(move) as reader:
        for core in list(plan.extent.cells(96))[::3]:
            part = reader.read(core.intersect(plan.extent))
            there = (slice(None), *part.extent.slices_in(whole.extent))
            assert part.after.tobytes() == np.ascontiguousarray(whole.after[there]).tobytes()


def test_a_pair_that_cannot_be_aligned_is_refused(turned_pair: tuple[Path, Path]) -> None:
    """Hills seen from the side: displacements of three pixels to and fro, as in a raw image."""
    before, after = turned_pair
    with rasterio.open(before) as source:
        values, profile = source.read(), source.profile
    rows, cols = np.indices(values.shape[1:]).astype(float)
    hills = 3 * np.sin(rows / 45) * np.cos(cols / 45)
    at = (rows, cols + hills)
    raw = np.stack([ndimage.map_coordinates(b, at, order=3, mode="nearest") for b in values])
    with rasterio.open(after, "w", **profile) as target:
        target.write(raw)
    _, checks = gate_pair(GateJob(plan_of(before, after), GateSettings(), 0, CloudSettings()))
    with pytest.raises(
        PairRefused, match=r"(?s)(residual shift|agreeing windows) is \d.*terrain model"
    ):
        require_gate(checks)


@pytest.mark.parametrize("step", [(45, 0), (-100, 100)])
def test_a_pair_laid_wrong_is_refused(
    turned_pair: tuple[Path, Path], step: tuple[int, int]
) -> None:
    """Far beyond what is searched: no window finds its edges again, and the gate says so."""
    before, after = turned_pair
    with rasterio.open(before) as source:
        values, profile = source.read(), source.profile
    with rasterio.open(after, "w", **profile) as target:
        target.write(np.roll(values, step, axis=(1, 2)))
    _, checks = gate_pair(GateJob(plan_of(before, after), GateSettings(), 0, CloudSettings()))
    with pytest.raises(
        PairRefused, match=r"agreeing windows is 0\.00 %.*0 of \d\d+ windows"
    ) as caught:
        require_gate(checks)
    assert "georeferencing" in caught.value.fix


@pytest.mark.parametrize("register_pair", [True, False])
def test_a_pair_without_texture_is_let_by(
    turned_pair: tuple[Path, Path], register_pair: bool
) -> None:
    before, after = turned_pair
    with rasterio.open(before) as source:
        values, profile = source.read(), source.profile
    for path, level in ((before, 40.0), (after, 50.0)):
        with rasterio.open(path, "w", **profile) as target:
            target.write(np.full_like(values, level))
    gate = GateSettings(register_pair=register_pair)
    _, checks = gate_pair(GateJob(plan_of(before, after), gate, 0, CloudSettings()))
    require_gate(checks)
    shift = next(c for c in checks if c.name == "shift")
    assert shift.value is None
    assert shift.advisory
    assert ("register_pair" in shift.remedy) == (not register_pair)


def test_blocks_cover_the_scene() -> None:
    image = np.zeros((1, 300, 520), np.float32)
    assert sum(b.valid.size for b in blocks_of(image, image)) == 300 * 520
