"""What a finished or stopped run did, as values and as lines for a person."""

from pathlib import Path
from typing import Any

from flows.manifest import Run
from flows.runs.state import read_state, summary_of
from flows.runs.text import columns, size_text, time_text

__all__ = ["run_account", "shown_account"]

REASONS_SHOWN = 3


def run_account(folder: Path) -> dict[str, Any]:
    """Return what a run did: its state, the record of each stage, products, exceptions, latency.

    Raises
    ------
    RunError
        If the folder holds no manifest.
    """
    run, state, summary = Run.open(folder), read_state(folder), summary_of(folder)
    records = {n["stage"]: n for n in run.notes if n["kind"] == "stage"}
    products: dict[str, dict[str, Any]] = {}
    for product in run.products():
        part = products.setdefault(
            product.stage, {"products": 0, "files": 0, "bytes": 0, "seconds": 0.0}
        )
        part["seconds"] += product.seconds
        part["files"] += len(product.files)
        part["bytes"] += sum(r.size for r in product.files if r.path not in run.pruned)
    return {
        "run": folder.name,
        "state": state.state,
        "why": state.why,
        "profile": state.profile,
        "county": state.county,
        "before": state.before,
        "after": state.after,
        "clues": state.clues,
        "started": state.started,
        "ended": state.ended,
        "starts": sum(note["kind"] == "start" for note in run.notes),
        "pruned": len(run.pruned),
        "stages": list(records.values()),
        "products": products,
        "outputs": [p.name for p in run.products("outputs")],
        "exceptions": summary.get("exceptions", []),
        "latency": summary.get("latency"),
        "versions": summary.get("versions", {}),
    }


def shown_account(account: dict[str, Any]) -> list[str]:
    """Return the account of a run as lines."""
    about = [account[n] for n in ("profile", "county") if account[n]]
    lines = [f"{account['run']}: {account['state']}" + (f", {', '.join(about)}" if about else "")]
    lines += [account["why"]] if account["why"] else []
    lines.append(f"images {account['before'] or '?'} → {account['after'] or '?'}")
    if account["clues"] is not None:
        lines.append(f"{account['clues']} clues")
    lines.append(
        f"started {account['started']}, last event {account['ended']}, {account['starts']} starts"
    )
    if latency := account["latency"]:
        lines.append(
            f"from image to clue: half of {latency['clues']} within {latency['p50_days']} days, "
            f"90 % within {latency['p90_days']} days"
        )
    lines += ["", *_stage_lines(account), ""]
    lines += [f"exception: {text}" for text in account["exceptions"]]
    lines += [f"output: {name}" for name in account["outputs"]]
    lines += [f"{name}: {value}" for name, value in account["versions"].items() if value]
    if account["pruned"]:
        lines.append(f"{account['pruned']} files were pruned; they are made again where needed")
    return lines


def _stage_lines(account: dict[str, Any]) -> list[str]:
    head = [
        "stage",
        "wall",
        "CPU",
        "peak",
        "read",
        "written",
        "reused",
        "made",
        "on disk",
        "making",
    ]
    rows, reasons = [head], []
    for record in account["stages"]:
        told = record.get("reuse", {})
        made = told.get("made", {})
        kept = account["products"].get(record["stage"], {})
        moved = [size_text(record.get(n)) for n in ("peak_bytes", "read_bytes", "written_bytes")]
        rows.append(
            [
                record["stage"],
                time_text(record["seconds"]),
                time_text(record["cpu_seconds"]),
                *moved,
                str(told.get("reused", "")),
                str(sum(made.values())) if told else "",
                size_text(kept.get("bytes")),
                time_text(kept.get("seconds")),
            ]
        )
        why = sorted(made.items(), key=lambda item: -item[1])[:REASONS_SHOWN]
        reasons += [f"{record['stage']}: {count} made: {text}" for text, count in why]
    return [*columns(rows, right=range(1, len(head))), "", *reasons]
