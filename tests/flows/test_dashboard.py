"""Where a person can watch the workers: a line with the link, or with what is missing for it."""

import re
import urllib.request
from collections.abc import Iterator
from importlib import metadata

import pytest
from distributed import Client, LocalCluster

from flows import cluster
from flows.cluster import dashboard_line, open_client

NEEDED = "dashboard: none, its pages are drawn by bokeh: pip install tuban[dashboard]"


def installed(monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    """Let the driver find the package that draws the pages, or not."""
    found = metadata.__spec__ if is_there else None
    monkeypatch.setattr(cluster, "find_spec", lambda _: found)


@pytest.fixture
def elsewhere() -> Iterator[Client]:
    """Return a client of a scheduler that somebody else has started."""
    with (
        LocalCluster(processes=False, n_workers=0, dashboard_address="127.0.0.1:0") as started,
        Client(started.scheduler_address) as client,
    ):
        yield client


def test_the_link_is_told_where_workers_of_a_run_can_be_watched(monkeypatch: pytest.MonkeyPatch):
    installed(monkeypatch, True)
    with open_client("threads", 1, None) as (client, _):
        told = dashboard_line(client, "threads")
        match = re.fullmatch(r"dashboard: (http://127\.0\.0\.1:\d+)/status", told or "")
        assert match, told
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{match[1]}/health") as page:
            assert page.read() == b"ok"


def test_without_bokeh_threads_say_nothing_and_others_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Client
):
    installed(monkeypatch, False)
    assert dashboard_line(elsewhere, "threads") is None
    for scheduler in ("processes", "tcp://127.0.0.1:8786"):
        assert dashboard_line(elsewhere, scheduler) == NEEDED


@pytest.mark.parametrize("is_there", [False, True])
def test_a_scheduler_elsewhere_is_asked_whether_it_draws_pages(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Client, is_there: bool
):
    installed(monkeypatch, True)
    package = "distributed" if is_there else "no-such-package"
    ask = elsewhere.run_on_scheduler
    monkeypatch.setattr(elsewhere, "run_on_scheduler", lambda f, _: ask(f, package))
    told = dashboard_line(elsewhere, "tcp://127.0.0.1:8786")
    if is_there:
        assert re.fullmatch(r"dashboard: http://[\w.-]+:\d+/status", told or ""), told
    else:
        assert told == "dashboard: the scheduler serves none (bokeh is missing there)"
