"""Pages in HTML: one environment for all templates, written atomically, opening without network."""

import base64
from pathlib import Path
from typing import Any

from clues.outputs.lettering import font_path
from tiles.files import atomic_path

__all__ = ["write_page"]


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write the page.

    Parameters
    ----------
    path : Path
    template : str
        File in ``clues/outputs/templates``; a name it uses and nobody gives is an error.
    **values
        What the template names beside ``font``, the shipped font; texts are escaped.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clues.outputs"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    font = base64.b64encode(font_path().read_bytes()).decode()
    text = environment.get_template(template).render(font=font, **values)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")
