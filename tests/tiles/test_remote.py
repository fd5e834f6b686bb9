"""Images and a STAC API over HTTP, served on this machine; other hosts are refused."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import rasterio

from configs.errors import RasterError
from tiles.grid import Extent
from tiles.reader import PairReader, default_grid, pair_extent
from tiles.remote import remote_fingerprint
from tiles.sensors import open_epoch
from tiles.stacapi import search_api

MakeTif = Callable[..., Path]


class Api(SimpleHTTPRequestHandler):
    """Files with byte ranges, and a search that gives one item a page."""

    items: tuple[dict[str, Any], ...] = ()
    asked: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        if self.path != "/search":
            self.send_error(404)
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        at = int(body.get("token", 0))
        links = [{"rel": "next", "href": self.path, "method": "POST", "body": {"token": at + 1}}]
        links[0]["merge"] = True
        more = at + 1 < len(self.items)
        page = {"features": self.items[at : at + 1], "links": links if more else []}
        self._answer(json.dumps(page).encode())

    def do_GET(self) -> None:
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "http://localhost.localdomain:1/x")
            self.end_headers()
            return
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, span = path.read_bytes(), self.headers.get("Range")
        if span is None:
            self._answer(data)
            return
        first, last = (int(v) if v else None for v in span.removeprefix("bytes=").split("-"))
        part = data[first : None if last is None else last + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def _answer(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the test's folder; return the address."""
    monkeypatch.delenv("http_proxy", raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Api, directory=str(tmp_path)))
    monkeypatch.setattr(Api, "asked", [])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv("TUBAN_HOSTS", f"example.org, {host}")
    yield f"http://{host}"
    server.shutdown()
    thread.join()
    server.server_close()


def cogs(tmp_path: Path) -> None:
    """Write four bands as COGs."""
    values = np.random.default_rng(0).integers(50, 4000, (4, 300, 300)).astype(np.uint16)
    values[:, :60, :60] = 100
    for band, plane in zip(("B02", "B03", "B04", "B08"), values, strict=True):
        with rasterio.open(
            tmp_path / f"{band}.tif", "w", driver="COG", dtype="uint16", count=1, height=300,
            width=300, crs="EPSG:32650", transform=rasterio.Affine(10, 0, 5e5, 0, -10, 4e6),
            blocksize=128,
        ) as ds:  # fmt: skip
            ds.write(plane, 1)


def item(name: str, prefix: str, day: str, cloud: float) -> dict[str, Any]:
    assets = {b: {"href": f"{prefix}{b}.tif"} for b in ("B02", "B03", "B04", "B08")}
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "links": [], "assets": assets,
        "geometry": {"type": "Point", "coordinates": [117.0, 36.1]}, "bbox": [117, 36, 117, 36],
        "properties": {
            "datetime": f"{day}T03:00:00Z", "platform": "sentinel-2b", "eo:cloud_cover": cloud,
        },
    }  # fmt: skip


def test_an_api_and_its_images_give_the_scene_of_local_files(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cogs(tmp_path)
    days = (("a", "2024-04-01", 80.0), ("b", "2024-05-01", 3.0), ("c", "2024-06-01", 5.0))
    found = tuple(item(n, "/", day, cloud) for n, day, cloud in days)
    monkeypatch.setattr(Api, "items", found)
    entries = search_api(
        served + "/",
        tmp_path / "items",
        collections=["sentinel-2-l2a"],
        bbox=(116.9, 36.0, 117.1, 36.2),
        begin=dt.date(2024, 4, 1),
        max_cloud=20,
    )
    assert [e.name for e in entries] == ["b", "c"]
    assert len(Api.asked) == 3
    assert Api.asked[0]["bbox"] == [116.9, 36.0, 117.1, 36.2]
    assert Api.asked[2]["collections"] == ["sentinel-2-l2a"]
    assert Api.asked[0]["datetime"] == "2024-04-01T00:00:00Z/.."
    remote = open_epoch([entries[0].path])
    (tmp_path / "local.json").write_text(json.dumps(item("b", "", "2024-05-01", 3.0)))
    local = open_epoch([tmp_path / "local.json"])
    assert remote.scenes[0].acquired == local.scenes[0].acquired
    grid = default_grid(local, local)
    core = pair_extent(local, local, grid)
    blocks = []
    for epoch in (remote, local):
        reader = PairReader(epoch, epoch, grid, bands=epoch.bands)
        blocks.append(reader.read(Extent(core.row0, core.col0, core.row1, core.col1), 0))
        reader.close()
    assert np.array_equal(blocks[0].before, blocks[1].before)
    assert blocks[0].valid.all()


def test_an_image_and_an_item_by_address(served: str, tmp_path: Path):
    cogs(tmp_path)
    band = open_epoch([Path(f"{served}/B04.tif")], sensor="sentinel2").scenes[0].bands["red"]
    assert (band.scale, band.nodata) == (1e-4, 0)
    (tmp_path / "item.json").write_text(json.dumps(item("x", "./", "2024-05-01", 3.0)))
    assert len(open_epoch([Path(f"{served}/item.json")]).bands) == 4
    first = remote_fingerprint(f"{served}/item.json")
    (tmp_path / "item.json").write_text(json.dumps(item("x", "./", "2024-05-02", 3.25)))
    assert remote_fingerprint(f"{served}/item.json") != first


def test_only_hosts_that_are_named_are_asked(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cogs(tmp_path)
    away = json.dumps(item("y", "http://169.254.169.254/", "2024-05-01", 0.0))
    (tmp_path / "away.json").write_text(away)
    with pytest.raises(RasterError, match=r"169\.254\.169\.254 is not allowed"):
        open_epoch([tmp_path / "away.json"])
    with pytest.raises(
        RasterError, match=r"localhost\.localdomain:1 is not allowed[\s\S]*where: http://localhost"
    ):
        open_epoch([Path(f"{served}/away/item.json")])
    (tmp_path / "vrt.tif").write_text(
        '<VRTDataset rasterXSize="5" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>/etc/hostname</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(RasterError, match="cannot be opened"):
        open_epoch([Path(f"{served}/vrt.tif")])
    with pytest.raises(RasterError, match="cannot be opened"):
        open_epoch([Path(f"{served}/nothing.tif")])
    with pytest.raises(RasterError, match=r"no list of items|does not answer"):
        search_api(served + "/nothing", tmp_path / "i")
    monkeypatch.delenv("TUBAN_HOSTS")
    with pytest.raises(RasterError, match=r"is not allowed[\s\S]*TUBAN_HOSTS=127"):
        open_epoch([Path(f"{served}/B04.tif")])


def test_damaged_answers_say_so(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for broken in ({"id": "x"}, {"id": "x", "assets": {}, "properties": {}, "links": []}):
        monkeypatch.setattr(Api, "items", (broken,))
        with pytest.raises(RasterError, match="damaged"):
            search_api(served, tmp_path / "items")
