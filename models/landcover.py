"""What the land was and is: votes for both dates, from → to, change type, confidence.

The forest learns from the before image and its map; the same forest reads the after image, which
must be normalised to the before image first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from configs.errors import InputError
from configs.transitions import FORMS, Transitions, transitions
from models.boosting import Boosting, votes_of
from models.certainty import Certainty
from models.features import feature_names, features_at
from models.forest import Forest
from tiles.state import pack_states, unpack_states

__all__ = ["LandcoverState", "classify", "landcover_arrays", "landcover_of", "vote_pair"]

UNKNOWN, SAME_COVER = "unknown", "same_cover"

AT_ONCE = 20_000
"""Components decided at a time: every pair of covers of each has a weight (about 4 KB)."""


@dataclass(frozen=True)
class LandcoverState:
    """A fitted land-cover model; `tiles.state` writes and reads it.

    Attributes
    ----------
    classes : tuple of str
        Covers in the order of the votes; label k of the training is ``classes[k - 1]``.
    bands, roles : tuple of str
        Band names and their roles, as the images must have them.
    features : tuple of str
        Names of the forest's columns.
    forest : Forest
        No trees where the land cover stays unknown, or where `boosting` tells it.
    sample_counts, dropped_counts : ndarray of int64, shape (classes,)
        Samples learned from, and dropped because the held-out forest contradicted the map.
    confusion : ndarray of int64, shape (classes, classes)
        Map against forest on spatially blocked folds, samples kept.
    f1 : tuple of float or None
        F1 per class from `confusion`; None where it holds none of the class.
    macro_f1, kappa : float or None
        Summary of `confusion`; None if it is empty. Optimistic: dropped samples are left out.
    macro_f1_map : float or None
        The same with the dropped samples counted. Pessimistic: errors of the map count.
    notes : tuple of str
        What could not be learned, and why.
    certainty : Certainty
        How often a change type is right.
    boosting : Boosting or None
        Votes instead of the forest.
    """

    classes: tuple[str, ...]
    bands: tuple[str, ...]
    roles: tuple[str, ...]
    features: tuple[str, ...]
    forest: Forest
    sample_counts: NDArray[np.int64]
    dropped_counts: NDArray[np.int64]
    confusion: NDArray[np.int64]
    f1: tuple[float | None, ...]
    macro_f1: float | None
    macro_f1_map: float | None
    kappa: float | None
    notes: tuple[str, ...]
    certainty: Certainty = field(default_factory=Certainty.unknown)
    boosting: Boosting | None = None

    @property
    def is_known(self) -> bool:
        """Whether the state can tell covers apart."""
        return self.classifier is not self.forest or self.forest.trees > 0

    @property
    def classifier(self) -> Forest | Boosting:
        """What votes."""
        return self.forest if self.boosting is None else self.boosting


def landcover_arrays(state: LandcoverState) -> dict[str, NDArray[Any]]:
    """Return a state as the arrays of a model file."""
    return pack_states({"landcover": state})


def landcover_of(arrays: Mapping[str, NDArray[Any]], where: str) -> LandcoverState:
    """Return the state in the arrays of a model file, whoever wrote it.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    where : str
        The file, for the error.

    Raises
    ------
    InputError
        If they hold no land-cover state that can be worked with.
    """
    state: LandcoverState = unpack_states(arrays, {"landcover": LandcoverState}, where)["landcover"]
    model, fault = state.classifier, state.forest.fault() or state.classifier.fault()
    if (model.n_features, model.n_classes) != (len(state.features), len(state.classes)):
        fault = "the forest has other columns or classes than the state"
    elif len(state.f1) != len(state.classes):
        fault = "its figures are not those of its classes"
    elif state.certainty.percent.shape != (len(state.certainty.kinds), 101):
        fault = "its percents are not those of its change types"
    elif state.features != feature_names(state.bands, roles=state.roles):
        fault = f"features {', '.join(state.features)[:200]} are not those of its bands"
    if fault:
        raise InputError(
            f"its land-cover model cannot be used: {fault}",
            where,
            "use the tuban that wrote it, or train the model with this one",
        )
    return state


def vote_pair(
    state: LandcoverState,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    valid: NDArray[np.bool_],
    rows: NDArray[np.integer],
    cols: NDArray[np.integer],
) -> NDArray[np.int32]:
    """Let the forest vote on single pixels of both dates.

    Parameters
    ----------
    state : LandcoverState
        The fitted model.
    before, after : ndarray of float32, shape (band, y, x)
        Images of a block; `after` normalised to `before`.
    valid : ndarray of bool, shape (y, x)
        True where both dates may be read.
    rows, cols : ndarray of int, shape (n,)
        Positions in the arrays of valid pixels; the arrays reach `features.HALO` beyond them.

    Returns
    -------
    ndarray of int32, shape (n, 2, classes)
        Votes per pixel, date and class; all 0 if the state is unknown. Sum them over the pixels
        of a component for `classify`.
    """
    out = np.zeros((len(rows), 2, len(state.classes)), np.int32)
    if state.is_known:
        for date, image in enumerate((before, after)):
            x = features_at(image, valid, rows, cols, state.bands, roles=state.roles)
            out[:, date] = votes_of(state.classifier, x)
    return out


def classify(
    counts: NDArray[np.integer],
    classes: Sequence[str],
    shapes: pd.DataFrame | None = None,
    *,
    table: Transitions | None = None,
    certainty: Certainty | None = None,
) -> pd.DataFrame:
    """Decide from, to, change type and confidence of components from their summed votes.

    Both dates are judged together. A pair of covers weighs the product of its votes; equal covers
    weigh less, because change was found; the weights of all pairs that mean the same change type
    are added, the heaviest type wins, and its heaviest pair gives from and to. A component whose
    covers stay equal is thus decided by the next best votes, unless these are weak; that they stay
    equal is only said when it is sure, otherwise the type is unknown. All integers; ties go to the
    type first in the table and to the smaller covers. Where all bands changed by one factor, only
    the light is another, and the cover stays what it was.

    Parameters
    ----------
    counts : ndarray of int, shape (n, 2, classes)
        Votes summed over the pixels of each component.
    classes : sequence of str
        Covers in the order of the votes.
    shapes : DataFrame, optional
        ``width_m`` and ``elongation`` per component, see `detect.patches.shape_facts`, with
        ``pixel_m`` (side of a pixel, taken off the width twice; 0 if left out) and
        ``smooth_share`` (of its windows, 0–1) and ``index_change`` (largest change of a normalised
        difference); no component is linear, smooth or lies in another light without them.
    table : Transitions, optional
        Transition table; the shipped one by default.
    certainty : Certainty, optional
        Turns percent of the weight into percent right.

    Returns
    -------
    DataFrame
        ``from_cover``, ``to_cover`` (empty where unknown), ``change_type`` (code), ``confidence``
        (0–100: percent right by `certainty`, else percent of all weight that the type holds; −1
        without votes).

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    counts = np.asarray(counts, np.int64)
    classes, table = tuple(classes), table or transitions()
    n, k = len(counts), len(classes)
    if counts.shape != (n, 2, k) or (shapes is not None and len(shapes) != n):
        raise InputError(
            f"votes have shape {counts.shape} for {k} classes and "
            f"{n if shapes is None else len(shapes)} shapes",
            "classify(counts=..., classes=..., shapes=...)",
            "pass votes as (component, date, class) and one shape per component",
        )
    cut = [slice(i, i + AT_ONCE) for i in range(0, max(n, 1), AT_ONCE)]
    told = (None if shapes is None else shapes.iloc[c] for c in cut)
    found = [
        _decided(counts[c], classes, s, table, certainty) for c, s in zip(cut, told, strict=True)
    ]
    return pd.concat(found, ignore_index=True)


