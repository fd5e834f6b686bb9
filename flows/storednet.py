"""A net of the user in a run: an ONNX file stored as a model, and the one a config names."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import InputError
from configs.run import RunConfig
from flows.plan import RunPlan
from flows.stored import opened_model
from models.modelfile import ModelCard, open_model, save_model
from models.nets import NetState, net_of, read_net, require_bands
from tiles.state import pack_states, unpack_states

__all__ = ["StoredNet", "store_net", "stored_net"]


@dataclass(frozen=True)
class StoredNet:
    """A net out of its file."""

    card: ModelCard
    state: NetState

    @property
    def record(self) -> dict[str, Any]:
        """What the manifest says of it."""
        card = self.card
        told = {"kind": card.kind, "name": card.name, "hash": card.hash}
        return told | {"created": card.created.isoformat()} | card.settings


def store_net(
    path: Path,
    folder: Path,
    *,
    name: str,
    bands: tuple[str, ...],
    created: dt.date,
    scale: float = 1.0,
    threshold: float = 0.5,
) -> tuple[Path, ModelCard]:
    """Try an ONNX net and store it as a model.

    Parameters
    ----------
    path : Path
        The ONNX file.
    folder : Path
        Registry.
    name : str
        Of the model.
    bands : tuple of str
        Bands that it reads at each date, in its order.
    created : date
    scale : float
        What reflectance is multiplied by before the net sees it.
    threshold : float
        Probability from which a pixel changed.

    Returns
    -------
    Path, ModelCard

    Raises
    ------
    InputError
        If the file is no net of these bands.
    """
    state = read_net(path, bands, scale=scale, threshold=threshold)
    card = ModelCard(
        name=name,
        kind="net",
        created=created,
        data={"file": path.name, "bytes": int(state.content.size)},
        bands=bands,
        classes=("unchanged", "changed"),
        settings={"side": state.side, "scale": scale, "threshold": threshold},
        notes=("trained elsewhere: nothing is known of its accuracy here",),
    )
    stored = save_model(folder, card, pack_states({"net": state}))
    return stored, open_model(stored)[0]


def stored_net(config: RunConfig, plan: RunPlan) -> StoredNet | None:
    """Return the net that a config names; None where it names none.

    Raises
    ------
    InputError
        If there is no such model, its file is refused, or the images lack its bands.
    """
    named = config.detection.net
    if named is None:
        return None
    where, card, arrays = opened_model(config, "net", named, "detection.net")
    found: NetState = unpack_states(arrays, {"net": NetState}, where)["net"]
    if not isinstance(found.bands, tuple) or found.content.dtype != "u1":
        raise InputError(
            "it holds no net", where, "store the ONNX file anew with `tuban model net`"
        )
    state = net_of(found, where)
    require_bands(state, plan.bands, where)
    return StoredNet(card, state)
