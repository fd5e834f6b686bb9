"""Licences of what tuban is made of, and a bill of materials of an installation.

``python docs/licences.py`` writes ``docs/licences.md`` and its Chinese page for the pinned packages
that are installed here; ``python docs/licences.py --sbom FILE`` writes what is installed as
CycloneDX 1.6 JSON.
"""

import argparse
import json
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions, requires, version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).parent
FONT_VERSION = "2.004"
"""Of the shipped font, as the file itself tells it."""

HEADS = {
    "licences.md": """# Licences

The project itself is Apache-2.0. It ships a font, Noto Sans SC (SIL Open Font License 1.1), and
in the page of the desk maplibre-gl (BSD-3-Clause) and @maplibre/maplibre-gl-compare (ISC), whose
versions stand in `web/static/vendor/README.md`.
Below is what a plain installation brings, with the pinned version and the licence that each
package states.
Made by `make licences`; a test holds it against `constraints.txt`. `make dist` writes the same, and
what is shipped, as a bill of materials, `dist/tuban.cdx.json` (CycloneDX).

Extras are not in the list: `tuban[s2cloudless]` brings a model under CC BY-SA 4.0.

| package | version | licence |
|---|---|---|
""",
    "licences.zh.md": """# 许可

项目本身为 Apache-2.0。随带思源黑体 Noto Sans SC（SIL Open Font License 1.1），工作台页面随带
maplibre-gl（BSD-3-Clause）和 @maplibre/maplibre-gl-compare（ISC），其版本见
`web/static/vendor/README.md`。
下面是普通安装所带来的软件包，附固定的版本和各软件包自己写明的许可。
由 `make licences` 生成；一项测试把它与 `constraints.txt` 对照。`make dist` 把同样的内容
连同随带的部分写成物料清单 `dist/tuban.cdx.json`（CycloneDX）。

可选的附加部分不在清单中：`tuban[s2cloudless]` 带来一个 CC BY-SA 4.0 的模型。

| 软件包 | 版本 | 许可 |
|---|---|---|
""",
}
"""What stands above the table, by page."""


def plain(name: str) -> str:
    """Return a name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, Distribution]:
    """Return what is installed, by plain name."""
    return {plain(d.metadata["Name"]): d for d in distributions() if d.metadata["Name"]}


def brought(here: dict[str, Distribution], start: str = "tuban") -> list[str]:
    """Return the plain names of what an installation without extras brings, sorted."""
    found: set[str] = set()
    waiting = [(start, frozenset[str]())]
    while waiting:
        name, extras = waiting.pop()
        for line in requires(name) or []:
            need = Requirement(line)
            wanted = any(
                need.marker is None or need.marker.evaluate({"extra": extra})
                for extra in (*extras, "")
            )
            key = plain(need.name)
            if wanted and key in here and key not in found:
                found.add(key)
                waiting.append((key, frozenset(need.extras)))
    return sorted(found)


def licence(package: Distribution) -> str:
    """Return the licence that a package states: an SPDX expression, a classifier, or its words."""
    told = package.metadata.get("License-Expression")
    if told:
        return str(told)
    classes = [
        c for c in package.metadata.get_all("Classifier") or [] if c.startswith("License ::")
    ]
    names = [
        c.rpartition(" :: ")[2]
        for c in classes
        if c.startswith("License ::") and c.count(" :: ") > 1
    ]
    if names:
        return " or ".join(dict.fromkeys(names))
    words = str(package.metadata.get("License") or "").strip().splitlines()
    return words[0][:60] if words else "not stated"


def pages() -> dict[str, str]:
    """Return the pages of licences by name."""
    here = installed()
    rows = [
        f"| {name} | {here[name].version} | {licence(here[name])} |\n" for name in brought(here)
    ]
    return {name: head + "".join(rows) for name, head in HEADS.items()}


def shipped() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, version, package URL and licence of what lies in the project itself."""
    yield "noto-sans-sc", FONT_VERSION, f"pkg:generic/noto-sans-sc@{FONT_VERSION}", "OFL-1.1"
    table = (ROOT / "web" / "static" / "vendor" / "README.md").read_text(encoding="utf-8")
    row = re.compile(r"^\| (@?[a-z/-]+) \| (\d[\d.]*) \| ([\w.-]+)", re.MULTILINE)
    for name, number, terms in row.findall(table):
        yield name, number, f"pkg:npm/{name.replace('@', '%40')}@{number}", terms


def components() -> Iterator[dict[str, object]]:
    """Yield the components of the bill of materials."""
    here = installed()
    told = [
        (name, here[name].version, f"pkg:pypi/{name}@{here[name].version}", licence(here[name]))
        for name in brought(here)
    ]
    for name, number, purl, terms in sorted([*told, *shipped()]):
        yield {
            "type": "library",
            "name": name,
            "version": number,
            "purl": purl,
            "licenses": [{"license": {"name": terms}}],
        }


def bill() -> str:
    """Return the bill of materials as CycloneDX 1.6 JSON; the same installation gives the same."""
    own = {"type": "application", "name": "tuban", "version": version("tuban")}
    told = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": list(components()),
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the pages, or the bill of materials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sbom", type=Path, help="write the bill of materials here instead")
    path = parser.parse_args().sbom
    told = {path: bill()} if path else {FOLDER / name: text for name, text in pages().items()}
    for target, text in told.items():
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
