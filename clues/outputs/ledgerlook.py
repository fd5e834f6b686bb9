"""How a ledger looks: formats of cells, heights of rows, pictures, paper."""

from collections.abc import Sequence
from io import BytesIO
from math import ceil
from typing import Any

from clues.outputs.columns import Column

__all__ = [
    "EXCEL_TEXT_LIMIT",
    "add_picture",
    "formats_of",
    "print_setup",
    "row_height",
    "text_height",
]

BLUE, YELLOW, GREY, FONT = "#4472C4", "#FFF2CC", "#F2F2F2", "微软雅黑"
EXCEL_TEXT_LIMIT = 32_000
LINE_PT, ROW_PT, PICTURED_PT, TALLEST_PT = 14.0, 30.0, 78.0, 409.0
PX_PER_PT = 4 / 3
A4, A3 = 9, 8
"""Codes of paper in workbooks."""

WIDEST_ON_A4 = 195.0
"""Characters across A4 whose texts of 10 points still print with 6 points and more."""

PICTURE_PX = 98
"""Side of a picture in a column of 14 characters (103 pixels) and a row of 78 points (104)."""


def formats_of(book: Any) -> dict[str, Any]:
    """Return the formats of cells by kind of column, and ``title``, ``head`` and the total's."""
    base = {"font_name": FONT, "font_size": 10, "border": 1, "valign": "vcenter"}
    base |= {"border_color": "#A6A6A6"}
    head = base | {"bold": True, "font_color": "#FFFFFF", "bg_color": BLUE, "text_wrap": True}
    text = base | {"text_wrap": True, "indent": 1}
    total = base | {"bold": True, "bg_color": YELLOW}
    areas, fill = {"num_format": "#,##0.00", "shrink": True}, text | {"bg_color": GREY}
    title = {"font_name": FONT, "font_size": 18, "bold": True, "align": "left"}
    looks = {
        "title": title | {"valign": "vcenter"},
        "head": head | {"align": "center"},
        "text": text,
        "line": base | {"indent": 1},
        "picture": text,
        "whole": base | {"num_format": "0"},
        "area": base | areas,
        "degree": base | {"num_format": "0.000000"},
        "measure": base | {"num_format": "0.00"},
        "fill": fill,
        "fill_area": fill | areas,
        "fill_day": fill | {"num_format": "yyyy-mm-dd"},
        "total": total,
        "total_area": total | areas,
    }
    return {name: book.add_format(look) for name, look in looks.items()}


def row_height(columns: Sequence[Column], values: Sequence[Any], *, pictured: bool) -> float:
    """Return the height in points that shows all texts of a row, and its pictures."""
    pairs = zip(columns, values, strict=True)
    told = [(str(value), c.width) for c, value in pairs if c.kind in ("text", "fill")]
    return text_height(told, least=PICTURED_PT if pictured else ROW_PT)


def text_height(told: Sequence[tuple[str, float]], *, least: float) -> float:
    """Return the height in points that shows texts in columns of some widths, in characters."""
    lines = max(_lines(text, width) for text, width in told)
    return min(max(least, LINE_PT * lines + 4), TALLEST_PT)


def _lines(text: str, width: float) -> int:
    return sum(max(1, ceil(_units(part) / (width - 2))) for part in text.split("\n"))


def _units(text: str) -> float:
    """Return the width of a text in digits; Chinese characters, three bytes each, take two."""
    return (len(text) + len(text.encode())) / 2


def add_picture(sheet: Any, row: int, column: int, jpeg: bytes, height: float) -> None:
    """Put a picture into the middle of a cell of some points; it moves and hides with the cell."""
    from xlsxwriter.image import Image

    image = Image(BytesIO(jpeg))
    across, up = image.width * 96 / image._x_dpi, image.height * 96 / image._y_dpi
    scale = PICTURE_PX / max(across, up)
    options = {
        "object_position": 1,
        "x_scale": scale,
        "y_scale": scale,
        "x_offset": 3 + (PICTURE_PX - across * scale) / 2,
        "y_offset": (height * PX_PER_PT - up * scale) / 2,
        "decorative": True,
    }
    sheet.insert_image(row, column, image, options)


def print_setup(sheet: Any, credit: str, page: str, *, width: float | None) -> None:
    """Print across, with the credit of the imagery at the foot.

    Parameters
    ----------
    sheet : Worksheet
    credit, page : str
        To the left and to the right of the foot.
    width : float or None
        Of what is printed, in characters: it takes the width of A4, or of A3 where it could not
        be read on A4. None: it is cut into pages.
    """
    sheet.set_landscape()
    sheet.set_paper(A4 if width is None or width <= WIDEST_ON_A4 else A3)
    if width is None:
        sheet.set_print_scale(60)
    else:
        sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.3, right=0.3, top=0.4, bottom=0.5)
    told = credit.replace("&", "&&")[:150]
    if told or page:
        sheet.set_footer((f"&L{told}" if told else "") + page)
