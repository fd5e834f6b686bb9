"""A register on a PostgreSQL server that stops in the middle of a run and is started again."""

import os
import signal
import time
from pathlib import Path

import pytest

from clues.store.repository import Store
from flows.stages import RunOptions
from tests.database import DatabaseServer, database_server
from tests.flows.command import run_folder, unfinished
from tests.flows.faults import LEDGER, Fault, killed, start_run, tile_makings, told
from tests.flows.minicounty import build_mini, write_config

pytestmark = pytest.mark.desk

OPTIONS = RunOptions(tile=64, workers=2)
AWAY = "the clue store refuses: "
REMEDY = (
    "check that the server runs and lets you in, then run the same command again: it goes on "
    "from here"
)
WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query ILIKE 'insert into runs%'
"""


def ledger(out: Path) -> dict[str, bytes]:
    return {name: (run_folder(out) / name).read_bytes() for name in LEDGER}


def wait_stopped(pid: int) -> None:
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        time.sleep(0.01)


def require_away(out: Path, server: DatabaseServer) -> None:
    """The run has stopped, names the server and says what an operator can do."""
    what, where, fix = told(out).splitlines()
    assert what.startswith(AWAY), told(out)
    assert where.startswith("  where: postgresql")
    assert where.endswith(server.url.partition("://")[2])
    assert fix == f"  fix:   {REMEDY}"
    assert unfinished(run_folder(out)) == []


def test_a_server_that_stops_and_starts_in_the_middle_of_a_run(tmp_path: Path):
    """Stopped after the tiles; then failing in the midst of entering the run; then it is there."""
    psycopg = pytest.importorskip("psycopg")
    build_mini(tmp_path)
    with database_server() as server:
        config = write_config(tmp_path, register=server.url, outputs={"evidence": "none"})
        assert not killed(start_run(config, tmp_path / "calm", OPTIONS))
        calm, out = ledger(tmp_path / "calm"), tmp_path / "runs"
        tiles = sorted(tile_makings(tmp_path / "calm"))
        server.empty()
        Store.at(server.url).close()

        process = start_run(config, out, OPTIONS, Fault("stop", "-patches.parquet"))
        wait_stopped(process.pid)
        server.stop()
        os.kill(process.pid, signal.SIGCONT)
        assert not killed(process)
        require_away(out, server)
        assert not (run_folder(out) / "clues.xlsx").exists()

        assert not killed(start_run(config, out, OPTIONS))
        require_away(out, server)

        server.start()
        with psycopg.connect(server.url) as other:
            other.execute("LOCK TABLE runs IN SHARE MODE")
            process = start_run(config, out, OPTIONS)
            with psycopg.connect(server.url, autocommit=True) as watch:
                while watch.execute(WAITS).fetchone() != (1,):
                    assert process.is_alive(), told(out)
                    time.sleep(0.05)
            server.stop("immediate")
            assert not killed(process)
            other.close()
        require_away(out, server)

        server.start()
        assert not killed(start_run(config, out, OPTIONS))
        assert told(out) == ""
        assert ledger(out) == calm
        assert sorted(tile_makings(out)) == tiles, "a finished tile was worked again"
        with psycopg.connect(server.url) as kept:
            assert kept.execute("SELECT count(*) FROM runs").fetchone() == (1,)
