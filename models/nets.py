"""A net of the user's own, as an ONNX file: change of every pixel from windows on a fixed grid.

Windows stand on a grid of the scene, never of a tile, and overlap; each pixel is the mean of the
windows that hold it, weighted towards their middles, added from north-west to south-east. So there
are no seams, and the same map whatever the tiles.
"""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.score import STRONG, Scores
from tiles.block import Block
from tiles.grid import Extent

__all__ = ["NetState", "change_shares", "net_of", "net_scores", "read_net", "require_bands"]

SIDES = (16, 2048)
"""Smallest and largest side of a window in pixels: a tile is read with one around it."""

MAX_BYTES = 900_000_000
"""Largest file; a model file holds a little more."""

OVERLAP = 4
"""One part in so many of a window's side is shared with the next."""

WHERE = "net"
FIX_EXPORT = (
    "export it with one input (1, 2 × bands, side, side) of float32, the bands of the earlier date "
    "first, and one output (1, 1, side, side): the probability of change"
)


@dataclass(frozen=True)
class NetState:
    """A net as a run carries it.

    Attributes
    ----------
    content : ndarray of uint8, shape (bytes,)
        The ONNX file; empty where there is no net.
    bands : tuple of str
        Bands it reads at each date, in its order.
    side : int
        Pixels along a window.
    scale : float
        What reflectance is multiplied by before the net sees it.
    threshold : float
        Probability from which a pixel changed, above 0 and below 1.
    """

    content: NDArray[np.uint8]
    bands: tuple[str, ...]
    side: int
    scale: float
    threshold: float

    @classmethod
    def none(cls) -> "NetState":
        """Return the state of a run without a net."""
        return cls(np.empty(0, np.uint8), (), 0, 1.0, 0.5)

    @property
    def is_there(self) -> bool:
        """Whether there is a net."""
        return self.content.size > 0

    @property
    def halo(self) -> int:
        """Pixels around a core that its windows reach."""
        return max(0, self.side - 1)

    @property
    def overlap(self) -> int:
        """Pixels that neighbouring windows share."""
        return self.side // OVERLAP


