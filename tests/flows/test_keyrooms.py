"""No code that decides a product is missing from the keys: imports against `flows.keyrooms`."""

import ast
from functools import cache
from pathlib import Path

import pytest

from flows import keyrooms
from flows.keys import code_fingerprint

ROOT = Path(keyrooms.__file__).parents[1]
ROOMS = ("clues", "configs", "detect", "flows", "models", "tiles", "web")

DECIDES_NOTHING = {
    "clues.store.repository": "the table of clues; what it gives is in a key as a hash",
    "configs.errors": "messages",
    "configs.loading": "parses what is in the keys by value",
    "configs.mistakes": "messages",
    "configs.profiles": "fills the config, whose values are in the keys",
    "configs.told": "messages",
    "flows.aside": "images set aside are in the key of the plan by name",
    "flows.cli": "the command line",
    "flows.cluster": "where tiles are worked",
    "flows.environment": "threads and memory",
    "flows.givenup": "tiles given up are in the key of the tiles as they turned out",
    "flows.journal": "how the manifest is written",
    "flows.keys": "the keys themselves",
    "flows.lock": "who holds a folder",
    "flows.manifest": "what is kept",
    "flows.ownprocess": "other processes, which write the same",
    "flows.opening": "chosen images are in the key of the plan",
    "flows.monitor.parcelwatch": "writes about the parcels of a monitor",
    "flows.preparing": "writes products of its own",
    "flows.progress": "progress",
    "flows.runner": "order of the stages, handing in",
    "flows.stagekeys": "the keys themselves",
    "flows.stages": "order of the stages",
    "flows.survey": "Prefect artifacts",
    "flows.workers": "where tiles are worked",
}
"""Where the walk stops, with the reason."""

BESIDE_THE_STAGE = {
    "gate": {
        **dict.fromkeys(
            ("clues", "configs.transitions", "configs.units", "configs.vocabulary", "detect"),
            "what flows.fitting and flows.fitjob import for the fit",
        ),
        **dict.fromkeys(
            ("flows.monitor.job", "flows.seriesmarks", "models"), "the same: of a series, of models"
        ),
        "flows.tilejob": "only the container of fitted states",
    },
    "fit": {
        "clues.outputs": "what flows.imagery tells of images for people",
        "flows.tilejob": "only the container of fitted states",
    },
    "judge": {"flows.nextscenes": "when hidden ground is seen next: no ground that was seen"},
    "observed": {"flows.nextscenes": "when hidden ground is seen next"},
    "outputs": {"flows.nextscenes": "in the key of what was hidden"},
    "report": {"flows.nextscenes": "in the key of what was hidden"},
}
"""A module that works two stages imports what only one of them uses."""

STAGES = {
    "gate": {
        *("clues", "detect", "models", "flows.seriesmarks", "flows.monitor.job", "flows.tilejob"),
        *("configs.transitions", "configs.vocabulary", "configs.units"),
    },
}
"""A module that works two stages imports what only the second one uses."""

STAGES = {
    "plan": (("flows.plan", "tiles.checksums"), (*keyrooms.PLAN, *keyrooms.LAYERS)),
    "gate": (("flows.fitting", "flows.fitjob"), keyrooms.GATE),
    "fit": (
        ("flows.fitting", "flows.fitjob", "flows.stored", "flows.storedchange", "flows.storednet"),
        (*keyrooms.FIT, *keyrooms.LAYERS, *keyrooms.STORED, *keyrooms.SERIES),
    ),
    "tiles": (("flows.tiling", "flows.tilejob"), keyrooms.TILES),
    "join": (("flows.joining",), (*keyrooms.JOIN, *keyrooms.STORED)),
    "judge": (
        ("flows.judging", "flows.tracing"),
        (*keyrooms.JUDGE, *keyrooms.REGISTER),
    ),
    "report": (("flows.publishing", "flows.reporting"), keyrooms.REPORT),
}
"""Entry modules and what the key names, in order; each stage takes the one before as an input."""

