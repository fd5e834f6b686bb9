"""What the desk hands to run folders: judging again with a document, outlines drawn anew."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from configs.told import Told
from web import officemodels
from web.access import Caller, may
from web.answers import IfMatch, answer, version_of
from web.asking import Body, ClueNo, TheDesk
from web.clues_api import seen_clue
from web.errors import Problem
from web.services import NewPaper, Outline

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["clues"])

Judge = Annotated[Caller, Depends(may("rejudge"))]
Drawer = Annotated[Caller, Depends(may("outline"))]
MOST_VERTICES = 20_000


class AttachedPaper(Body):
    """A document to judge a clue by; `attachment`: the scan that was sent before."""

    role: str = Field("approval", max_length=32)
    number: str = Field(min_length=1, max_length=120)
    date: str = Field("", pattern=r"^(\d{4}-\d{2}-\d{2})?$")
    note: str = Field("", max_length=1000)
    attachment: str = Field("", pattern=r"^([0-9a-f]{64})?$")


class DrawnOutline(Body):
    """Outlines in place of that of a clue: one redraws, several cut it."""

    polygons: list[dict[str, Any]] = Field(min_length=1, max_length=50)
    change_type: str = Field("", max_length=40)


@router.post(
    "/clues/{clue_no}/rejudge",
    summary="Judge it again with a document",
    response_model=officemodels.Rejudged,
)
def rejudge(
    request: Request, desk: TheDesk, caller: Judge, clue_no: ClueNo, body: AttachedPaper
) -> Response:
    """Judge a clue again by the layers as they are now and a document attached by hand.

    A document that no layer holds makes nothing legal: what it would change is unresolved.
    """
    clue = seen_clue(desk, caller, clue_no)
    if body.attachment and body.attachment not in {f["sha256"] for f in clue["attachments"]}:
        what = Told("该文件不是此线索的附件", "that file was not sent to this clue")
        raise Problem(422, what, Told("先上传附件", "send the scan first"), kind="values")
    paper = NewPaper(**body.model_dump(), by=caller.actor.name)
    told = desk.services.rejudge(clue_no, paper)
    return answer(request, vars(told))


@router.post(
    "/clues/{clue_no}/outline",
    summary="Draw or cut its outline",
    response_model=officemodels.Outlined,
)
def outline(
    request: Request,
    desk: TheDesk,
    caller: Drawer,
    clue_no: ClueNo,
    body: DrawnOutline,
    if_match: IfMatch = None,
) -> Response:
    """Take outlines over as a new version of the patches; return what the clue became."""
    clue = seen_clue(desk, caller, clue_no)
    if version_of(if_match) != clue["version"]:
        raise Problem(412, Told("线索已被他人更改", "somebody changed the clue meanwhile"))
    for shape in body.polygons:
        _require_polygon(shape)
    drawn = Outline(tuple(body.polygons), caller.actor.name, body.change_type)
    return answer(request, desk.services.outline(clue_no, drawn))


def _require_polygon(shape: dict[str, Any]) -> None:
    """Raise `Problem` unless it is a polygon in degrees, of bounded size."""
    rings = shape.get("coordinates")
    good = shape.get("type") == "Polygon" and isinstance(rings, list) and bool(rings)
    count = 0
    for ring in rings if good and isinstance(rings, list) else ():
        good = good and isinstance(ring, list) and len(ring) >= 4
        for point in ring if isinstance(ring, list) else ():
            count += 1
            good = good and _is_place(point)
    if not good or count > MOST_VERTICES:
        raise Problem(
            422,
            Told("轮廓须为经纬度多边形", "an outline is a GeoJSON polygon in degrees"),
            kind="values",
        )


def _is_place(point: Any) -> bool:
    if not isinstance(point, list) or len(point) < 2:
        return False
    lon, lat = point[:2]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (lon, lat))
    return numbers and abs(lon) <= 180 and abs(lat) <= 90
