"""What an annual run hands in beside its outputs: a sample to be looked at, and the package."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.stages import StageContext

__all__ = ["hand_in"]

log = logging.getLogger(__name__)


def hand_in(context: "StageContext") -> None:
    """Draw the accuracy sample and build the package of a finished run, if its config asks.

    A sample that is there stays: people fill it in. Other patches get another one.

    Parameters
    ----------
    context : StageContext
        Of a run with its ``run.json``.
    """
    outputs = context.config.outputs
    if outputs.sample:
        _sample(context, outputs.sample)
    if outputs.package:
        from flows.packaging import build_package

        folder = context.run.path("package")
        folder.mkdir(exist_ok=True)
        target, _ = build_package(context.run.folder, folder)
        log.info("package: %s", target)


def _sample(context: "StageContext", units: int) -> None:
    from flows.assessing import design_sample

    folder = context.run.path(f"sample-{context.join_key.digest[:8]}")
    if (folder / "sample.geojson").is_file():
        return
    design_sample(context.run.path("change.tif"), units, folder)
    log.info("fill in `reference` in %s, then `tuban assess --sample`", folder / "sample.geojson")
