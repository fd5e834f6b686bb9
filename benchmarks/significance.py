"""How far a significance is kept on real ground that is labelled or known as unchanged.

Run ``python -m benchmarks.significance [--data FOLDER]``. FOLDER holds ``taizhou_landsat/`` (pixels
labelled unchanged) and ``oscd/<city>/`` (everything but new buildings: fields and seasons did
change there). Printed is the share above the threshold, relative to the significance.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from benchmarks.labelled import CITIES, open_pair
from detect.auto import fit_change, halo_px, score_block
from tiles.grid import sample_cells

SIGNIFICANCES = (1e-2, 1e-3)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TUBAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--methods", nargs="+", default=["irmad", "isfa"])
    options = parser.parse_args()
    print("| pair | method | " + " | ".join(f"factor at {s:g}" for s in SIGNIFICANCES) + " |")
    print("|---|---|" + "---:|" * len(SIGNIFICANCES))
    for name in ("taizhou", *CITIES):
        pair = open_pair(name, options.data)
        unchanged = (pair.labels == 1)[pair.extent.slices_in(pair.labels_at)]
        for method in options.methods:
            halo = halo_px(method, pair.pixel_m)
            with pair.reader as reader:
                cells = [reader.read(cell, halo) for cell in sample_cells(pair.extent, 0)]
                block = reader.read(pair.extent, halo)
            factors = []
            for significance in SIGNIFICANCES:
                state = fit_change(
                    cells,
                    method=method,
                    sensitivity="medium",
                    target="any",
                    pixel_m=pair.pixel_m,
                    wavelengths=pair.wavelengths,
                    threshold="significance",
                    significance=significance,
                )
                usable = unchanged & block.valid[block.core_slices]
                share = np.mean(score_block(block, state).strong[usable])
                factors.append(f"{share / significance:.2f}")
            print(f"| {name} | {method} | " + " | ".join(factors) + " |", flush=True)


if __name__ == "__main__":
    main()
