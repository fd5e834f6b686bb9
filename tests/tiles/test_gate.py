"""The pair gate: each figure beside its limit, a remedy for each refusal."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.errors import PairRefused
from tiles.block import Block
from tiles.gate import GateCheck, gate_report, radiometric_jump, require_gate
from tiles.grid import Extent
from tiles.registration import Registration
from tiles.scene import BandSource, Epoch, Scene

GOOD = Registration(0.4, -0.3, 20, 18, 0.2, 0.54, 0.5, 19)
DONE = Registration(0.0, 0.0, 20, 19, 0.15, 0.15, 0.0, 20)


def epoch(day: str | None) -> Epoch:
    scene = Scene("s", {"red": BandSource(Path("r.tif"))})
    return Epoch.of([scene], date=dt.date.fromisoformat(day) if day else None)


def block(after: NDArray[np.float32] | None = None) -> Block:
    extent = Extent(0, 0, 64, 64)
    before = np.random.default_rng(0).uniform(0.02, 0.3, (3, 64, 64)).astype(np.float32)
    after = before if after is None else after
    valid = np.ones(extent.shape, np.bool_)
    return Block(
        extent, extent, ("a", "b", "c"), before, after, valid, np.zeros((2, 64, 64), np.uint8)
    )


def report(
    first: str | None = "2024-01-01", second: str | None = "2025-01-01", **kwargs: Any
) -> dict[str, GateCheck]:
    values: dict[str, Any] = {
        "bands": ("red",),
        "overlap_percent": 100.0,
        "valid_percent": 98.0,
        "resolution_ratio": 1.0,
        "found": GOOD,
        "left": DONE,
        "blocks": [block()],
    }
    checks = gate_report(epoch(first), epoch(second), **(values | kwargs))
    assert len({c.name for c in checks}) == len(checks) == 9
    return {c.name: c for c in checks}


def test_a_good_pair_passes() -> None:
    checks = report()
    assert all(c.passed and not c.remedy for c in checks.values())
    assert checks["date order"].value == 366
    assert checks["common bands"].detail == "red"
    assert checks["shift"].value == pytest.approx(0.5)
    assert checks["residual shift"].value == pytest.approx(0.15)
    require_gate(tuple(checks.values()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("common bands", {"bands": ()}),
        ("overlap", {"overlap_percent": 4.9}),
        ("usable pixels", {"valid_percent": 1.0}),
        ("resolution", {"resolution_ratio": 6.0}),
        ("date order", {"first": "2025-06-01"}),
        ("agreeing windows", {"left": Registration(0.0, 0.0, 20, 8, 0.1, 0.1, 0.0, 18)}),
        ("shift", {"found": Registration(9.0, 0.0, 9, 9, 0.1, 9.0, 9.0, 9)}),
        ("residual shift", {"left": Registration(0.8, 0.8, 9, 9, 0.1, 1.14, 1.13, 9)}),
        ("residual shift", {"left": Registration(0.0, 0.0, 9, 9, 1.2, 1.2, 0.0, 9)}),
    ],
)
def test_each_limit_refuses(name: str, change: dict[str, Any]) -> None:
    checks = report(**change)
    assert [c.name for c in checks.values() if not c.passed] == [name]
    assert checks[name].remedy
    with pytest.raises(PairRefused, match=rf"{name} is .* \(limit ") as caught:
        require_gate(tuple(checks.values()))
    assert caught.value.fix == checks[name].remedy


def test_unknown_figures_are_told_and_refuse_nothing() -> None:
    nothing = Registration(0.0, 0.0, 0, 0, 0.0)
    checks = report(None, None, found=nothing, left=nothing, blocks=[])
    silent = [c for c in checks.values() if c.value is None]
    assert [c.name for c in silent] == [
        "date order",
        "shift",
        "residual shift",
        "agreeing windows",
        "radiometric offset",
    ]
    assert all(c.remedy for c in silent[:4])
    require_gate(tuple(checks.values()))


@pytest.mark.parametrize(("textured", "refused"), [(0, False), (8, False), (9, True), (48, True)])
def test_windows_that_tell_no_displacement(textured: int, refused: bool) -> None:
    lost = Registration(0.0, 0.0, 48, 0, 0.0, textured=textured)
    checks = tuple(report(found=lost, left=lost).values())
    assert [c.name for c in checks if c.value is None] == (
        ["shift", "residual shift"] + ["agreeing windows"] * (not refused)
    )
    if not refused:
        require_gate(checks)
        return
    told = rf"agreeing windows is 0\.00 % \(limit 50\): 0 of {textured} windows"
    with pytest.raises(PairRefused, match=told) as caught:
        require_gate(checks)
    assert "georeferencing" in caught.value.fix
    assert "gate.register_pair: false" in caught.value.fix


def test_a_pair_that_is_not_to_be_registered_says_so() -> None:
    checks = report(found=None, left=None)
    assert "register_pair" in checks["shift"].remedy
    require_gate(tuple(checks.values()))


def test_the_same_day_is_allowed() -> None:
    assert report("2024-01-01", "2024-01-01")["date order"].passed


def test_a_radiometric_jump_is_reported_only() -> None:
    plain = block()
    assert radiometric_jump([plain]) == pytest.approx(0.0)
    jumped = block(plain.before + np.float32(0.2))
    check = report(blocks=[jumped])["radiometric offset"]
    assert check.value == pytest.approx(0.2 / 0.275, rel=0.05)
    assert not check.passed
    assert check.advisory
    require_gate((check,))
    changed = plain.before.copy()
    changed[:, :30] = 0.6
    assert abs(radiometric_jump([block(changed)]) or 0.0) < 0.05
    assert radiometric_jump([]) is None


def test_all_refusals_come_together() -> None:
    checks = report(bands=(), overlap_percent=0.0)
    with pytest.raises(PairRefused, match=r"common bands is 0\.00 bands.*; overlap is 0\.00 %"):
        require_gate(tuple(checks.values()))
