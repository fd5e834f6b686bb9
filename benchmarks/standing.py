"""What measurements say: ratios to peers and limits, tables, and what became worse.

Pure functions over the results of ``suite.py``; a ratio is always ours ÷ theirs, less is better.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import table
from benchmarks.steps import GOALS

WORSE = 1.2
"""A ratio that grew by more than a fifth is told."""

SPREAD = 15
"""By how much the cost per pixel may differ between sizes, percent."""

BEGIN, END = "<!-- suite: begin -->", "<!-- suite: end -->"
WHOLE_GOALS = {
    "decode 2": (6.0, 3.5),
    "forest script": (0.4, 0.25),
    "Orfeo chain": (0.4, 0.25),
    "GDAL chain": (1.0, 0.67),
}
"""Wall seconds of tuban ÷ each: what must be reached, and the aim."""

STARTUP_GOALS = {"help": 0.5, "check": 2.0, "first run": 20.0}
GIGABYTES, GIGABYTES_AIM = 2.0, 1.0


def ratios(results: Mapping[str, Any]) -> dict[str, float]:
    """Return everything that a table judges, by name; less is better everywhere.

    Parameters
    ----------
    results : mapping
        As ``suite.py`` writes it.

    Returns
    -------
    dict of str to float
    """
    found: dict[str, float] = {}
    for size, one in results["whole"].items():
        rows = one["rows"]
        own = rows["tuban"]
        for name in WHOLE_GOALS:
            if name in rows:
                found[f"whole way {size}, wall ÷ {name}"] = own["wall"] / rows[name]["wall"]
        found[f"whole way {size}, CPU ÷ decode 1"] = own["cpu"] / rows["decode 1"]["cpu"]
        found[f"whole way {size}, peak GB"] = own["peak"] / 1e9
    for step, rows in results["steps"].items():
        for name, one in rows.items():
            if name != "tuban":
                for seconds, key in (("CPU", "cpu"), ("wall", "wall")):
                    found[f"{step}, {seconds} ÷ {name}"] = rows["tuban"][key] / one[key]
    triad = results["limits"]["triad_2"]
    for name in ("help", "check"):
        found[f"start-up, {name}, CPU s × GB/s"] = results["startup"][name]["cpu"] * triad
    first, second = (results["startup"][f"{name} run"] for name in ("first", "second"))
    found["start-up, compiling, CPU s × GB/s"] = first["compiled"] * triad
    found["start-up, first run less second, s × GB/s"] = (first["wall"] - second["wall"]) * triad
    found["start-up, kernels compiled by a second run"] = second["kernels"]
    return found


def worsened(old: Mapping[str, float], new: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Return name, old and new ratio of what grew by more than a fifth, worst first."""
    found = [(k, old[k], new[k]) for k in old if k in new and new[k] > WORSE * old[k]]
    return sorted(found, key=lambda one: (-one[2] / max(one[1], 1e-9), one[0]))


def told_worsened(old: Mapping[str, float], new: Mapping[str, float]) -> str:
    """Return the report of `worsened` for a reader."""
    rows = [
        [name, f"{then:.2f}", f"{now:.2f}", f"{100 * now / then - 100:+.0f} %" if then else ""]
        for name, then, now in worsened(old, new)
    ]
    asked = f"{len(set(old) & set(new))} ratios compared"
    if lost := sorted(set(old) - set(new)):
        asked += f"; not measured now: {', '.join(lost)}"
    if not rows:
        return f"{asked}: none is more than a fifth worse than the committed table"
    return f"{asked}, worse by more than a fifth:\n\n" + table(rows, ["ratio", "then", "now", ""])


def whole_table(one: Mapping[str, Any]) -> str:
    """Return everybody's whole way on one pair."""
    rows, lines = one["rows"], []
    own = rows["tuban"]
    for name, told in rows.items():
        cells = [f"{told['wall']:.1f}", f"{told['cpu']:.1f}"]
        cells.append(f"{told['peak'] / 1e6:,.0f}" if "peak" in told else "–")
        cells += [f"{told.get('patches', 0):,}" if "patches" in told else "–"]
        ratio = own["wall"] / told["wall"]
        goal = ""
        if name in WHOLE_GOALS:
            must, aim = WHOLE_GOALS[name]
            goal = f"≤ {must} ({'met' if ratio <= must else 'missed'}; aim {aim})"
        elif name == "tuban":
            met = "met" if own["peak"] <= GIGABYTES * 1e9 else "missed"
            goal = f"≤ {GIGABYTES:g} GB ({met}; aim {GIGABYTES_AIM:g})"
        lines.append([name, *cells, f"{ratio:.2f}", goal])
    head = ["", "wall s", "CPU s", "peak Σ PSS, MB", "patches", "tuban ÷ it", "goal"]
    return table(lines, head)


