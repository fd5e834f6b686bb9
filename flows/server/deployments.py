"""What is to stand on a Prefect server: the deployments of `prefect.yaml`, filled in by configs."""

from importlib import resources
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from configs.errors import ConfigError
from configs.loading import StrictModel, load_model
from configs.profiles import ProfileName
from configs.run import RunConfig
from flows.environment import worker_environment
from flows.survey import flow_name

__all__ = ["Deployment", "Schedule", "WorkPool", "shipped_file", "wanted_deployments"]

FORM = "form"
"""Name of the deployments that have no config of their own: the form asks for one."""


class Schedule(StrictModel):
    """When a deployment runs by itself."""

    cron: str
    timezone: str = "Asia/Shanghai"
    slug: str = Field("regular", pattern=r"^[\w-]+$")
    active: bool = True
    parameters: dict[str, Any] = Field({})

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        if len(value.split()) != 5:
            raise ValueError("a cron line has five fields: minute hour day month weekday")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; write Asia/Shanghai") from None
        return value

    def __str__(self) -> str:
        return f"{self.cron} {self.timezone}" + ("" if self.active else ", paused")


class WorkPool(StrictModel):
    """Where the runs of a deployment are worked."""

    name: str = "tuban"
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = Field({})


class Deployment(StrictModel):
    """One deployment: a flow, a config, a schedule."""

    name: str = Field(pattern="^[^/]+$")
    entrypoint: str
    description: str = ""
    tags: list[str] = Field([])
    version: str | None = None
    work_pool: WorkPool = WorkPool()
    parameters: dict[str, Any] = Field({})
    schedules: list[Schedule] = Field([])

    @field_validator("description")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return " ".join(value.split())

    @property
    def flow(self) -> str:
        """Name of the flow, from the entrypoint."""
        return self.entrypoint.replace(":", ".").rpartition(".")[2]

    @property
    def full_name(self) -> str:
        """Name by which `prefect deployment run` knows it."""
        return f"{self.flow}/{self.name}"


class _File(StrictModel):
    name: str = "tuban"
    prefect_version: str | None = Field(None, alias="prefect-version")
    deployments: list[Deployment]

    @model_validator(mode="after")
    def _flows_known(self) -> "_File":
        known = get_args(ProfileName)
        for one in self.deployments:
            if one.flow not in known:
                raise ValueError(f"{one.entrypoint} is none of the flows {', '.join(known)}")
        return self


def shipped_file() -> Path:
    """Return the ``prefect.yaml`` that comes with the program."""
    return Path(str(resources.files("flows") / "prefect.yaml"))


def wanted_deployments(
    configs: list[Path], out: Path, file: Path | None = None, *, pool: str | None = None
) -> list[Deployment]:
    """Return the deployments that are to stand on the server.

    Parameters
    ----------
    configs : list of Path
        Run configs; each becomes a deployment of the flow of its profile, named as the config,
        with the flow's schedule. Without any: the three flows without schedule, whose form asks
        for the config.
    out : Path
        Folder of all runs.
    file : Path, optional
        A ``prefect.yaml``; default: the shipped one.
    pool : str, optional
        Another work pool.

    Raises
    ------
    ConfigError
        If a file breaks its contract, or two configs make the same deployment.
    """
    path = file or shipped_file()
    by_flow = {one.flow: one for one in load_model(_File, path).deployments}
    if not configs:
        return [
            _filled(one, FORM, {"out": str(out.resolve())}, scheduled=False, pool=pool)
            for one in by_flow.values()
        ]
    made: dict[str, Deployment] = {}
    for config in configs:
        loaded = RunConfig.load(config)
        base = by_flow.get(flow_name(loaded))
        if base is None:
            raise ConfigError(
                f"no deployment of the flow {flow_name(loaded)}",
                str(path),
                f"add one with `entrypoint: flows/{flow_name(loaded)}.py:{flow_name(loaded)}`",
            )
        paths = {"config": str(config.resolve()), "out": str(out.resolve())}
        one = _filled(base, loaded.name, paths, scheduled=True, pool=pool)
        if one.full_name in made:
            raise ConfigError(
                f"two configs make the deployment {one.full_name}",
                f"{config}: name",
                "give each config its own name",
            )
        made[one.full_name] = one
    return list(made.values())


def _filled(
    base: Deployment, name: str, paths: dict[str, str], *, scheduled: bool, pool: str | None
) -> Deployment:
    """Return a deployment of the installed package, which needs no checkout and no folder."""
    others = {k: v for k, v in base.parameters.items() if k not in ("config", "out")}
    place = base.work_pool
    env = worker_environment() | dict(place.job_variables.get("env", {}))
    return base.model_copy(
        update={
            "name": name,
            "entrypoint": f"flows.{base.flow}.{base.flow}",
            "parameters": others | paths,
            "schedules": base.schedules if scheduled else [],
            "work_pool": place.model_copy(
                update={
                    "name": pool or place.name,
                    "job_variables": dict(place.job_variables) | {"env": env},
                }
            ),
        }
    )
