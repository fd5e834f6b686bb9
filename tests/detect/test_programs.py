"""Compiled formulas against another implementation, and what a program may not do."""

import numpy as np
import pytest
import spyndex

from configs.errors import InputError
from configs.indices import index_catalogue, quantities, spectral_index
from detect.indices import index_bands, index_constants, index_program
from detect.programs import Plane, compile_program
from tests.detect.invented import SIX

LETTERS = tuple(quantities().bands)
BANDS = {letter: i for i, letter in enumerate(LETTERS)}
CONSTANTS = {k: 2.0 if c.default is None else c.default for k, c in quantities().constants.items()}
CONSTANTS |= {name: 500.0 + 90 * i for i, name in enumerate(quantities().wavelengths)}


def image(seed, shape=(20, 300)):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.02, 0.6, (len(LETTERS), *shape)).astype(np.float32)
    for letter, i in BANDS.items():
        if quantities().bands[letter].unit == "kelvin":
            values[i] = 270 + 60 * values[i]
    return values


def computed(name, planes):
    """Return the index as the other implementation has it, in float64."""
    known = {letter: planes[i].astype(np.float64) for letter, i in BANDS.items()} | CONSTANTS
    if name == "BSI":
        s, r, n, b = (known[k] for k in ("S1", "R", "N", "B"))
        return ((s + r) - (n + b)) / ((s + r) + (n + b))
    for a, b in ("NN", "NR", "NB", "NL", "GG", "GR", "GB"):
        known[f"k{a}{b}"] = spyndex.computeKernel(
            "RBF", {"a": known[a], "b": known[b], "sigma": CONSTANTS["sigma"]}
        )
    needed = {p: known[p] for p in spyndex.indices[name].bands}
    with np.errstate(all="ignore"):
        return np.asarray(spyndex.computeIndex(name, params=needed))


@pytest.mark.parametrize("domain", sorted({i.domain for i in index_catalogue().values()}))
def test_every_index_equals_the_open_catalogue(domain):
    before, after = image(0), image(1)
    valid = np.ones(before.shape[1:], np.bool_)
    own = [i for i in index_catalogue().values() if i.domain == domain]
    dates = ("before", "after", "change")
    program = compile_program(
        [Plane(i.formula, d) for i in own for d in dates],
        bands=BANDS,
        gains={},
        constants=CONSTANTS,
    )
    planes = program.run(before, after, valid, fill=np.nan)
    for k, index in enumerate(own):
        one, two = computed(index.name, before), computed(index.name, after)
        for got, want in zip(planes[3 * k : 3 * k + 3], (one, two, two - one), strict=True):
            finite = np.isfinite(want)
            assert (np.isfinite(got) == finite).mean() > 0.999, index.name
            both = finite & np.isfinite(got)
            scale = (np.nan_to_num(np.abs(one)) + np.nan_to_num(np.abs(two)))[both] + 1e-2
            error = np.abs(got[both] - want[both]) / scale
            assert np.quantile(error, 0.98) < 3e-4, index.name


def test_a_fused_program_gives_the_bits_of_single_ones():
    before, after = image(2, (7, 513)), image(3, (7, 513))
    valid = np.random.default_rng(4).random(before.shape[1:]) > 0.2
    formulas = [index_catalogue()[n].formula for n in ("NDVI", "EVI", "kNDVI", "SAVI", "NDVI")]
    planes = [Plane(f, d) for f in formulas for d in ("change", "before")]
    options = {"bands": BANDS, "gains": {"N": 0.5}, "constants": CONSTANTS}
    together = compile_program(planes, **options).run(before, after, valid)
    for plane, got in zip(planes, together, strict=True):
        alone = compile_program([plane], **options).run(before, after, valid)[0]
        np.testing.assert_array_equal(got, alone)
    parts = [
        compile_program(planes, **options).run(before[..., s], after[..., s], valid[:, s])
        for s in (slice(0, 100), slice(100, 513))
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), together)


def test_equal_parts_are_computed_once():
    formula = index_catalogue()["NDVI"].formula
    one = compile_program([Plane(formula, "change")], bands=BANDS, gains={}, constants={})
    two = compile_program(
        [Plane(formula, d) for d in ("change", "after")], bands=BANDS, gains={}, constants={}
    )
    assert len(two.steps) == len(one.steps) + 1
    assert two.registers <= one.registers + 1


@pytest.mark.parametrize(
    ("formula", "value"),
    [("R / G", 0.0), ("(0.0 - R)**0.5", 0.0), ("R**(0.0 - 2)", 0.25), ("2.0 * 3 - R**1", 4.0)],
)
def test_what_has_no_finite_value_is_filled(formula, value):
    bands = {"R": 0, "G": 1}
    values = np.array([[[2.0]], [[0.0]]], np.float32)
    program = compile_program([Plane(formula, "before")], bands=bands, gains={}, constants={})
    assert program.run(values, values, np.ones((1, 1), np.bool_))[0, 0, 0] == value
    assert program.run(values, values, np.zeros((1, 1), np.bool_), fill=-1)[0, 0, 0] == -1


def test_the_nearest_band_counts_and_stored_values_are_scaled():
    ten = (0.443, 0.49, 0.56, 0.665, 0.705, 0.783, 0.842, 0.865, 1.61, 2.19)
    assert index_bands(spectral_index("NDVI"), ten) == {"R": 3, "N": 6}
    assert index_bands(spectral_index("IRECI"), (*ten[:5], 0.74, *ten[5:]))["RE2"] == 5
    program = index_program([spectral_index("SAVI")], SIX, unit=10_000.0, given={"L": 0.5})
    before = np.full((6, 1, 1), 1000, np.float32)
    after = before.copy()
    after[3] = 5000
    got = program.run(before, after, np.ones((1, 1), np.bool_))
    assert got[0, 0, 0] == pytest.approx(1.5 * 0.4 / (0.6 + 0.5), rel=1e-5)


def test_missing_bands_and_constants_say_what_to_do():
    with pytest.raises(InputError, match=r"needs a red edge 1 band"):
        index_bands(spectral_index("NDREI"), SIX)
    with pytest.raises(InputError, match="needs a band named VV"):
        index_bands(spectral_index("DpRVIVV"), (None, None), ("HH", "HV"))
    nirvp = spectral_index("NIRvP")
    with pytest.raises(InputError, match="needs a value of PAR"):
        index_constants(nirvp, index_bands(nirvp, SIX), SIX)
    lambdas = next(i for i in index_catalogue().values() if "lambdaN" in i.constants)
    ten = (0.443, 0.49, 0.56, 0.665, 0.705, 0.783, 0.842, 0.865, 1.61, 2.19)
    got = index_constants(lambdas, index_bands(lambdas, ten), ten)
    assert got["lambdaN"] == pytest.approx(842)
