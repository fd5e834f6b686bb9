"""Counties that several test modules run on."""

import pytest

from flows.demo.county import DemoCounty, build_county

QUICK = """
detection: {method: cva}
landcover: {trees: 8, max_depth: 8, samples_per_class: 200}
outputs: {evidence: 2}
"""


@pytest.fixture(scope="session")
def quick_county(tmp_path_factory: pytest.TempPathFactory) -> DemoCounty:
    """Return a county of 384 × 384 pixels with settings that fit quickly."""
    county = build_county(tmp_path_factory.mktemp("quick"), seed=1, difficulty=1, size_px=384)
    with county.config.open("a", encoding="utf-8") as config:
        config.write(QUICK)
    return county
