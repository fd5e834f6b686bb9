"""Model files: what is written comes back; what was altered or made elsewhere is refused."""

import datetime as dt
import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from models.cards import card_lines
from models.modelfile import model_hash
from models.registry import ModelCard, ModelRegistry, open_model, save_model

CARD = ModelCard(
    "县-forest",
    "landcover",
    dt.date(2025, 9, 30),
    data={"landuse": "0f3a"},
    sensor="sentinel-2-l2a",
    season="4 → 9",
    bands=("B02", "B08"),
    classes=("cropland", "water"),
    metrics={"macro_f1": 0.912},
    settings={"trees": 60},
    notes=("water is rare",),
)
ARRAYS = {
    "thresholds": np.linspace(0, 1, 7, dtype=np.float32),
    "empty": np.zeros((0, 3), np.int16),
    "number": np.array(3),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "file": np.array([True, False]),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return save_model(tmp_path_factory.mktemp("models"), CARD, ARRAYS).read_bytes()


def sealed(body: bytes) -> bytes:
    """Seal bytes as the format says, so that only what is inside can be wrong."""
    return body + hashlib.sha256(body).hexdigest().encode()


def zipped(
    members: dict[str, bytes], method: int = zipfile.ZIP_STORED, *, seal: bool = True
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = b"0" * 64 if seal else b""
    return sealed(out.getvalue()[:-64]) if seal else out.getvalue()


def parts(stored: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(stored)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(array: np.ndarray, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def with_card(stored: bytes, **changes: object) -> bytes:
    found = parts(stored)
    found["card.json"] = json.dumps(json.loads(found["card.json"]) | changes).encode()
    return zipped(found)


def with_arrays(stored: bytes, arrays: bytes) -> bytes:
    return zipped(parts(stored) | {"arrays.npz": arrays})


def test_a_model_comes_back_as_it_was_written(tmp_path: Path):
    path = save_model(tmp_path, CARD, ARRAYS)
    card, arrays = open_model(path)
    assert path.name == f"县-forest-{card.hash[:8]}.tuban"
    assert card.hash == model_hash(CARD, ARRAYS)
    assert card == ModelCard(**(vars(CARD) | {"hash": card.hash}))
    assert sorted(arrays) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    again = save_model(tmp_path / "again", card, dict(reversed(ARRAYS.items())))
    assert again.read_bytes() == path.read_bytes()
    later = ModelCard(**(vars(CARD) | {"created": dt.date(2026, 1, 1)}))
    before = path.read_bytes()
    assert save_model(tmp_path, later, ARRAYS) == path
    assert path.read_bytes() == before
    elsewhere = save_model(tmp_path / "elsewhere", later, ARRAYS)
    assert ModelRegistry(tmp_path).add(elsewhere) == path
    assert path.read_bytes() == before


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_one_altered_byte_is_enough(stored: bytes, tmp_path: Path, place: float, change: int):
    raw = bytearray(stored)
    raw[int(place * len(raw))] ^= change
    path = tmp_path / "altered.tuban"
    path.write_bytes(raw)
    with pytest.raises(InputError):
        open_model(path)


BOMB = npy(np.zeros(3)).replace(b"(3,)", b"(9" + b"0" * 15 + b",)").replace(b" " * 15, b"", 1)

FOREIGN = {
    "empty": (lambda s: b"", "it is empty"),
    "cut short": (lambda s: s[:-1], "altered or cut short"),
    "half": (lambda s: s[: len(s) // 2], "altered or cut short"),
    "longer": (lambda s: s + b"\n", "altered or cut short"),
    "pickle": (lambda s: pickle.dumps({"trees": [1]}), "Python pickle"),
    "old pickle": (lambda s: pickle.dumps({"trees": [1]}, protocol=0), "does not begin like one"),
    "text": (lambda s: b"card.json", "does not begin like one"),
    "other zip": (lambda s: zipped({"model.onnx": b"x"}), "does not begin like one"),
    "not sealed": (lambda s: zipped(parts(s), seal=False), "altered or cut short"),
    "version": (lambda s: with_card(s, format=1), "format version 1, this tuban reads version 2"),
    "field": (lambda s: with_card(s, formula="x"), "formula"),
    "no card": (lambda s: zipped({"card.json": b"[1]", "arrays.npz": b""}), "card cannot be read"),
    "type": (lambda s: with_card(s, bands="B02"), "bands"),
    "name": (lambda s: with_card(s, name="../../x"), "name"),
    "kind": (lambda s: with_card(s, kind="virus"), "kind"),
    "not a number": (lambda s: with_card(s, metrics={"f1": float("nan")}), "metrics"),
    "endless": (lambda s: with_card(s, settings={"a": float("inf")}), "holds what it may not"),
    "half a character": (lambda s: with_card(s, notes=["\ud800"]), "holds what it may not"),
    "other card": (lambda s: with_card(s, metrics={"macro_f1": 0.99}), "not the one its card"),
    "path": (lambda s: zipped(parts(s) | {"../../x": b"y"}), "../../x"),
    "compressed": (lambda s: zipped(parts(s), zipfile.ZIP_DEFLATED), "compressed"),
    "bomb": (
        lambda s: with_arrays(s, zipped({"a.npy": npy(np.zeros(9999))}, 8, seal=False)),
        "compressed",
    ),
    "array path": (
        lambda s: with_arrays(s, zipped({"../a.npy": npy(np.zeros(3))}, seal=False)),
        "../a.npy",
    ),
    "huge array": (lambda s: with_arrays(s, zipped({"a.npy": BOMB}, seal=False)), "24 bytes"),
    "objects": (
        lambda s: with_arrays(
            s, zipped({"a.npy": npy(np.array([{}], object), allow_pickle=True)}, seal=False)
        ),
        "object instead of numbers",
    ),
    "no arrays": (lambda s: with_arrays(s, b"nothing"), "not a zip file"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_we_did_not_write_is_refused(stored: bytes, tmp_path: Path, case: str):
    make, told = FOREIGN[case]
    path = tmp_path / "foreign.tuban"
    path.write_bytes(make(stored))
    with pytest.raises(InputError) as caught:
        open_model(path)
    assert told in caught.value.what
    assert caught.value.where == str(path)
    assert caught.value.fix


def test_members_that_overlap_or_lie_about_their_size_are_refused(stored: bytes, tmp_path: Path):
    path = tmp_path / "foreign.tuban"
    size = len(parts(stored)["card.json"])
    lie = stored[:-64].replace(size.to_bytes(4, "little"), (1 << 30).to_bytes(4, "little"))
    path.write_bytes(sealed(lie))
    with pytest.raises(InputError, match="larger than the file"):
        open_model(path)


@pytest.mark.parametrize(
    ("card", "arrays"),
    [
        (ModelCard("a/b", "landcover", dt.date(2025, 1, 1)), {}),
        (ModelCard("a", "landcover", dt.date(2025, 1, 1), metrics={"f1": float("nan")}), {}),
        (ModelCard("a", "landcover", dt.date(2025, 1, 1), data={"path": Path("a")}), {}),
        (ModelCard("a", "clues", dt.date(2025, 1, 1), data={"patches": ["x" * (17 << 20)]}), {}),
        (CARD, {"objects": np.array([{}], object)}),
        (CARD, {"../a": np.zeros(3)}),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, card, arrays):
    with pytest.raises(InputError):
        save_model(tmp_path, card, arrays)
    assert not list(tmp_path.iterdir())


def test_a_registry_finds_chooses_and_hands_on(tmp_path: Path):
    registry = ModelRegistry(tmp_path / "here")
    assert registry.list() == []
    assert registry.in_use("landcover") is None
    with pytest.raises(InputError, match="tuban model train"):
        registry.find("a")
    first = save_model(registry.folder, CARD, ARRAYS)
    other = ModelCard("other", "clues", dt.date(2025, 10, 1))
    second = save_model(registry.folder, other, {})
    hashes = [open_model(p)[0].hash for p in (first, second)]
    assert registry.find("县-forest") == registry.find(hashes[0][:6]) == first
    assert registry.find("other") == registry.find(second.stem) == second
    registry.use("other")
    registry.use(hashes[0])
    assert registry.in_use("clues") == second
    assert registry.in_use("landcover") == first
    there = ModelRegistry(tmp_path / "there")
    (tmp_path / "stick").mkdir()
    carried = registry.export("other", tmp_path / "stick")
    assert there.add(carried).read_bytes() == second.read_bytes()
    assert there.add(carried) == there.find("other")
    with pytest.raises(InputError, match="another file stands there"):
        registry.export("县-forest", carried)


def test_a_registry_says_which_model_is_meant_when_it_cannot_know(tmp_path: Path):
    registry = ModelRegistry(tmp_path)
    for trees in (1, 2):
        save_model(tmp_path, CARD, {"trees": np.array(trees)})
    with pytest.raises(InputError, match="2 models are called '县-forest'"):
        registry.use("县-forest")
    lost = save_model(tmp_path, ModelCard("lost", "clues", dt.date(2025, 10, 1)), {})
    registry.use("lost")
    assert registry.used() == ({lost}, [])
    lost.unlink()
    with pytest.raises(InputError, match=r"the clues model in use, .*not there any more") as caught:
        registry.in_use("clues")
    assert caught.value.where == str(tmp_path / "in-use.json")
    assert "tuban model add" in caught.value.fix
    assert [error.what for error in registry.used()[1]] == [caught.value.what]
    (tmp_path / "broken-12345678.tuban").write_bytes(b"PK")
    assert [type(card).__name__ for _, card in registry.list()].count("InputError") == 1
    (tmp_path / "in-use.json").write_text("[]")
    with pytest.raises(InputError, match="in use"):
        registry.in_use("clues")


def test_a_file_that_is_called_like_another_model_is_refused(tmp_path: Path):
    registry = ModelRegistry(tmp_path)
    first = save_model(tmp_path, CARD, ARRAYS)
    other = ModelCard("other", "landcover", dt.date(2025, 10, 1))
    second = save_model(tmp_path, other, {"trees": np.array(1)})
    registry.use("other")
    second.write_bytes(first.read_bytes())
    for ask in (
        lambda: registry.find("other"),
        lambda: registry.open("other", "landcover"),
        lambda: registry.in_use("landcover"),
        lambda: registry.use(second.stem),
        lambda: registry.export("other", tmp_path / "x.tuban"),
    ):
        with pytest.raises(InputError, match=f"holds the model {first.stem}") as caught:
            ask()
        assert caught.value.where == str(second)
        assert first.name in caught.value.fix
    assert [type(card) for _, card in registry.list()].count(InputError) == 1
    copy = tmp_path / f"copy-{first.stem[-8:]}.tuban"
    copy.write_bytes(first.read_bytes())
    registry.use(first.stem)
    assert registry.in_use("landcover") == registry.find(first.stem[-8:]) == first


def test_a_path_is_told_from_a_name(tmp_path: Path):
    registry = ModelRegistry(tmp_path / "here")
    path = save_model(registry.folder, CARD, ARRAYS)
    assert registry.use(str(path)).name == CARD.name
    away = registry.export(CARD.name, tmp_path / "away.tuban")
    with pytest.raises(InputError, match="is a file") as caught:
        registry.use(str(away))
    assert f"tuban model add {away}" in caught.value.fix
    with pytest.raises(InputError, match=r"ends with \.tuban"):
        registry.export(CARD.name, tmp_path / "away.zip")
    assert not (tmp_path / "away.zip").exists()


def test_a_card_from_elsewhere_cannot_command_a_terminal():
    card = ModelCard(
        "a", "net", dt.date(2025, 1, 1), notes=("\x1b[2Jgone",), data={"x": {"y": [1]}}
    )
    many = ModelCard(
        "a", "clues", dt.date(2025, 1, 1), data={"patches": list(range(500))},
        classes=("real", "pseudo"), settings={"classifier": "boosting"},
    )  # fmt: skip
    lines = card_lines(many, "zh")
    assert "类别：真实变化，伪变化" in lines
    assert "  分类器：梯度提升树" in lines
    assert lines[-1].startswith("  图斑：0，1，2")
    assert lines[-1].endswith("，19，… (500)")
    lines = card_lines(card, "en")
    assert "notes: [2Jgone" in lines
    assert "  x: y: 1" in lines
