"""``tuban desk serve``: the desk over HTTP, its log as JSON lines, an end that lets answers end."""

import datetime as dt
import json
import logging
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from configs.errors import InputError, ResourceError

if TYPE_CHECKING:
    from flows.desk.place import DeskPlace

__all__ = ["DEFAULT_PORT", "Serving", "serve_desk"]

log = logging.getLogger(__name__)

DEFAULT_PORT = 8600
LOOPBACK = ("127.0.0.1", "::1", "localhost")
GRACE_SECONDS = 20
"""Answers under way when the desk is told to stop have so long to end."""

MOST_AT_ONCE = 400
"""Requests worked or waiting at once; more get 503."""

EXTRA = ("method", "path", "status", "milliseconds", "who", "address")
LOGGERS = ("web", "uvicorn", "clues", "flows", "tiles", "configs")


@dataclass(frozen=True)
class Serving:
    """How a desk is served.

    Attributes
    ----------
    host, port
        Where it listens.
    https : bool
        Browsers reach it through a proxy that speaks HTTPS: cookies are marked so, and the
        address of the caller is taken from the proxy.
    proxies : str
        Addresses of proxies that are believed.
    zone : str
        Time zone of civil days.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    https: bool = False
    proxies: str = "127.0.0.1"
    zone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK and not self.https:
            raise InputError(
                f"{self.host} can be reached from other machines, and passwords would travel "
                "readable",
                "--host",
                "put a proxy that speaks HTTPS in front and add --https, or leave --host out",
            )


class _Lines(logging.StreamHandler[TextIO]):
    """Writes one JSON object per record to stderr."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def format(self, record: logging.LogRecord) -> str:
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        told: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: getattr(record, name) for name in EXTRA if hasattr(record, name)}
        if record.exc_info:
            told["error"] = logging.Formatter().formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


def serve_desk(place: "DeskPlace", serving: Serving) -> None:
    """Serve a desk until the process is told to stop.

    Raises
    ------
    InputError
        If there is no store.
    ResourceError
        If the address is taken.
    """
    import uvicorn

    from flows.desk.services import DeskServices
    from tiles.webtiles import warm
    from web.app import create_app

    store = place.open()
    try:
        services = DeskServices(place, store, serving.zone)
        app = create_app(
            store,
            zone=serving.zone,
            folder=place.files,
            services=services,
            secure=serving.https,
        )
        warm()
        _log_lines()
        log.info("the desk is at http://%s:%d (Ctrl-C ends it)", serving.host, serving.port)
        threading.Thread(target=services.warm, name="warming", daemon=True).start()
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=serving.host,
                port=serving.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=serving.https,
                forwarded_allow_ips=serving.proxies,
                limit_concurrency=MOST_AT_ONCE,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        try:
            server.run()
        except KeyboardInterrupt:
            log.info("the desk has ended")
        except SystemExit as end:
            raise ResourceError(
                "the desk cannot listen there",
                f"{serving.host}:{serving.port}",
                "choose another --port, or end the program that holds it",
            ) from end
    finally:
        store.close()


def _log_lines() -> None:
    root = logging.getLogger()
    root.handlers = [_Lines()]
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").setLevel(logging.ERROR)