def stages_table(whole: Mapping[str, Any]) -> str:
    """Return where tuban's time goes, by size: wall and CPU seconds of each stage."""
    sizes = sorted(whole, key=int)
    spent = [whole[size]["rows"]["tuban"] for size in sizes]
    columns = [[(s["seconds"], s["cpu_seconds"]) for s in one["stages"].values()] for one in spent]
    for one, column in zip(spent, columns, strict=True):
        wall, cpu = (sum(seconds) for seconds in zip(*column, strict=True))
        column.append((one["wall"] - wall, one["cpu"] - cpu))
    names = [*spent[-1]["stages"], "start and end"]
    lines = [
        [name, *(f"{wall:.1f} / {cpu:.1f}" for wall, cpu in row)]
        for name, *row in zip(names, *columns, strict=True)
    ]
    return table(lines, ["wall / CPU s", *(f"{int(size):,}" for size in sizes)])


def steps_table(steps: Mapping[str, Any]) -> str:
    """Return steps with all peers, the best of them and the goal."""
    lines = []
    for step, rows in steps.items():
        own, peers = rows["tuban"], {n: r for n, r in rows.items() if n != "tuban"}
        if not peers:
            lines.append([step, f"{own['cpu']:.2f}", f"{own['wall']:.2f}", "–", "–", "–", ""])
            continue
        named, key, most = GOALS.get(step, ("", "wall", 1.0))
        best = min(peers, key=lambda n: peers[n]["wall"])
        against = named or min(peers, key=lambda n: peers[n][key])
        told = "; ".join(f"{n} {r['cpu']:.2f} / {r['wall']:.2f}" for n, r in peers.items())
        goal = ""
        if against in peers:
            reached = own[key] / peers[against][key]
            words = "CPU" if key == "cpu" else "wall"
            verdict = "met" if reached <= most else "missed"
            goal = f"{words} ≤ {most} × {against}: {reached:.2f}, {verdict}"
        slower = own["wall"] / peers[best]["wall"]
        ratio = f"{slower:.2f} ({best}{'; missed' if slower > 1 else ''})"
        lines.append([step, f"{own['cpu']:.2f}", f"{own['wall']:.2f}", told, ratio, goal])
    head = ["step", "CPU s", "wall s", "peers: CPU / wall s", "wall ÷ best peer (≤ 1)", "goal"]
    return table([line[:6] for line in lines], head)


def decoding_text(results: Mapping[str, Any]) -> str:
    """Return how far the step that reads files is from decoding them; nothing without peers."""
    pairs = [one["rows"] for one in results["whole"].values() if len(one["rows"]) > 3]
    if not pairs:
        return ""
    decode = pairs[0]["decode 1"]["cpu"]
    told = [f"{n} {one['cpu'] / decode:.2f}" for n, one in results["steps"]["index change"].items()]
    return f"Index change ÷ decoding the same files with one thread, CPU: {', '.join(told)}."


def linear_table(whole: Mapping[str, Any]) -> str:
    """Return cost per pixel by size, and of every further pixel, CPU seconds."""
    found = sorted(((one["mpx"], one["rows"]["tuban"]["cpu"], size) for size, one in whole.items()))
    first = found[0][1] / found[0][0]
    lines, last = [], None
    for mpx, cpu, size in found:
        more = f"{(cpu - last[1]) / (mpx - last[0]):.3f}" if last else "–"
        off = 100 * (cpu / mpx / first - 1)
        peak = whole[size]["rows"]["tuban"]["peak"] / 1e6
        met = "met" if abs(off) <= SPREAD else "missed: cheaper" if off < 0 else "missed"
        cells = [f"{mpx:.1f}", f"{cpu:.0f}", f"{cpu / mpx:.3f}", f"{off:+.0f} % ({met})", more]
        lines.append([f"{int(size):,}", *cells, f"{peak:,.0f}"])
        last = (mpx, cpu)
    head = ["side, px", "Mpx", "CPU s", "CPU s/Mpx", f"against the smallest (±{SPREAD} %)"]
    return table(lines, [*head, "CPU s per further Mpx", "peak MB"])


