"""Fitted states survive the disk and refuse to be altered."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.errors import InputError
from tiles.coregister import Registration
from tiles.state import load_states, save_states, state_hash


@dataclass(frozen=True)
class Inner:
    weights: NDArray[np.float64]
    label: str


@dataclass(frozen=True)
class Outer:
    gain: float
    names: tuple[str, ...]
    inner: Inner
    parts: tuple[Inner, ...]
    pair: tuple[int, float]
    limits: dict[str, float]
    note: str | None
    extra: Inner | None = None


def make(value: float = 1.5) -> Outer:
    inner = Inner(np.array([0.1, value]), "a")
    return Outer(
        value, ("x", "y"), inner, (inner, Inner(np.zeros(3), "b")), (1, 2.5), {"k": 3.0}, None
    )


def test_round_trip(tmp_path: Path) -> None:
    states = {"outer": make(), "registration": Registration(0.25, -1.5, 9, 8, 0.07)}
    digest = save_states(tmp_path, states)
    back = load_states(tmp_path, {"outer": Outer, "registration": Registration, "absent": Inner})
    assert sorted(back) == ["outer", "registration"]
    assert back["registration"] == states["registration"]
    outer = back["outer"]
    assert (outer.gain, outer.names, outer.pair, outer.limits) == (
        1.5,
        ("x", "y"),
        (1, 2.5),
        {"k": 3.0},
    )
    assert outer.note is None
    assert outer.extra is None
    np.testing.assert_array_equal(outer.inner.weights, [0.1, 1.5])
    assert [p.label for p in outer.parts] == ["a", "b"]
    assert state_hash(back) == digest == state_hash(states)


def test_hash_sees_numbers_arrays_and_types() -> None:
    hashes = {
        state_hash({"s": make()}),
        state_hash({"s": make(1.5000001)}),
        state_hash({"t": make()}),
        state_hash({"s": Inner(np.zeros(2), "a")}),
        state_hash({"s": Inner(np.zeros(2, np.float32), "a")}),
    }
    assert len(hashes) == 5


@pytest.mark.parametrize("file", ["state.json", "state.npz"])
def test_an_altered_state_is_refused(tmp_path: Path, file: str) -> None:
    save_states(tmp_path, {"outer": make()})
    if file == "state.json":
        path = tmp_path / file
        stored = json.loads(path.read_text())
        stored["states"]["outer"]["gain"] = 9.0
        path.write_text(json.dumps(stored))
    else:
        other = tmp_path / "other"
        save_states(other, {"outer": make(7.0)})
        (other / file).replace(tmp_path / file)
    with pytest.raises(InputError, match="altered"):
        load_states(tmp_path, {"outer": Outer})


def test_no_state_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tuban fit"):
        load_states(tmp_path, {"outer": Outer})
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(InputError, match="no fitted state"):
        load_states(tmp_path, {"outer": Outer})
