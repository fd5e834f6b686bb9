"""A register that is away: told before anything is worked, and worth another try."""

import sqlite3
from pathlib import Path

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import exception_to_failed_state

from configs.errors import ConfigError, ResourceError, StoreAway, StoreError
from configs.run import RunConfig
from flows.checking import check_run
from flows.registering import open_register, require_register
from flows.runner import work_run
from flows.stages import RunOptions
from flows.tasks import _is_read_failure
from tests.flows.minicounty import build_mini, write_config

SERVER = "postgresql://somebody:secret@127.0.0.1:9/county"


@pytest.fixture
def share(tmp_path: Path) -> str:
    return str(tmp_path / "share" / "register.sqlite")


def retried(error: BaseException) -> bool:
    import asyncio

    state = asyncio.run(exception_to_failed_state(error))
    run = TaskRun.model_construct(name="judge", run_count=1)
    return _is_read_failure(None, run, state)


def raised(act: object, *given: object) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each is told apart by its retry
        act(*given)  # type: ignore[operator]
    return caught.value


def test_a_share_or_server_that_is_away_is_tried_again(share: str, tmp_path: Path):
    pytest.importorskip("psycopg")
    assert retried(raised(open_register, share))
    assert retried(raised(require_register, SERVER))
    assert retried(raised((tmp_path / "gone.tif").read_bytes))


def test_what_would_only_repeat_is_not_tried_again(tmp_path: Path):
    other = tmp_path / "other.sqlite"
    other.write_text("no database, but a note that somebody saved under this name\n" * 40)
    assert not retried(raised(require_register, str(other)))
    assert not retried(ConfigError("a", "b", "c"))
    assert not retried(ResourceError("disk", "here", "free it"))


def test_looking_at_a_register_writes_nothing(tmp_path: Path):
    path = tmp_path / "register.sqlite"
    assert require_register(str(path)) == str(path)
    assert not path.exists()
    open_register(str(path)).close()
    before = path.read_bytes()
    assert require_register(str(path)) == str(path)
    assert path.read_bytes() == before
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="schema 9999"):
        require_register(str(path))


def test_a_register_away_is_told_before_anything_is_worked(share: str, tmp_path: Path):
    build_mini(tmp_path)
    config = write_config(tmp_path, register=share)
    assert RunConfig.load(config).register_place == share
    failed = [c for c in check_run(config, tmp_path / "runs") if not c.passed]
    assert [c.name for c in failed] == ["register"]
    assert "connect the disk or share" in failed[0].fix
    with pytest.raises(StoreAway, match="folder of the register"):
        work_run(config, tmp_path / "runs", RunOptions(), plain=True)
    assert not list((tmp_path / "runs").rglob("*.npz"))
