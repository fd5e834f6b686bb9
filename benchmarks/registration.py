"""Known displacements put into real pairs and found again, beside other estimators.

Run ``python -m benchmarks.registration [--data FOLDER]``. FOLDER holds ``oscd/rennes``,
``oscd/cupertino`` and ``taizhou_landsat``. The after image is moved by Fourier shift or turned by
cubic interpolation; the error is that of the estimate with minus the estimate without the
injection, root mean square over the scene, in pixels. Other estimators: scikit-image's phase
correlation as it comes, and OpenCV's ECC (left out with a reason where it is not installed).

The displacements are drawn from a seed. Round ones would flatter whoever answers in steps: an
estimator that knows hundredths of a pixel only makes no error at all on 0.30.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from tiles.block import Block
from tiles.coregister import register_pair
from tiles.grid import Extent
from tiles.registration import Model, Registration

Image = NDArray[np.float32]
Field = NDArray[np.float64]
"""Displacement (n, 2) at the points of `points`."""

SCENES = ("rennes", "cupertino", "taizhou")
SEED = 20_000_317
LARGEST_PX, LARGEST_TURN = 4.0, 0.5
SHIFTS, TURNS = 5, 2
"""Displacements drawn per pair of images."""

PAD = 32


@dataclass(frozen=True)
class Case:
    """One injection and the errors of the estimators, NaN where one gave up."""

    scene: str
    injected: str
    same_date: bool
    errors: dict[str, float]


def drawn(name: str, same_date: bool) -> tuple[list[tuple[float, float]], list[float]]:
    """Return the shifts (rows and columns, pixels) and turns (degrees) for one pair of images."""
    rng = np.random.default_rng([SEED, *name.encode(), same_date])
    shifts = rng.uniform(-LARGEST_PX, LARGEST_PX, (SHIFTS, 2))
    turns = rng.uniform(-LARGEST_TURN, LARGEST_TURN, TURNS)
    return [(float(dy), float(dx)) for dy, dx in shifts], [float(t) for t in turns]


def read_scene(name: str, data: Path) -> tuple[Image, Image]:
    if name == "taizhou":
        return tuple(_stack([data / "taizhou_landsat" / n]) for n in ("2000TM", "2003TM"))  # type: ignore[return-value]
    folders = [data / "oscd" / name / f"imgs_{i}" for i in (1, 2)]
    return tuple(  # type: ignore[return-value]
        _stack([next(f.glob(f"*_{b}.tif")) for b in ("B02", "B03", "B04", "B08")]) for f in folders
    )


def _stack(paths: Sequence[Path]) -> Image:
    bands = []
    for path in paths:
        with rasterio.open(path) as raster:
            bands.append(raster.read().astype(np.float32))
    return np.concatenate(bands)


def shifted(image: Image, dy: float, dx: float) -> Image:
    """Move the content down and right in the frequency domain."""
    padded = np.pad(image, ((0, 0), (PAD, PAD), (PAD, PAD)), mode="reflect").astype(np.float64)
    spectra = [ndimage.fourier_shift(np.fft.fft2(band), (dy, dx)) for band in padded]
    return np.stack([np.fft.ifft2(s).real for s in spectra])[:, PAD:-PAD, PAD:-PAD].astype(
        np.float32
    )


def turned(image: Image, degrees: float) -> Image:
    """Turn the content about the middle by cubic interpolation."""
    turn, middle = _turn(image, degrees)
    return np.stack(
        [
            ndimage.affine_transform(band, turn, middle - turn @ middle, order=3, mode="reflect")
            for band in image.astype(np.float64)
        ]
    ).astype(np.float32)


def _turn(image: Image, degrees: float) -> tuple[Field, Field]:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn, (np.array(image.shape[1:]) - 1) / 2


def points(image: Image) -> Field:
    """Return 5 × 5 rows and columns of pixel centres, counted from the first pixel's centre."""
    rows, cols = (np.linspace(40, n - 41, 5) for n in image.shape[1:])
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)


def blocks_of(before: Image, after: Image) -> list[Block]:
    whole = Extent(0, 0, *before.shape[1:])
    names = tuple(f"band{i + 1}" for i in range(len(before)))
    made = []
    for cell in whole.cells():
        part = cell.intersect(whole)
        at = (slice(None), *part.slices_in(whole))
        valid = np.ones(part.shape, np.bool_)
        source = np.zeros((2, *part.shape), np.uint8)
        made.append(Block(part, part, names, before[at], after[at], valid, source))
    return made