def startup_table(startup: Mapping[str, Any]) -> str:
    """Return start-up: answers, compiling, orchestrator."""
    lines = []
    for name in ("help", "check"):
        one = startup[name]
        met = "met" if one["wall"] <= STARTUP_GOALS[name] else "missed"
        goal = f"≤ {STARTUP_GOALS[name]:g} s ({met})"
        lines.append([f"`tuban {name}`".replace("tuban help", "tuban --help"), one, goal])
    first, second = startup["first run"], startup["second run"]
    waited, most = first["wall"] - second["wall"], STARTUP_GOALS["first run"]
    longer = f"; {waited:.1f} s longer than the second, ≤ {most:g} s"
    for name, one, told, met in (
        ("first run", first, longer, waited <= most),
        ("second run", second, ", none", not second["kernels"]),
    ):
        kernels = f"{one['kernels']} kernels compiled by the run in {one['compiled']:.1f} CPU s"
        goal = f"{kernels}{told} ({'met' if met else 'missed'})"
        lines.append([f"{name} with an empty cache at first", one, goal])
    lines.append(["orchestrator: with Prefect less `--plain`", startup["orchestrator"], ""])
    rows = [[name, f"{one['wall']:.2f}", f"{one['cpu']:.2f}", goal] for name, one, goal in lines]
    shown = [f"{n} {ms:.0f}" for n, ms in startup["imports of check"]]
    dear = [f"`{n}` {s:.1f}" for n, s in startup["first run"]["dearest"][:8]]
    return (
        table(rows, ["", "wall s", "CPU s", "goal"])
        + f"\n\nImports of `tuban check` by `-X importtime`, ms: {', '.join(shown)}."
        + (f"\n\nDearest to compile, CPU s: {', '.join(dear)}." if dear else "")
    )


def limits_text(limits: Mapping[str, float]) -> str:
    """Return what the machine can do."""
    return (
        f"Memory triad {limits['triad_1']:.1f} GB/s on one thread, {limits['triad_2']:.1f} on two; "
        f"disk {limits['write']:.2f} GB/s written, {limits['read']:.2f} read."
    )


def document(results: Mapping[str, Any]) -> str:
    """Return the generated part of RESULTS.md for one profile."""
    parts = [f"`{results['command']}`. {results['machine']}", limits_text(results["limits"])]
    parts.append(f"Ledger the same by one and two workers and other tiles: {results['ledger']}.")
    for name, why in results["missing"].items():
        parts.append(f"**Not measured: {name}; {why}. There is no ratio to it here.**")
    for size, one in results["whole"].items():
        if len(one["rows"]) > 3:
            parts += [
                f"Whole way, {int(size):,} × {int(size):,} pixels, median of {one['repeats']}:",
                whole_table(one),
            ]
    parts += ["Where tuban's time goes:", stages_table(results["whole"])]
    parts += ["Cost per pixel:", linear_table(results["whole"])]
    parts += ["Steps:", steps_table(results["steps"]), decoding_text(results)]
    side = f"{results['startup']['side']:,}"
    parts += [f"Start-up, runs on a pair of {side} × {side} pixels:"]
    parts += [startup_table(results["startup"]), f"All of it took {results['took']:,.0f} s."]
    return "\n\n".join(filter(None, parts))


def inserted(text: str, documents: Sequence[tuple[str, str]]) -> str:
    """Return RESULTS.md with the generated part in place of the last one."""
    if BEGIN not in text:
        head, _, rest = text.partition("\n## ")
        text = f"{head}\n## Side by side\n\n{BEGIN}\n{END}\n\n## {rest}"
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    body = "\n\n".join(f"### {title}\n\n{told}" for title, told in documents)
    return f"{before}{BEGIN}\n\n{body}\n\n{END}{after}"
