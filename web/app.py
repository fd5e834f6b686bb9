"""The desk as one application: routes, guards, the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from clues.accounts import Accounts
from clues.cases.casebook import Casebook
from clues.store.repository import Store
from web import (
    account_api,
    cases_api,
    clues_api,
    exports_api,
    features_api,
    officemodels,
    public_api,
    rejudging_api,
    statistics_api,
    tiles_api,
    uploads,
    vocabulary_api,
)
from web.access import Caller, may
from web.answers import answer
from web.asking import refuse_foreign_signs
from web.describing import describe
from web.desk import Desk, TheDesk
from web.errors import install
from web.guards import Guards
from web.services import Services

__all__ = ["create_app"]

ROUTERS: tuple[APIRouter, ...] = (
    account_api.router,
    vocabulary_api.router,
    clues_api.router,
    cases_api.router,
    uploads.router,
    rejudging_api.router,
    exports_api.router,
    statistics_api.router,
    features_api.router,
    tiles_api.router,
    public_api.router,
)
UPLOADS = ("/attachments",)

THREADS = 12
"""Requests worked at the same time: more wait. A thread that is new costs a tenth of a second, for
what libraries keep by thread, and more than a few threads only hinder each other.
"""

system = APIRouter(tags=["system"])


@system.get("/health", summary="Whether the desk can work", response_model=officemodels.Health)
def health(
    request: Request,
    desk: TheDesk,
    _caller: Annotated[Caller, Depends(may("open"))],
) -> Response:
    """Look at the store; 503 where it is away."""
    desk.store.look()
    return answer(request, {"status": "ok", "version": version("tuban")})


@asynccontextmanager
async def _few_threads(_app: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = THREADS
    yield


def create_app(
    store: Store, *, zone: str, folder: Path, services: Services, secure: bool = False
) -> FastAPI:
    """Return the application of a desk.

    Parameters
    ----------
    store : Store
    zone : str
        Time zone of civil days.
    folder : Path
        Where attachments are kept and what can be made again.
    services : Services
        What run folders can do for it.
    secure : bool
        Whether browsers reach it by HTTPS only: cookies are then marked so.
    """
    app = FastAPI(
        title="tuban desk",
        version=version("tuban"),
        description="Clues, cases, events, statistics, map tiles and features of a clue store.",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        separate_input_output_schemas=False,
        lifespan=_few_threads,
        dependencies=[Depends(refuse_foreign_signs)],
    )
    desk = Desk(
        store,
        Casebook(store, zone, folder / "attachments"),
        Accounts(store),
        services,
        zone,
        folder,
        secure,
    )
    for place in (desk.attachments, desk.cache):
        place.mkdir(parents=True, exist_ok=True)
    app.state.desk = desk
    install(app)
    for router in (system, *ROUTERS):
        app.include_router(router)
    _mount_page(app)
    app.add_middleware(Guards, secure=secure, uploads=UPLOADS)
    app.__dict__["openapi"] = lambda: describe(app)
    return app


class _Page(StaticFiles):
    """Files of the page: what is vendored never changes, the rest is asked for each time."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        lasting = "/vendor/" in str(args[0]).replace("\\", "/")
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if lasting else "no-cache"
        )
        return response


def _mount_page(app: FastAPI) -> None:
    page = Path(str(resources.files("web") / "static"))
    fonts = Path(str(resources.files("clues.outputs") / "fonts"))
    app.mount("/static/fonts", _Page(directory=fonts), "fonts")
    app.mount("/static", GZipMiddleware(_Page(directory=page), compresslevel=5), "static")

    @app.get("/", include_in_schema=False)
    def index(_caller: Annotated[Caller, Depends(may("open"))]) -> Response:
        return FileResponse(page / "index.html", headers={"Cache-Control": "no-cache"})
