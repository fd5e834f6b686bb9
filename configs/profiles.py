"""Profiles: the three jobs of the field as presets that fill what a run config leaves open."""

from collections.abc import Mapping
from typing import Any, Literal

from configs.loading import load_values

__all__ = ["ProfileName", "filled", "profile_values"]

WHOLE = ("before", "after")
"""Parts that a config says wholly or not at all."""

ProfileName = Literal["annual", "quarterly", "emergency"]


def profile_values(name: str) -> dict[str, Any]:
    """Return what a profile fills in, as plain values by key of the run config.

    Raises
    ------
    ConfigError
        If there is no such profile; the nearest known name is told.
    """
    return load_values("profiles", name)


def filled(values: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a config with those of a profile where it says nothing.

    Parts are filled key by key; a part that is not a mapping in the config stays as it is.

    Examples
    --------
    >>> filled({"outputs": {"evidence": 3}}, {"outputs": {"evidence": "all", "pictures": 9}})
    {'outputs': {'evidence': 3, 'pictures': 9}}
    """
    result = dict(values)
    for key, preset in profile.items():
        if key not in result:
            result[key] = preset
        elif key in WHOLE:
            continue
        elif isinstance(preset, Mapping) and isinstance(result[key], Mapping):
            result[key] = filled(result[key], preset)
    return result