def read_net(
    path: Path, bands: tuple[str, ...], *, scale: float = 1.0, threshold: float = 0.5
) -> NetState:
    """Read an ONNX file and try it once.

    Parameters
    ----------
    path : Path
    bands : tuple of str
        Bands that it reads at each date, in its order.
    scale : float
        What reflectance is multiplied by, 10,000 for a net that learned from whole numbers.
    threshold : float
        Probability from which a pixel changed.

    Raises
    ------
    InputError
        If the file cannot be read, is no net, or has other inputs or outputs than the bands need.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise InputError(
            f"the net cannot be read ({error.strerror})", str(path), "check the path"
        ) from error
    if not content:
        raise InputError(
            f"the net has {size} bytes", str(path), f"between 1 and {MAX_BYTES} can be worked with"
        )
    return net_of(NetState(np.frombuffer(content, np.uint8), bands, 0, scale, threshold), str(path))


def net_of(state: NetState, where: str) -> NetState:
    """Return a state whose net was opened, looked at and tried; its side is that of the net.

    Parameters
    ----------
    state : NetState
    where : str
        The file, for the error.

    Raises
    ------
    InputError
        If there is anything that a run could stumble over.
    """
    if not state.bands or len(set(state.bands)) < len(state.bands):
        raise InputError(
            f"the bands of the net are {', '.join(state.bands) or 'not told'}",
            where,
            "name the bands of one date in the order the net reads them, each once",
        )
    if not (0 < state.threshold < 1 and 0 < state.scale < float("inf")):
        raise InputError(
            f"the threshold is {state.threshold:g}, the scale {state.scale:g}",
            where,
            "the threshold lies between 0 and 1, the scale is above 0",
        )
    session = _session(state.content, where)
    side = _side(session, len(state.bands), where)
    made = NetState(state.content, state.bands, side, state.scale, state.threshold)
    trial = np.zeros((2 * len(state.bands), side, side), np.float32)
    _window(session, trial, where)
    return made


def require_bands(state: NetState, bands: tuple[str, ...], where: str) -> None:
    """Refuse a net that asks for bands the images do not have.

    Raises
    ------
    InputError
        Naming them.
    """
    missing = [name for name in state.bands if name not in bands]
    if missing:
        raise InputError(
            f"the net reads {', '.join(state.bands)}; the images have {', '.join(bands)}, "
            f"not {', '.join(missing)}",
            where,
            "use images with these bands, or a net that was trained on the bands there are",
        )


def net_scores(state: NetState, block: Block) -> Scores:
    """Score the core of a block by a net, as `detect.score.score_block` does by a statistic.

    Parameters
    ----------
    state : NetState
    block : Block
        Its extent reaches `NetState.halo` beyond its core; dates as read, not normalised.
    """
    share = change_shares(state, block)
    score = np.floor(share * (STRONG / state.threshold))
    score = np.where(block.valid[block.core_slices], np.minimum(score, 65535), 0).astype(np.uint16)
    changed = score >= STRONG
    return Scores(score, changed, changed.copy())


def change_shares(state: NetState, block: Block) -> NDArray[np.float64]:
    """Return the probability of change of the core of a block, 0–1; 0 where no window sees land.

    Parameters
    ----------
    state : NetState
    block : Block
        Its extent reaches `NetState.halo` beyond its core.

    Returns
    -------
    ndarray of float64, shape (y, x)

    Raises
    ------
    InputError
        If the bands or the halo are not those of the net, or it returns no probabilities.
    """
    require_bands(state, block.bands, WHERE)
    core, side = block.core, state.side
    reach = core.expand(state.halo)
    if reach.intersect(block.extent) != reach:
        raise InputError(
            f"the block {block.extent} does not reach {state.halo} pixels beyond its core {core}",
            "change_shares(block)",
            "read it with NetState.halo pixels of halo",
        )
    session = _session(state.content, WHERE)
    ramp = _ramp(side, state.overlap)
    weight = ramp[:, None] * ramp[None, :]
    out = np.zeros(core.shape, np.float64)
    for window in _windows(core, side, side - state.overlap):
        rows, cols = window.slices_in(block.extent)
        valid = block.valid[rows, cols]
        if not valid.any():
            continue
        part = window.intersect(core)
        seen = _window(session, _stack(state, block, rows, cols), WHERE)
        out[part.slices_in(core)] += (weight * seen)[part.slices_in(window)]
    return out


def _stack(state: NetState, block: Block, rows: slice, cols: slice) -> NDArray[np.float32]:
    """Return the bands of both dates in a window, 0 where not valid."""
    places = [block.bands.index(name) for name in state.bands]
    valid = block.valid[rows, cols]
    dates = [image[places, rows, cols] for image in (block.before, block.after)]
    stack = np.concatenate(dates) * np.float32(state.scale)
    return np.ascontiguousarray(np.where(valid, stack, 0), np.float32)


def _windows(core: Extent, side: int, stride: int) -> list[Extent]:
    """Return the windows of the scene's grid that meet a core, from north-west to south-east."""
    rows = range((core.row0 - side) // stride + 1, -(-core.row1 // stride))
    cols = range((core.col0 - side) // stride + 1, -(-core.col1 // stride))
    return [
        Extent(r * stride, c * stride, r * stride + side, c * stride + side)
        for r in rows
        for c in cols
    ]


def _ramp(side: int, overlap: int) -> NDArray[np.float64]:
    """Return the weight along a window; with its neighbours on the grid it adds up to 1."""
    rise = np.arange(1, overlap + 1) / (overlap + 1)
    return np.concatenate([rise, np.ones(side - 2 * overlap), rise[::-1]])


def _window(session: Any, stack: NDArray[np.float32], where: str) -> NDArray[np.float64]:
    """Return what the net says of one window."""
    try:
        (answer,) = session.run(None, {session.get_inputs()[0].name: stack[None]})
    except Exception as error:  # onnxruntime raises classes of its own for everything
        raise InputError(f"the net does not run ({str(error)[:300]})", where, FIX_EXPORT) from error
    share = np.asarray(answer, np.float64)
    if share.shape != (1, 1, *stack.shape[1:]):
        raise InputError(
            f"the net returns shape {share.shape} for windows of {stack.shape}", where, FIX_EXPORT
        )
    if not ((share >= 0) & (share <= 1)).all():
        raise InputError(
            "the net returns values that are no probabilities between 0 and 1",
            where,
            "end it with a sigmoid",
        )
    return np.asarray(share[0, 0], np.float64)


def _side(session: Any, n_bands: int, where: str) -> int:
    """Return the side of the windows of a net that takes both dates of so many bands."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)":
        raise InputError(
            f"the net has {len(inputs)} inputs, {inputs[0].type if inputs else 'none'} first, "
            f"and {len(outputs)} outputs",
            where,
            FIX_EXPORT,
        )
    shape = inputs[0].shape
    if len(shape) != 4:
        raise InputError(f"the input of the net has {len(shape)} dimensions", where, FIX_EXPORT)
    if not all(isinstance(n, int) for n in shape[1:]):
        raise InputError(
            f"the input of the net has open dimensions: {shape}",
            where,
            "export it with a fixed number of bands, height and width",
        )
    batch, channels, height, width = shape
    if channels != 2 * n_bands:
        raise InputError(
            f"the net reads {channels} bands, {n_bands} bands at two dates are {2 * n_bands}",
            where,
            "name the bands the net was trained on, those of one date",
        )
    if (isinstance(batch, int) and batch != 1) or height != width:
        raise InputError(f"the input of the net has shape {shape}", where, FIX_EXPORT)
    if not SIDES[0] <= height <= SIDES[1]:
        raise InputError(
            f"the windows of the net are {height} pixels wide",
            where,
            f"export it with windows of {SIDES[0]} to {SIDES[1]} pixels",
        )
    return int(height)


_sessions: dict[str, Any] = {}
_lock = threading.Lock()


def _session(content: NDArray[np.uint8], where: str) -> Any:
    """Return the opened net, once per process; one thread, as every other step of a tile."""
    data = content.tobytes()
    name = hashlib.sha256(data).hexdigest()
    with _lock:
        if name not in _sessions:
            opened = _opened(data, where)
            _sessions.clear()
            _sessions[name] = opened
        return _sessions[name]


def _opened(data: bytes, where: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "a net needs onnxruntime, which is not installed", where, 'pip install "tuban[onnx]"'
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own for everything
        raise InputError(
            f"this is no ONNX net that can be run ({str(error)[:300]})",
            where,
            "export the net to ONNX, in one file and with the operators of the standard",
        ) from error
