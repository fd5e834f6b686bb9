"""The code that decides the products of each stage, by name; `flows.keys` fingerprints it.

A stage also depends on the code of the stages whose keys it takes as inputs. That nothing is
missing is tested against the imports of the stages (``tests/flows/test_keyrooms.py``).
"""

__all__ = [
    "FIT",
    "GATE",
    "JOIN",
    "JUDGE",
    "LAYERS",
    "OBSERVED",
    "OUTPUTS",
    "PLAN",
    "REGISTER",
    "REPORT",
    "SERIES",
    "STORED",
    "TILES",
    "UNSEEN",
]

PLAN = (
    "tiles",
    "configs.run",
    "configs.runparts",
    "configs.bandroles",
    "configs.sensors",
    "flows.counties",
    "flows.plan",
)

LAYERS = (
    "clues.attributes",
    "clues.codes",
    "clues.coordinatetext",
    "clues.crs",
    "clues.layerrows",
    "clues.layers",
    "clues.localcrs",
    "clues.onemap",
    "clues.postgis",
    "clues.quality",
    "clues.sources",
    "clues.store.caseschema",
    "clues.store.schema",
    "clues.store.tables",
    "clues.store.versions",
    "clues.versions",
    "configs.layers",
    "configs.problems",
    "configs.vocabularies",
    "configs.vocabulary",
)
"""Reading vector layers: of an area of interest, divisions, land use that is learned from."""

GATE = ("flows.fitjob", "flows.fitting")

FIT = (
    "detect",
    "models",
    "configs.formulas",
    "configs.indices",
    "configs.labelled",
    "configs.transitions",
    "configs.units",
    "configs.vocabularies.change_types",
    "configs.vocabularies.spectral",
    "configs.vocabularies.transitions",
    "configs.vocabulary",
)

STORED = ("flows.imagery", "flows.stored", "flows.storedchange", "flows.storednet")
"""Models that a run is given."""

SERIES = (
    "configs.monitoring",
    "flows.monitor.found",
    "flows.monitor.job",
    "flows.monitor.monitoring",
    "flows.monitor.plan",
    "flows.seriesmarks",
    "flows.versions",
)
"""A monitor in place of comparing two dates."""

TILES = ("flows.tilejob", "flows.tiling")

JOIN = ("clues.rowgroups", "flows.joining", "flows.patchfile")

JUDGE = (
    "clues",
    "configs.articles",
    "configs.batches",
    "configs.cases",
    "configs.channels",
    "configs.conditions",
    "configs.crosswalk",
    "configs.holidays",
    "configs.layers",
    "configs.problems",
    "configs.rulecheck",
    "configs.rules",
    "configs.speech",
    "configs.verdicts",
    "configs.vocabularies",
    "flows.judging",
    "flows.layersathand",
    "flows.patchversions",
    "flows.tracing",
)

REGISTER = ("flows.registering", "flows.unseen")
"""What became of the objects of a register, on the ground that was seen."""

OUTPUTS = (
    "flows.finished",
    "flows.formats",
    "flows.imagery",
    "flows.pictures",
    "flows.publishing",
    "flows.registering",
    "flows.secondwriter",
    "flows.sheeting",
)

REPORT = (
    *OUTPUTS,
    "configs.reportwords",
    "flows.latency",
    "flows.overview",
    "flows.reporting",
    "flows.trust",
)

OBSERVED = ("clues", "configs.layers", "configs.vocabularies", "flows.unseen")

UNSEEN = (*OBSERVED, "flows.nextscenes")
