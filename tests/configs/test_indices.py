"""The catalogue of indices: against another implementation, and what it refuses."""

import pytest
import spyndex

from configs.errors import ConfigError, InputError
from configs.formulas import formula_names, parse_formula
from configs.indices import IndexFile, index_catalogue, spectral_index
from configs.loading import load_model


def test_it_holds_every_index_of_the_open_catalogue():
    known = index_catalogue()
    assert {*spyndex.indices, "BSI"} <= set(known)
    for name, index in known.items():
        assert index.bands, name
        assert index.reference, name
    assert {known[n].domain for n in ("NDVI", "NDBI", "NDWI", "BSI", "NBR")} == {
        "vegetation",
        "urban",
        "water",
        "soil",
        "burn",
    }


@pytest.mark.parametrize(("asked", "found"), [("ndvi", "NDVI"), ("BaI", "BaI"), ("kndvi", "kNDVI")])
def test_capitals_matter_only_where_they_must(asked, found):
    assert spectral_index(asked).name == found


@pytest.mark.parametrize(
    ("asked", "hint"), [("NDVII", "NDVI"), ("bai", "BAI or BaI"), ("@", "`tuban indices list`")]
)
def test_an_unknown_name_is_told_its_neighbours(asked, hint):
    with pytest.raises(InputError, match="there is no index named") as caught:
        spectral_index(asked)
    assert hint in caught.value.fix


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        ("(N - R / (N + R)", "is not a formula"),
        ("N if R else G", "only names, numbers"),
        ("__import__('os').system('true')", "only names, numbers"),
        ("N.real", "only names, numbers"),
        ("N - X", "formula names 'X'"),
    ],
)
def test_a_catalogue_with_a_wrong_formula_is_refused(tmp_path, formula, complaint):
    path = tmp_path / "mine.yaml"
    text = f'indices:\n  MINE:\n    title: t\n    formula: "{formula}"\n    reference: here\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_model(IndexFile, path)
    assert f"{path}, line" in caught.value.where


def test_derived_names_are_put_in_place():
    tree = parse_formula("k * a", {"k": "exp(b - 1)"})
    assert formula_names(tree) == ("a", "b")
