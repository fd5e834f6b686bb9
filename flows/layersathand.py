"""Layers that a run can do without: what cannot be read is left out, and said."""

import json
from pathlib import Path

from configs.errors import TubanError
from configs.layers import LayersFile, LayerSpec
from configs.run import RunConfig
from configs.told import Told
from configs.vocabulary import role_name
from tiles.files import atomic_path

__all__ = ["layers_at_hand"]

NAME = "layers-at-hand.yaml"


def layers_at_hand(config: RunConfig, folder: Path) -> tuple[RunConfig, tuple[Told, ...]]:
    """Return a config whose layers can all be read, and which ones were left out.

    A county that has no name in the config has that of the layers file. No layer is looked at
    unless the config says ``missing_layers: leave_out``.

    Parameters
    ----------
    config : RunConfig
    folder : Path
        Run folder, where a layers file of what is left is written.
    """
    config = _named(config)
    if config.missing_layers == "refuse":
        return config, ()
    if config.layers is None or not config.layers.exists():
        name = config.layers.name if config.layers else "layers:"
        return _left(config, LayersFile(), folder), (_no_layers(name),)
    file = LayersFile.load(config.layers)
    kept: list[LayerSpec] = []
    missing: list[Told] = []
    lame = set()
    for spec in file.layers:
        found = _readable(file, spec)
        if isinstance(found, LayerSpec):
            kept.append(found)
        else:
            missing.append(_left_out(spec, found))
            lame.add(spec.role)
    if not missing:
        return config, ()
    layers = tuple(_incomplete(spec) if spec.role in lame else spec for spec in kept)
    return _left(config, file.model_copy(update={"layers": layers}), folder), tuple(missing)


def _named(config: RunConfig) -> RunConfig:
    """Return a config with the name that the layers file tells of its county."""
    area, path = config.area, config.layers
    if area.county_name or path is None or not path.exists():
        return config
    county = LayersFile.load(path).county
    if county is None or county.code not in ("", area.county_code):
        return config
    return config.model_copy(update={"area": area.model_copy(update={"county_name": county.name})})


def _readable(file: LayersFile, spec: LayerSpec) -> LayerSpec | TubanError:
    """Return a layer as it is read, its version named; or why it cannot be read."""
    from clues.layerglance import glance_at
    from clues.layers import with_versions

    try:
        alone = with_versions(file.model_copy(update={"layers": (spec,)}))
        glance_at(alone.layers)
    except TubanError as error:
        return error
    return alone.layers[0]


def _incomplete(spec: LayerSpec) -> LayerSpec:
    """Return a source of a role whose other sources are missing: absence from it tells nothing."""
    return spec.model_copy(update={"complete": False})


def _left(config: RunConfig, file: LayersFile, folder: Path) -> RunConfig:
    """Write the layers that are left into the run folder; return a config that names them."""
    path = folder / NAME
    values = file.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with atomic_path(path) as part:
            part.write_text(text, encoding="utf-8")
    return config.model_copy(update={"layers": path})


def _no_layers(name: str) -> Told:
    return Told(
        f"没有任何图层（{name}）：全部图斑待核实",
        f"no layers at all ({name}): every patch stays open",
    )


def _left_out(spec: LayerSpec, error: TubanError) -> Told:
    gone = isinstance(spec.source, Path) and not spec.source.exists()
    why = "文件不存在" if gone else "无法读取"
    return Told(
        f"缺少图层“{role_name(spec.role)}”（{spec.name}，{why}）：有关判定待核实",
        f"layer left out: {role_name(spec.role, 'en')} ({spec.name}: {error.what}); "
        "what depends on it stays open",
    )
