"""Learn change from labelled places: choices and figures only where a forest has not looked.

Of each place a forest of the other places tells what it would have found there. Where to cut is
chosen from these answers, for the figures of a place from those of the others alone. The labels
count as a proof only where the places together say, beyond chance, that more is found than by
``auto``, which learned nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label as label_components
from scipy.special import stdtrit

from configs.errors import InputError
from configs.labelled import LEAST_PLACES
from detect.auto import fit_change, score_block
from detect.score import Scores, cut_block, halo_px
from models.changelearning import (
    ChangeLearner,
    LabelledScene,
    PairScale,
    choose_cut,
    fit_pair_scale,
    grow_learner,
    label_scene,
    learned_scores,
    learned_statistic,
    pair_halo,
)
from models.learnedchange import (
    ObjectScale,
    column_names,
    fit_object_scale,
    object_columns,
    object_scores,
    otsu_cut,
    share_of_objects,
    way_of,
)
from tiles.block import Block
from tiles.grid import sample_cells

__all__ = [
    "Forests",
    "LabelledPlace",
    "PlaceScore",
    "Trained",
    "changed_pixels",
    "learn_change",
    "mask_f1",
    "open_place",
    "proves_more",
    "score_place",
]

FLOOR_PX = 4
"""Smallest component that counts, as in runs."""

LEAST_OF_CUTS = 0.5
"""Share of the least cut of the places below which no scene is cut: Otsu's threshold splits even
what nothing happened to."""

PROOF_LEVEL = 0.05
"""Chance that places at which the model finds no more than auto are taken for a proof."""


@dataclass(frozen=True)
class PlaceScore:
    """How well change was found at a place that the forest had not seen.

    Attributes
    ----------
    name : str
    learned, auto : float
        F1 of the change class.
    """

    name: str
    learned: float
    auto: float


@dataclass(frozen=True)
class Trained:
    """What labels taught."""

    learner: ChangeLearner
    places: tuple[PlaceScore, ...]

    @property
    def gain(self) -> float:
        """Mean F1 of the places less that of ``auto``."""
        return float(np.mean([p.learned - p.auto for p in self.places]))


@dataclass
class LabelledPlace:
    """A labelled pair, ready to be learned from and to be asked.

    Attributes
    ----------
    name : str
    block : Block
        The whole pair, with its halo where pixels are told.
    pixel_m : float
    labels : ndarray of uint8, shape (y, x)
        Of the core: 0 unknown, 1 unchanged, 2 changed.
    samples : LabelledScene
    auto : float
        F1 of ``auto``.
    scale : PairScale or ObjectScale
        The latter where objects are told.
    outside : int
        Changed pixels of the labels beyond the core; they count as missed.
    answers : dict
        What forests said of it, by the places that these had not seen.
    """

    name: str
    block: Block
    pixel_m: float
    labels: NDArray[np.uint8]
    samples: LabelledScene
    auto: float
    scale: PairScale | ObjectScale
    outside: int = 0
    answers: dict[frozenset[str], tuple[NDArray[np.float32], ...]] = field(default_factory=dict)

    @property
    def has_change(self) -> bool:
        """Whether the labels tell of any change; F1 means nothing where they do not."""
        return bool(self.outside or (self.labels == 2).any())


def changed_pixels(scores: Scores, floor_px: int = FLOOR_PX) -> NDArray[np.bool_]:
    """Return weak components (y, x) that hold a strong pixel and at least `floor_px` pixels."""
    labels, count = label_components(scores.weak, np.ones((3, 3)))
    pixels = np.bincount(labels.ravel(), minlength=count + 1)
    strong = np.bincount(labels.ravel(), weights=scores.strong.ravel(), minlength=count + 1)
    keep = (pixels >= floor_px) & (strong > 0)
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)


def mask_f1(found: NDArray[np.bool_], labels: NDArray[np.uint8], outside: int = 0) -> float:
    """Return F1 of a change map (y, x) by labels (y, x): 2 changed, 1 unchanged, 0 nobody knows.

    `outside` changed pixels more were not seen; pixels that nobody labelled do not count.
    """
    hit = int(np.count_nonzero(found & (labels == 2)))
    wanted = int(np.count_nonzero(labels == 2)) + outside
    return 2 * hit / max(int(np.count_nonzero(found & (labels > 0))) + wanted, 1)


def _auto(block: Block, wavelengths: Sequence[float | None], pixel_m: float) -> NDArray[np.bool_]:
    """Return what ``auto`` finds in the core of a block."""
    halo = halo_px("auto", pixel_m)
    state = fit_change(
        [cut_block(block, cell, halo) for cell in sample_cells(block.core, 0)],
        method="auto",
        sensitivity="medium",
        target="any",
        pixel_m=pixel_m,
        wavelengths=wavelengths,
    )
    return changed_pixels(score_block(block, state))


def open_place(
    name: str,
    block: Block,
    labels: NDArray[np.uint8],
    *,
    pixel_m: float,
    wavelengths: Sequence[float | None],
    outside: int = 0,
    auto: float | None = None,
) -> LabelledPlace:
    """Bring a labelled pair to scale, draw its samples, and see what ``auto`` finds.

    Parameters
    ----------
    name : str
    block : Block
        The whole pair with `pair_halo` around its core.
    labels : ndarray of uint8, shape (y, x)
        Of the core: 0 unknown, 1 unchanged, 2 changed.
    pixel_m : float
    wavelengths : sequence of float or None
    outside : int
        Changed pixels of the labels beyond the core.
    auto : float, optional
        F1 of ``auto``, where it is known.

    Raises
    ------
    InputError
        If the pair has no usable pixel.
    """
    if auto is None:
        auto = mask_f1(_auto(block, wavelengths, pixel_m), labels, outside)
    halo = pair_halo(pixel_m)
    cells = [cut_block(block, cell, halo) for cell in sample_cells(block.core, 0)]
    if way_of(pixel_m) == "pixels":
        scale = fit_pair_scale(cells, pixel_m=pixel_m, wavelengths=wavelengths)
        samples = label_scene(name, block, scale, labels)
        return LabelledPlace(name, block, pixel_m, labels, samples, auto, scale, outside)
    own = fit_object_scale(cells)
    core = cut_block(block, block.core, 0)
    samples = _label_objects(name, core, own, labels)
    return LabelledPlace(name, core, pixel_m, labels, samples, auto, own, outside)


def _label_objects(
    name: str, core: Block, scale: ObjectScale, labels: NDArray[np.uint8]
) -> LabelledScene:
    """Return the objects of which more than half is labelled: changed if most of that changed."""
    objects, columns = object_columns(core, scale)
    numbers = objects.labels[-core.core.height :, -core.core.width :]
    inside = numbers >= 0
    size, known, changed = (
        np.bincount(numbers[inside & which], minlength=len(objects))
        for which in (True, labels > 0, labels == 2)
    )
    told = 2 * known > size
    truth = (2 * changed > known)[told].astype(np.int64)
    return LabelledScene(name, np.ascontiguousarray(columns[told]), truth)


class Forests:
    """Forests of all places but some, each grown once."""

    def __init__(self, places: Sequence[LabelledPlace]) -> None:
        self.places = places
        self.bands = places[0].block.bands
        self.way = way_of(places[0].pixel_m)
        self._grown: dict[frozenset[str], ChangeLearner] = {}

    def without(self, left: frozenset[str]) -> ChangeLearner:
        """Return what places but some teach; power and threshold are not chosen yet."""
        if left not in self._grown:
            seen = [p.samples for p in self.places if p.name not in left]
            names = column_names(self.way, self.bands)
            grown = grow_learner(seen, self.bands, names=names)
            self._grown[left] = replace(grown, way=self.way)
        return self._grown[left]


def learn_change(
    places: Sequence[LabelledPlace],
    *,
    left: frozenset[str] = frozenset(),
    forests: Forests | None = None,
) -> Trained:
    """Learn from labelled places, and tell what each would have got from the others.

    Places where nothing changed teach the forest what is no change; they have no F1, so they take
    no part in the choice of the cut and in the proof.

    Parameters
    ----------
    places : sequence of LabelledPlace
        Of one sensor and pixel size.
    left : frozenset of str
        Names of places that take no part.
    forests : Forests, optional
        Those grown so far, where the same places are learned from several times.

    Raises
    ------
    InputError
        If fewer than `LEAST_PLACES` with change take part, or all labels are of one kind.
    """
    forests = forests or Forests(places)
    kept = [p for p in places if p.name not in left and p.has_change]
    if len(kept) < LEAST_PLACES:
        raise InputError(
            f"labelled places that show change: {len(kept)}, at least {LEAST_PLACES} are needed",
            "labels",
            "label more places, or cut a large one into several",
        )
    learner = forests.without(left)
    tell = _by_pixels if forests.way == "pixels" else _by_objects
    learner, scores = tell(learner, kept, left, forests)
    gains = [score.learned - score.auto for score in scores]
    return Trained(replace(learner, proven=proves_more(gains)), tuple(scores))


def proves_more(gains: Sequence[float]) -> bool:
    """Return whether gains of several places are above zero beyond chance (one-sided t-test)."""
    count, mean = len(gains), float(np.mean(gains))
    spread = float(np.std(gains, ddof=1))
    least = float(stdtrit(count - 1, 1 - PROOF_LEVEL)) * spread / float(np.sqrt(count))
    return mean > least


def score_place(
    place: LabelledPlace, trained: Trained, forests: Forests, *, force: bool = False
) -> float:
    """Return F1 of a place by what was learned without it, as a run with that model has it.

    Where nothing was proven that is the one of ``auto``, unless `force`.
    """
    if not (trained.learner.proven or force):
        return place.auto
    return _found_f1(place, frozenset((place.name,)), trained.learner, forests)


def _by_pixels(
    learner: ChangeLearner,
    places: Sequence[LabelledPlace],
    left: frozenset[str],
    forests: Forests,
) -> tuple[ChangeLearner, list[PlaceScore]]:
    """Choose power and threshold on the places; score each with the choice of the others."""
    known: dict[tuple[str, float, float], float] = {}

    def score_of(place: LabelledPlace) -> Callable[[ChangeLearner], float]:
        def score(cut: ChangeLearner) -> float:
            key = place.name, cut.power, cut.threshold
            if key not in known:
                known[key] = _found_f1(place, left | {place.name}, cut, forests)
            return known[key]

        return score

    scorers = {place.name: score_of(place) for place in places}
    scores = []
    for place in places:
        others = [scorers[p.name] for p in places if p is not place]
        found = scorers[place.name](choose_cut(learner, others))
        scores.append(PlaceScore(place.name, found, place.auto))
    return choose_cut(learner, list(scorers.values())), scores


def _by_objects(
    learner: ChangeLearner,
    places: Sequence[LabelledPlace],
    left: frozenset[str],
    forests: Forests,
) -> tuple[ChangeLearner, list[PlaceScore]]:
    """Tell from the cuts of the places the least of any scene; score each with the others'."""
    cuts = {
        p.name: otsu_cut(_answer(p, left | {p.name}, forests)[0], p.block.valid) for p in places
    }
    scores = []
    for place in places:
        least = LEAST_OF_CUTS * min(cut for name, cut in cuts.items() if name != place.name)
        found = _found_f1(
            place, left | {place.name}, replace(learner, power=1.0, threshold=least), forests
        )
        scores.append(PlaceScore(place.name, found, place.auto))
    return replace(learner, power=1.0, threshold=LEAST_OF_CUTS * min(cuts.values())), scores


def _found_f1(
    place: LabelledPlace, left: frozenset[str], cut: ChangeLearner, forests: Forests
) -> float:
    """Return F1 of a place by the forest without some, with power and threshold of `cut`."""
    answer = _answer(place, left, forests)
    if len(answer) == 2:
        scores = learned_scores(place.block, *answer, cut, place.pixel_m)
    else:
        level = max(otsu_cut(answer[0], place.block.valid), cut.threshold)
        scores = object_scores(answer[0], place.block.valid, level)
    return mask_f1(changed_pixels(scores), place.labels, place.outside)


def _answer(
    place: LabelledPlace, left: frozenset[str], forests: Forests
) -> tuple[NDArray[np.float32], ...]:
    """Return what the forest without some places says of one: statistic and votes, or votes."""
    if left not in place.answers:
        learner = forests.without(left)
        if isinstance(place.scale, PairScale):
            place.answers[left] = learned_statistic(place.block, place.scale, learner)
        else:
            place.answers[left] = (share_of_objects(place.block, learner, place.scale),)
    return place.answers[left]
