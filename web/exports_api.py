"""Files of the clues that filters choose: the same set as the list and the map."""

import shutil
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from clues.store.worklist import clue_numbers_matching
from configs.told import Told
from web.access import Caller, may
from web.asking import AskedFilters, TheDesk
from web.errors import Problem

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["exports"])

Exporter = Annotated[Caller, Depends(may("export"))]
FormatName = Annotated[str, Path(pattern=r"^[a-z]{2,10}$", description="xlsx, csv, geojson, …")]


@router.get(
    "/exports/{format_name}",
    summary="The clues chosen, as a file",
    response_class=Response,
    responses={200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
def export(
    desk: TheDesk,
    caller: Exporter,
    format_name: FormatName,
    filters: AskedFilters,
    lang: Literal["zh", "en"] = "zh",
) -> Response:
    """Write the clues that the caller sees and asks for; the file is streamed and then removed."""
    formats = desk.services.formats()
    if format_name not in formats:
        names = ", ".join(formats)
        raise Problem(
            404,
            Told(f"没有格式 {format_name}", f"there is no format {format_name}"),
            Told(f"可用：{names}", f"formats: {names}"),
        )
    with desk.store.engine.connect() as connection:
        numbers = clue_numbers_matching(connection, filters, caller.scope)
    if not numbers:
        raise Problem(
            404,
            Told("没有符合条件的线索", "no clue fits the filters"),
            Told("放宽筛选条件", "widen the filters"),
        )
    made = desk.services.export(format_name, numbers, lang)
    return FileResponse(
        made.path,
        media_type=made.media_type,
        filename=made.name,
        headers={"Cache-Control": "no-store"},
        background=BackgroundTask(shutil.rmtree, made.path.parent, ignore_errors=True),
    )
