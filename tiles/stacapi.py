"""Search of a STAC API on an allowed host; the items found are kept as files."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from configs.errors import RasterError
from tiles.catalog import Entry
from tiles.files import write_json
from tiles.remote import address, fetch_json

__all__ = ["search_api"]

PAGE = 100
MOST_PAGES = 100


def search_api(
    root: str | Path,
    out: Path,
    *,
    collections: Sequence[str] = (),
    bbox: tuple[float, float, float, float] | None = None,
    begin: dt.date | None = None,
    end: dt.date | None = None,
    max_cloud: float | None = None,
    limit: int = 1000,
) -> list[Entry]:
    """Search a STAC API and write each item found to a folder.

    The items name their images by whole addresses; a run reads the parts it needs of them.

    Parameters
    ----------
    root : str or Path
        Address of the API's landing page.
    out : Path
        Folder for the items.
    collections : sequence of str
    bbox : tuple of float, optional
        West, south, east, north in degrees.
    begin, end : date, optional
    max_cloud : float, optional
        Percent; items that do not tell stay in.
    limit : int
        Items taken at most.

    Raises
    ------
    RasterError
        If the host is not allowed or does not answer as a STAC API does.
    """
    body: dict[str, Any] = {"limit": min(PAGE, limit)}
    body |= {"collections": list(collections)} if collections else {}
    body |= {"bbox": list(bbox)} if bbox else {}
    if begin or end:
        body["datetime"] = f"{_edge(begin, '00:00:00')}/{_edge(end, '23:59:59')}"
    found: dict[str, Entry] = {}
    for item, page in _items(address(root).rstrip("/") + "/search", body):
        if len(found) >= limit:
            break
        entry = _kept(item, page, out)
        cloud = entry.number("eo:cloud_cover")
        if max_cloud is None or cloud is None or cloud <= max_cloud:
            found[entry.name] = entry
            _write(entry)
    return sorted(found.values(), key=lambda e: (e.acquired, e.name))


def _edge(day: dt.date | None, time: str) -> str:
    return f"{day.isoformat()}T{time}Z" if day else ".."


def _items(url: str, body: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield items page by page, each with the address of its page."""
    post: dict[str, Any] | None = body
    for _ in range(MOST_PAGES):
        page = fetch_json(url, post)
        if not isinstance(page, dict) or not isinstance(page.get("features"), list):
            raise RasterError(
                "the answer is no list of items", url, "give the address of a STAC API"
            )
        for item in page["features"]:
            yield item, url
        following = next((x for x in page.get("links", []) if x.get("rel") == "next"), None)
        if following is None or not page["features"]:
            return
        url = urljoin(url, following["href"])
        is_post = str(following.get("method", "GET")).upper() == "POST"
        post = None
        if is_post:
            merged = body if following.get("merge") else {}
            post = {**merged, **following.get("body", {})}


def _kept(item: Any, page: str, out: Path) -> Entry:
    """Return an item with whole addresses, to be kept in a folder."""
    try:
        own = next((x["href"] for x in item.get("links", []) if x.get("rel") == "self"), page)
        for asset in item["assets"].values():
            if not re.match(r"^[A-Za-z][A-Za-z0-9+.-]*:", asset["href"]):
                asset["href"] = urljoin(urljoin(page, own), asset["href"])
        name = re.sub(r"[^\w.\-]", "_", str(item["id"]))
        properties = item["properties"]
        entry = Entry(out / f"{name}.json", item)
        if not isinstance(properties, dict) or entry.acquired is None:
            raise ValueError("it has no properties")
        return entry
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RasterError(
            f"an item of the answer is damaged ({error})", page, "tell the operator of the API"
        ) from error


def _write(entry: Entry) -> None:
    write_json(entry.path, entry.item)
