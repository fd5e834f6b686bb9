"""Pages in HTML: one environment for all templates, written atomically, opening without network.

Every page carries the letters of its text, so that it looks the same on every machine.
"""

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

from clues.outputs.webfont import woff_of
from tiles.files import atomic_path

__all__ = ["write_page"]

FONT = "{letters of this page}"
"""Stands for the font until the text is known; no letter of it is special in HTML."""


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write the page.

    Parameters
    ----------
    path : Path
    template : str
        File in ``clues/outputs/templates``; a name it uses and nobody gives is an error. Its
        ``font`` is a data address of the shipped font with the letters of the page.
    **values
        What the template names; texts are escaped.
    """
    text = _environment().get_template(template).render(**values, font=FONT)
    font = base64.b64encode(woff_of(text)).decode()
    text = text.replace(FONT, f"data:font/woff;base64,{font}", 1)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("clues.outputs"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
