"""``tuban explain``: why a patch is a clue, or is none."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from configs.layers import AreaUnit
    from configs.rules import RuleSet

__all__ = ["explain", "register"]


def explain(
    name: Annotated[
        str, typer.Argument(metavar="CLUE_OR_PATCH_ID", help="Clue number, patch or parcel id.")
    ],
    run: Annotated[Path, typer.Option("--run", help="Folder of a judged run.")],
    lang: Annotated[
        Literal["zh", "en"] | None,
        typer.Option("--lang", help="Language.", show_default="that of the rule set"),
    ] = None,
) -> None:
    """Print every rule that was tried on a patch, in order, and why it held or fell."""
    from clues.explain import explanation

    traces = _traces(name, run)
    rules = _rules(run, traces[0]["rule_set"])
    language = lang or rules.spoken.language
    told = [explanation(trace, rules, language) for trace in traces]
    told += _history(traces[0]["patch"], run, rules.spoken.area_unit, language)
    typer.echo("\n\n".join(told))


def _traces(name: str, run: Path) -> list[dict[str, Any]]:
    """Return the traces of all findings of a patch, or of the one parcel that is named."""
    import pandas as pd

    from configs.errors import InputError

    table = run / "findings.parquet"
    if not table.is_file():
        raise InputError(
            "the folder holds no judged run", str(run), "name the folder that judge or run wrote"
        )
    findings = pd.read_parquet(table, columns=["patch_id", "parcel_id", "trace"])
    patch = _patch_of_clue(name, run) or name
    own = findings[((findings["patch_id"] == patch) | (findings["parcel_id"] == name)).to_numpy()]
    if not len(own):
        some = ", ".join(dict.fromkeys(findings["patch_id"].head(5)))
        raise InputError(
            f"there is no clue, patch or parcel {name!r}", str(table), f"there are: {some}, …"
        )
    return [json.loads(text) for text in own["trace"]]


def _history(patch: str, run: Path, unit: "AreaUnit", language: str) -> list[str]:
    """Return what a register tells of the thing that a patch shows; nothing without one."""
    import geopandas as gpd

    from clues.outputs.history import object_lines
    from clues.store.lineage import object_history
    from flows.registering import keeps_register, store_of

    if not keeps_register(run):
        return []
    table = gpd.read_parquet(run / "patches.parquet", columns=["patch_id", "object_id", "geometry"])
    (name,) = table["object_id"][table["patch_id"] == patch]
    store = store_of(run)
    try:
        with store.engine.connect() as connection:
            lines = object_lines(object_history(connection, str(name)), unit, language)
    finally:
        store.close()
    return ["\n".join(lines)] if lines else []


def _patch_of_clue(name: str, run: Path) -> str | None:
    from clues.store.verdicts import clue_numbers
    from flows.registering import has_store, store_of

    if not has_store(run):
        return None
    store = store_of(run)
    try:
        return next((patch for patch, clue in clue_numbers(store).items() if clue == name), None)
    finally:
        store.close()


def _rules(run: Path, name: str) -> "RuleSet":
    """Return the rule set the run kept, or else the shipped one of that name."""
    from configs.rules import load_rules

    kept = run / "rules.json"
    return load_rules(str(kept) if kept.is_file() else name)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)
