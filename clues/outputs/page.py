"""Pages in HTML: one environment for all templates, written atomically, opening without network."""

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

from clues.outputs.lettering import font_path
from tiles.files import atomic_path

__all__ = ["write_page"]


def write_page(path: Path, template: str, *, with_font: bool = True, **values: Any) -> None:
    """Fill a template and write the page.

    Parameters
    ----------
    path : Path
    template : str
        File in ``clues/outputs/templates``; a name it uses and nobody gives is an error.
    with_font : bool
        Give the template ``font``, the shipped font, to be looked at without any other.
    **values
        What the template names; texts are escaped.
    """
    if with_font:
        values["font"] = _font()
    text = _environment().get_template(template).render(**values)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


@lru_cache(maxsize=1)
def _font() -> str:
    return base64.b64encode(font_path().read_bytes()).decode()


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