def moved(image: Image, move: Registration | None) -> Image:
    """Apply a registration, with code of its own."""
    if move is None:
        return image
    rows, cols = np.indices(image.shape[1:]).reshape(2, -1) + 0.5
    at = np.stack([rows, cols]) - move.displacement(rows, cols).T - 0.5
    flat = [ndimage.map_coordinates(b.astype(np.float64), at, mode="nearest") for b in image]
    return np.stack(flat).reshape(image.shape).astype(np.float32)


def by_windows(before: Image, after: Image, turn: bool) -> Field:
    """Estimate as a run does, told as ECC is whether to look for a shift or an affine."""
    model: Model = "affine" if turn else "shift"
    read = lambda move: blocks_of(before, moved(after, move))  # noqa: E731
    found = register_pair(read, model=model).estimate
    at = points(before) + 0.5
    return found.displacement(at[:, 0], at[:, 1])


def by_default(before: Image, after: Image, turn: bool) -> Field:
    """Phase correlation as scikit-image does it unless told otherwise; it knows shifts alone."""
    shift, _, _ = phase_cross_correlation(_grey(before), _grey(after), upsample_factor=100)
    return np.tile(shift, (len(points(before)), 1))


def by_ecc(before: Image, after: Image, turn: bool) -> Field:
    """Enhanced correlation coefficient of OpenCV, a translation or an affine."""
    matrix = np.eye(2, 3, dtype=np.float32)
    motion = cv2.MOTION_AFFINE if turn else cv2.MOTION_TRANSLATION
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6)
    try:
        _, matrix = cv2.findTransformECC(_grey(before), _grey(after), matrix, motion, stop, None, 5)
    except cv2.error:
        return np.full((len(points(before)), 2), np.nan)
    at = points(before)
    there = at[:, ::-1] @ matrix[:, :2].T + matrix[:, 2]
    return at - there[:, ::-1]


def _grey(image: Image) -> Image:
    score = [(b - b.mean()) / b.std() for b in image.astype(np.float64)]
    return np.mean(score, axis=0).astype(np.float32)


ESTIMATORS: dict[str, Callable[[Image, Image, bool], Field]] = {
    "tuban": by_windows,
    "scikit-image default": by_default,
    "OpenCV ECC": by_ecc,
}


def run_scene(
    name: str, data: Path, *, first_shifts: int = SHIFTS, first_turns: int = TURNS
) -> list[Case]:
    """Inject the first displacements drawn into one pair, and into its before date alone."""
    before, after = read_scene(name, data)
    cases = []
    for image in (after, before):
        shifts, turns = drawn(name, image is before)
        for dy, dx in shifts[:first_shifts]:
            truth = np.tile((-dy, -dx), (len(points(before)), 1))
            moved_image = shifted(image, dy, dx)
            cases.append(_case(name, f"{dy:+.3f} {dx:+.3f}", before, image, moved_image, truth))
        for degrees in turns[:first_turns]:
            truth = _turn_field(image, degrees)
            cases.append(
                _case(name, f"{degrees:+.3f}°", before, image, turned(image, degrees), truth)
            )
    return cases


def _case(
    name: str, injected: str, before: Image, image: Image, moved_image: Image, truth: Field
) -> Case:
    turn, same = "°" in injected, image is before
    errors = {}
    for title, estimate in ESTIMATORS.items():
        without = np.zeros_like(truth) if same else _without(title, name, before, image, turn)
        left = estimate(before, moved_image, turn) - without - truth
        errors[title] = float(np.sqrt(np.mean(np.sum(left**2, axis=1))))
    return Case(name, injected, same, errors)


_known: dict[tuple[str, str, bool], Field] = {}


def _without(title: str, name: str, before: Image, after: Image, turn: bool) -> Field:
    key = (title, name, turn)
    if key not in _known:
        _known[key] = ESTIMATORS[title](before, after, turn)
    return _known[key]


def _turn_field(image: Image, degrees: float) -> Field:
    """Return the displacement that undoes a turn."""
    turn, middle = _turn(image, degrees)
    at = points(image)
    return at - ((at - middle) @ np.linalg.inv(turn).T + middle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("TUBAN_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    arguments = parser.parse_args()
    cases = [c for name in SCENES for c in run_scene(name, arguments.data)]
    print("| scene | injected | dates | " + " | ".join(ESTIMATORS) + " |")
    print("|---|---|---|" + "---:|" * len(ESTIMATORS))
    for case in cases:
        dates = "same" if case.same_date else "two"
        figures = " | ".join(f"{e:.3f}" for e in case.errors.values())
        print(f"| {case.scene} | {case.injected} | {dates} | {figures} |")
    medians = (np.nanmedian([c.errors[t] for c in cases]) for t in ESTIMATORS)
    print("| median | | | " + " | ".join(f"{m:.3f}" for m in medians) + " |")


if __name__ == "__main__":
    main()
