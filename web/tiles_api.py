"""Map tiles of both dates and of the change, by the name of an image in the catalogue."""

import logging
import threading
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from configs.errors import RasterError
from configs.told import Told
from tiles.tilecache import TileCache
from tiles.webtiles import FORMATS, MOST_ZOOM, TileAddress, warm
from web import officemodels
from web.access import Caller, may
from web.answers import answer
from web.desk import desk_of
from web.errors import Problem
from web.tileserver import TileServer

__all__ = ["router"]

log = logging.getLogger(__name__)

router = APIRouter(tags=["tiles"])

CACHING = {"Cache-Control": "private, max-age=3600", "Vary": "Cookie, Authorization"}
MOST_NUMBER = (1 << MOST_ZOOM) - 1

ImageId = Annotated[
    str, Path(pattern=r"^[^\x00-\x1f]+$", max_length=240, description="Of /api/images.")
]
Zoom = Annotated[int, Path(ge=0, le=MOST_ZOOM)]
Number = Annotated[int, Path(ge=0, le=MOST_NUMBER)]
Viewer = Annotated[Caller, Depends(may("tiles"))]

_making = threading.Lock()


def tile_server(request: Request) -> TileServer:
    """Return the tile server of the desk; made with the first request."""
    state = request.app.state
    with _making:
        found = getattr(state, "tiles", None)
        if found is None:
            desk = desk_of(request)
            warm()  # two threads that load its parts at once would see half of them
            found = TileServer(desk.store, desk.folder, TileCache(desk.cache / "tiles"))
            state.tiles = found
    assert isinstance(found, TileServer)
    return found


@router.get(
    "/api/images",
    summary="Images of both dates and of the change, newest runs included",
    response_model=officemodels.ImageList,
)
def list_images(
    request: Request,
    caller: Viewer,
    run: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Return the images that the caller may see, with their bounds and native zoom."""
    found = tile_server(request).listed(run, caller.scope.divisions)
    return answer(request, {"items": [image_record(row) for row in found]})


def image_record(row: Any) -> dict[str, Any]:
    """Return what clients are told of an image: its name and place, never its path."""
    return {
        "image_id": row.image_id,
        "run": row.run,
        "role": row.role,
        "taken_from": row.taken_from.isoformat() if row.taken_from else None,
        "taken_to": row.taken_to.isoformat() if row.taken_to else None,
        "attribution": row.attribution,
        "bounds": list(row.bounds),
        "maxzoom": row.maxzoom,
    }


@router.get(
    "/tiles/{image_id}/{z}/{x}/{y}.{suffix}",
    summary="A map tile of 256 × 256 pixels in web Mercator",
    response_class=Response,
    responses={
        200: {"content": {media: {} for _, media in FORMATS.values()}},
        204: {"description": "Nothing is to be seen there."},
    },
)
def tile(
    request: Request,
    caller: Viewer,
    image_id: ImageId,
    z: Zoom,
    x: Number,
    y: Number,
    suffix: Literal["png", "webp"],
) -> Response:
    """Return a tile; transparent where there is no image, and outside the caller's divisions."""
    if max(x, y) >= 1 << z:
        raise Problem(404, Told(f"没有瓦片 {z}/{x}/{y}", f"there is no tile {z}/{x}/{y}"))
    held = request.headers.get("if-none-match", "")
    server = tile_server(request)
    try:
        found = server.tile(image_id, TileAddress(z, x, y), suffix, caller.scope.divisions, held)
    except RasterError as error:  # where it lies is not the caller's business
        log.error("%s (%s)", error.what, error.where)
        told = Told("影像文件暂不可用", "the file of the image cannot be read")
        raise Problem(404, told, kind="image") from error
    if found is None:
        raise Problem(404, Told(f"没有影像 {image_id}", f"there is no image {image_id}"))
    tag = {"ETag": f'"{found.key}"'} if found.key else {}
    if found.data is None:
        known = bool(found.key) and found.key in held
        return Response(status_code=304 if known else 204, headers=CACHING | (tag if known else {}))
    return Response(found.data, media_type=FORMATS[suffix][1], headers=CACHING | tag)