BESIDE = {
    "observed": (("flows.unseen",), keyrooms.OBSERVED),
    "unseen": (("flows.unseen", "flows.nextscenes"), keyrooms.UNSEEN),
    "outputs": (("flows.formats", "flows.pictures", "flows.sheeting"), keyrooms.OUTPUTS),
}
"""Products beside that chain, and the stage whose key they take."""
AFTER = {"observed": "tiles", "unseen": "tiles", "outputs": "judge"}


@cache
def source(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    found = (place.with_suffix(".py"), place / "__init__.py")
    return next((f for f in found if f.is_file()), None)


class Imports(ast.NodeVisitor):
    """What a module imports, inside functions too; not what it imports for types only."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            inside = f"{node.module}.{alias.name}"
            self.found.add(inside if source(inside) else str(node.module))


@cache
def imports(module: str) -> frozenset[str]:
    file, visitor = source(module), Imports()
    assert file is not None, module
    visitor.visit(ast.parse(file.read_bytes()))
    return frozenset(m for m in visitor.found if m.split(".")[0] in ROOMS and source(m))


def within(module: str, rooms: set[str]) -> bool:
    """Tell whether a module or a package that it is in is among rooms."""
    parts = module.split(".")
    return any(".".join(parts[:n]) in rooms for n in range(1, len(parts) + 1))


def missing(entries: tuple[str, ...], named: set[str], stop: set[str]) -> dict[str, str]:
    """Return the modules that entries reach and no key names, each with what imports it."""
    found, seen, todo = {}, set(), [(entry, "") for entry in entries]
    while todo:
        module, by = todo.pop()
        if module in seen or within(module, stop) or module == module.split(".")[0]:
            continue
        seen.add(module)
        if not within(module, named):
            found[module] = by
        todo += [(other, module) for other in imports(module)]
    return found


def not_followed(stage: str) -> set[str]:
    return {*DECIDES_NOTHING, *BESIDE_THE_STAGE.get(stage, ())}


def gaps(without: str = "") -> dict[str, dict[str, str]]:
    named: set[str] = set()
    until, found = {}, {}
    for stage, (entries, rooms) in STAGES.items():
        named |= set(rooms) - {without}
        until[stage] = set(named)
        found[stage] = missing(entries, named, not_followed(stage))
    for name, (entries, rooms) in BESIDE.items():
        own = until[AFTER[name]] | (set(rooms) - {without})
        found[name] = missing(entries, own, not_followed(name))
    return {stage: told for stage, told in found.items() if told}


def test_every_module_that_decides_a_product_is_in_its_key():
    assert gaps() == {}


def test_the_keys_name_these_rooms():
    text = (ROOT / "flows" / "stagekeys.py").read_text()
    assert all(f"keyrooms.{name}" in text for name in keyrooms.__all__)


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("flows.seriesmarks", {"fit"}),
        ("flows.unseen", {"judge"}),
        ("flows.reporting", {"report"}),
        ("flows.imagery", {"fit"}),
    ],
)
def test_a_module_left_out_is_found(module, stages):
    assert stages <= set(gaps(without=module))


def test_files_that_are_read_are_in_a_key_or_decide_nothing():
    rooms = {r for _, named in (*STAGES.values(), *BESIDE.values()) for r in named}
    folders = {f"configs.{f.parent.name}" for f in (ROOT / "configs").glob("*/*.yaml")}
    beside = {"configs.profiles", "configs.rates", "configs.vetting", "configs.watching"}
    assert folders - rooms == beside


def test_files_belong_to_the_module_of_their_name(tmp_path, monkeypatch):
    (tmp_path / "aroom" / "words").mkdir(parents=True)
    for name in ("__init__.py", "words.py", "words/one.yaml", "words/two.yaml"):
        (tmp_path / "aroom" / name).write_text(f"# {name}")
    monkeypatch.syspath_prepend(tmp_path)
    of = {n: code_fingerprint([f"aroom.{n}"]) for n in ("words", "words.one", "words.two")}
    assert len(set(of.values())) == 3


def test_no_sentence_of_a_rule_set_is_in_a_key_before_the_judgement():
    early = {r for stage in ("plan", "gate", "fit", "tiles", "join") for r in STAGES[stage][1]}
    assert not early & {"configs", "configs.rules", "configs.rates", "configs.profiles"}
