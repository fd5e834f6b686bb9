"""Parameters of the flows, typed so that the form of a Prefect server asks for them rightly."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from flows.stages import RunOptions

__all__ = [
    "ConfigFile",
    "Fresh",
    "HowWorked",
    "Order",
    "RunsFolder",
    "ServedAt",
    "StateFile",
    "Working",
    "described",
]

F = TypeVar("F", bound=Callable[..., Any])

ConfigFile = Annotated[
    str, Field(min_length=1, description="Run config (YAML), a path on the worker's machine.")
]
RunsFolder = Annotated[
    str, Field(min_length=1, description="Folder of all runs, a path on the worker's machine.")
]
StateFile = Annotated[
    str | None, Field(description="States of `tuban fit`, used instead of fitting.")
]
Fresh = Annotated[
    bool, Field(description="Reuse nothing. Otherwise a run goes on where an earlier one stopped.")
]
ServedAt = Annotated[
    str | None,
    Field(
        pattern="^https?://",
        description="Address under which the folder of all runs is served, for the report's link.",
    ),
]


class Working(BaseModel):
    """How a run is worked; nothing here changes a result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheduler: Literal["threads", "processes"] = Field(
        "threads", description="Where tiles are worked on the worker's machine."
    )
    address: str | None = Field(
        None,
        pattern="^(tcp|tls|ucx|ws|wss)://",
        description="Dask scheduler, tcp://HOST:PORT, that works the tiles instead.",
    )
    workers: int | None = Field(None, ge=1, description="Threads or processes; empty: all cores.")
    tile: int = Field(1024, ge=64, description="Side of a tile in pixels.")
    memory_gb: float | None = Field(
        None, gt=0, description="Gigabytes the whole run may take; empty: what the machine has."
    )

    @classmethod
    def of(cls, options: RunOptions) -> "Working":
        """Return the parameters of options that were given on the command line."""
        local = {"threads": "threads", "processes": "processes"}.get(options.scheduler)
        memory = None if options.memory is None else options.memory / 1e9
        return cls.model_validate(
            {
                "scheduler": local or "threads",
                "address": None if local else options.scheduler,
                "workers": options.workers,
                "tile": options.tile,
                "memory_gb": memory,
            }
        )

    def options(self, state: str | None = None) -> RunOptions:
        """Return the options of a run."""
        return RunOptions(
            self.address or self.scheduler,
            self.workers,
            self.tile,
            None if self.memory_gb is None else round(self.memory_gb * 1e9),
            Path(state) if state else None,
        )


HowWorked = Annotated[Working, Field(description="How the run is worked; changes no result.")]


@dataclass(frozen=True)
class Order:
    """What a flow was asked to do: its parameters, see the fields of the form."""

    config: str
    out: str
    working: Working
    state: str | None
    fresh: bool
    served_at: str | None


def described(function: F) -> F:
    """Write the descriptions of annotated parameters where Prefect reads them: in the docstring.

    Prefect takes descriptions from a section ``Args:`` and from nowhere else.
    """
    lines = []
    for name, parameter in inspect.signature(function).parameters.items():
        told = [
            m.description
            for m in getattr(parameter.annotation, "__metadata__", ())
            if isinstance(m, FieldInfo)
        ]
        lines += [f"    {name}: {text}" for text in told]
    function.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *lines])
    return function