def _decided(
    counts: NDArray[np.integer],
    classes: tuple[str, ...],
    shapes: pd.DataFrame | None,
    table: Transitions,
    certainty: Certainty | None,
) -> pd.DataFrame:
    n, k = len(counts), len(classes)
    percent = np.full((k, k), 100, np.int64)
    np.fill_diagonal(percent, table.same_cover_percent)
    weight = counts[:, 0, :, None] * counts[:, 1, None, :] * percent
    by_form, names = table.table(classes), table.codes()
    kinds = by_form[_forms(shapes, n, table)]
    mass, plain = (_mass(weight, k, len(names)) for k in (kinds, by_form[:1]))
    best, total = mass.argmax(axis=0), weight.sum(axis=(1, 2))
    pair = np.where(kinds == best[:, None, None], weight, -1).reshape(n, k * k).argmax(axis=1)
    seen = total > 0
    confidence = mass[best, np.arange(n)] * 100 // np.maximum(total, 1)
    change = np.array(names, object)[best]
    unsure = (change == SAME_COVER) & (confidence < table.same_cover_sure_percent)
    if certainty is not None:
        # Form decides between names of one change of cover: curves are told by covers alone.
        meant = np.where(unsure, UNKNOWN, np.array(names, object)[plain.argmax(axis=0)])
        confidence = certainty.told(meant, confidence)
    before, after = pair // k, pair % k
    change = np.where(unsure, UNKNOWN, change)
    still = np.array([table.change(c, c) for c in classes], object)[before]
    lit = _in_other_light(shapes, n, table) & (still != UNKNOWN)
    covers = np.array([*classes, ""], object)
    return pd.DataFrame(
        {
            "from_cover": covers[np.where(seen, before, k)],
            "to_cover": covers[np.where(seen, np.where(lit, before, after), k)],
            "change_type": np.where(seen, np.where(lit, still, change), UNKNOWN),
            "confidence": np.where(
                seen, np.where(lit, table.other_light.confidence_percent, confidence), -1
            ).astype(np.int16),
        }
    )


def _mass(weight: NDArray[np.int64], kinds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the weight of each change type, (types, n)."""
    return np.stack([np.where(kinds == i, weight, 0).sum(axis=(1, 2)) for i in range(count)])


def _in_other_light(shapes: pd.DataFrame | None, n: int, table: Transitions) -> NDArray[np.bool_]:
    """Return which components keep their normalised differences; none where these are not known."""
    if shapes is None or "index_change" not in shapes:
        return np.zeros(n, np.bool_)
    return np.asarray(shapes["index_change"].to_numpy() <= table.other_light.index_change_max)


def _forms(shapes: pd.DataFrame | None, n: int, table: Transitions) -> NDArray[np.intp]:
    """Return the position in `FORMS` of each component."""
    if shapes is None:
        return np.zeros(n, np.intp)
    width = shapes["width_m"].to_numpy()
    length = shapes["elongation"].to_numpy() * width
    if "pixel_m" in shapes:
        width = np.maximum(width - 2 * shapes["pixel_m"].to_numpy(), 1e-9)
    narrow = (width <= table.linear.width_m_max) & (length >= table.linear.strip_min * width)
    smooth = np.zeros(n, np.bool_)
    if "smooth_share" in shapes:
        smooth = 100 * shapes["smooth_share"].to_numpy() >= table.smooth.share_percent_min
    forms = np.where(smooth, FORMS.index("smooth"), FORMS.index("any"))
    return np.where(narrow, FORMS.index("linear"), forms).astype(np.intp)
