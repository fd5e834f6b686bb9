"""Layer versions: what covered a place on a day, as it was known on another."""

import datetime as dt
import itertools

import geopandas
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from clues.layers import build_onemap, layers_fingerprint, read_onemap
from clues.onemap import Catalogue
from clues.store.versions import LayerVersion, choose_version, layer_versions
from configs.errors import ConfigError, LayerError, StoreError
from configs.layers import LayersFile, LayerSpec
from flows.cli.app import build_app
from tests.clues.test_oracle import ROLES, judged, write_county

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0
NAMES = ("DKBH", "PZRQ", "PZMJ")


def box(x, y=0.0, width=100.0):
    return shapely.box(X + x, Y + y, X + x + width, Y + y + 100)


def moment(day):
    return dt.datetime.fromisoformat(f"{day}T04:00:00+00:00")


def write(path, rows):
    columns = dict(zip(NAMES, zip(*(r[1:] for r in rows), strict=True), strict=True))
    geopandas.GeoDataFrame(columns, geometry=[r[0] for r in rows], crs=CRS).to_file(path)
    return path


def approvals(source, **settings):
    return LayersFile(layers=[LayerSpec(role="approval", source=source, **settings)])


FIRST = [[box(0), "A1", "20240101", 1.0], [box(200), "A2", "20240301", 1.0]]


def states(path):
    """Return what the catalogue holds: rows and files."""
    with Catalogue(path) as catalogue:
        rows = layer_versions(catalogue.store)
    return rows, sorted(p.name for p in path.rglob("*.gpkg"))


def test_the_version_valid_on_the_day_answers_not_the_newest(tmp_path):
    old = write(tmp_path / "old.gpkg", FIRST[:1])
    new = write(tmp_path / "new.gpkg", [[box(0), "A9", "20250101", 1.0]])
    mended = write(tmp_path / "mended.gpkg", [[box(0), "A1b", "20240101", 1.0]])
    with Catalogue(tmp_path / "store") as catalogue:
        for source, begins, recorded in (
            (old, "2023-12-31", "2024-02-01"),
            (new, "2024-12-31", "2025-02-01"),
            (mended, "2023-12-31", "2025-05-01"),  # a late correction of the old state
        ):
            catalogue.import_layers(
                approvals(source),
                valid_from=dt.date.fromisoformat(begins),
                now=moment(recorded),
            )

        def at(on, known=None):
            day = dt.date.fromisoformat
            found = catalogue.at(X + 50, Y + 50, crs=CRS, on=day(on), known_on=known and day(known))
            return [f.feature and f.feature["id"] for f in found]

        assert at("2023-12-30") == []
        assert at("2024-06-01") == ["A1b"]
        assert at("2024-12-30", "2025-04-30") == ["A1"]
        assert at("2024-12-30", "2025-05-01") == ["A1b"]
        assert at("2024-12-31") == ["A9"]
        assert at("2025-06-01", "2025-01-31") == ["A1"]
        assert at("2025-06-01", "2024-01-31") == []
        lonlat = catalogue.at(114.0005, 36.6716, crs="EPSG:4490", on=dt.date(2025, 6, 1))
        assert [f.feature["number"] for f in lonlat] == ["A9"]
        beside = catalogue.at(X + 150, Y + 50, crs=CRS, on=dt.date(2025, 6, 1))
        assert [f.feature for f in beside] == [None]


days = st.dates(dt.date(2024, 1, 1), dt.date(2024, 1, 6))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.none() | days, st.none() | days, days), max_size=5),
    days,
    st.none() | days,
)
def test_as_of_equals_the_definition(rows, on, known):
    rows = sorted(rows, key=lambda r: r[2])
    versions = [
        LayerVersion("approval", str(i), "", CRS, 0, True, a, b, moment(c), "", "", None, {})
        for i, (a, b, c) in enumerate(rows)
    ]
    fit = [
        (a or dt.date.min, i)
        for i, (a, b, c) in enumerate(rows)
        if (a is None or a <= on) and (b is None or on <= b) and (known is None or c <= known)
    ]
    chosen = choose_version(versions, on, known)
    assert (chosen and chosen.version) == (str(max(fit)[1]) if fit else None)


def test_the_same_content_makes_no_new_version(tmp_path):
    store = tmp_path / "store"
    one = write(tmp_path / "one.gpkg", FIRST)
    same = write(tmp_path / "same.shp", FIRST[::-1])
    with Catalogue(store) as catalogue:
        first = catalogue.import_layers(approvals(one, complete=True))[0]
        again = catalogue.import_layers(approvals(same, complete=True))[0]
        later = catalogue.import_layers(
            approvals(one, complete=True), valid_from=dt.date(2025, 1, 1)
        )[0]
        said = catalogue.import_layers(approvals(one, complete={"until": "2025-06-30"}))[0]
    assert (first.is_new, again.is_new, later.is_new, said.is_new) == (True, False, False, True)
    assert again.version == later.version == first.version
    rows, files = states(store)
    assert [r.complete for r in rows] == [True, "2025-06-30"]
    assert len(files) == 1


def test_back_to_an_earlier_state_is_a_version_of_its_own(tmp_path):
    one, two = (
        write(tmp_path / "1.gpkg", FIRST),
        write(tmp_path / "2.gpkg", FIRST[:1]),
    )
    with Catalogue(tmp_path / "store") as catalogue:
        done = [catalogue.import_layers(approvals(s))[0] for s in (one, two, one)]
    assert [d.is_new for d in done] == [True, True, True]
    assert len({d.version.version for d in done}) == 3
    assert done[0].version.file == done[2].version.file


def test_an_update_adds_and_replaces_by_id(tmp_path):
    whole = write(tmp_path / "JSYDSP.gpkg", [*FIRST, [None, "A3", "20240401", 1.0]])
    update = [
        [box(200), "A2", "20240301", 1.0],
        [box(0, 200), "A1", "20240102", 1.0],
        [box(400), "A4", "20250101", 1.0],
    ]
    part = write(tmp_path / "update.gpkg", update)
    with Catalogue(tmp_path / "store") as catalogue:
        first = catalogue.import_layers(approvals(whole, complete=True))[0].version
        second = catalogue.add_features("approval", part).version
        again = catalogue.add_features("approval", part)
        assert not again.is_new
        assert second.parent == first.version
        assert second.details["changes"] == {"added": 1, "replaced": 1, "unchanged": 1}
        layer = build_onemap(LayersFile(layers=[catalogue.spec(second)]), crs=CRS)
        table = layer.layers["approval"]
        found = [
            catalogue.at(X + x, Y + y, crs=CRS, on=dt.date(2025, 6, 1))[0].feature
            for x, y in ((250, 50), (50, 250), (450, 50), (50, 50))
        ]
    assert table.table["id"].tolist() == ["A1", "A2", "A4"]
    assert table.table["date"].tolist()[0] == dt.date(2024, 1, 2)
    assert table.table["area_m2"].tolist() == [10_000.0] * 3
    assert table.not_on_map["id"].tolist() == ["A3"]
    assert table.version == second.version
    assert [f and (f["id"], f["source"], f["row"]) for f in found] == [
        ("A2", "JSYDSP.gpkg", 2),
        ("A1", "update.gpkg", 2),
        ("A4", "update.gpkg", 3),
        None,
    ]


def test_a_contradiction_is_refused_whole(tmp_path):
    store = tmp_path / "store"
    whole = write(tmp_path / "a.gpkg", FIRST)
    rows = [[box(400), "A4", "20250101", 1.0], [box(290), "A5", "20250101", 1.0]]
    bad = write(tmp_path / "bad.gpkg", rows)
    with Catalogue(store) as catalogue:
        catalogue.import_layers(approvals(whole, no_overlap=True))
        before = states(store)
        with pytest.raises(LayerError, match=r"A2 \(row 2\) and A5 \(row 2\) by 1000.00 m²"):
            catalogue.add_features("approval", bad)
        nameless = write(tmp_path / "n.gpkg", [[box(600), None, "20250101", 1.0]])
        with pytest.raises(LayerError, match="no id of their own"):
            catalogue.add_features("approval", nameless)
        with pytest.raises(StoreError, match="no version of the role supply"):
            catalogue.add_features("supply", bad)
        fine = write(tmp_path / "fine.gpkg", [[box(900), "G1", "20250101", 1.0]])
        over = write(tmp_path / "over.gpkg", [*FIRST, [box(50), "A7", "20250101", 1.0]])
        both = [
            LayerSpec(role="supply", source=fine),
            LayerSpec(role="approval", source=over, no_overlap=True),
        ]
        with pytest.raises(LayerError, match=r"A1 \(row 1\) and A7 \(row 3\) by 5000.00"):
            catalogue.import_layers(LayersFile(layers=both))
    assert states(store) == before


def test_a_version_never_changes(tmp_path):
    whole = write(tmp_path / "a.gpkg", FIRST)
    with Catalogue(tmp_path / "store") as catalogue:
        version = catalogue.import_layers(approvals(whole))[0].version
        path = tmp_path / "store" / version.file
        assert path.stat().st_mode & 0o222 == 0
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b" ")
        with pytest.raises(StoreError, match="missing or was changed"):
            catalogue.spec(version)


def catalogue_yaml(path, store, source):
    """Write a layers file that takes every layer from the catalogue."""
    text = path.read_text(encoding="utf-8")
    lines = text[: text.index("layers:")].splitlines()
    lines += [f"catalogue: {store}", "layers:"]
    lines += [f"  - {{role: {r}, source: '{source[r]}', {source['more']}}}" for r in ROLES.values()]
    target = path.with_name("FROM_CATALOGUE.yaml")
    target.write_text("\n".join(lines).replace(", }", "}") + "\n", encoding="utf-8")
    return target


def test_a_run_judges_against_versions(oracle_dir, tmp_path):
    path, store = write_county(oracle_dir, tmp_path), tmp_path / "store"
    with Catalogue(store) as catalogue:
        done = catalogue.import_layers(LayersFile.load(path), valid_from=dt.date(2025, 1, 1))
        versions = {d.version.role: d.version.version for d in done}
    pinned = {r: f"catalogue:{r}@{v}" for r, v in versions.items()} | {"more": ""}
    dated = {r: f"catalogue:{r}" for r in versions} | {"more": "as_of: 2025-06-12"}
    plain = judged(path)
    columns = ["patch_id", "line", "parcel_no", "area_dm2", "outcome", "rules", "documents"]
    for source in (pinned, dated):
        file = catalogue_yaml(path, store, source)
        onemap = read_onemap(file, crs=CRS)
        assert {r: layer.version for r, layer in onemap.layers.items()} == versions
        assert all(layer.complete is True for layer in onemap.layers.values())
        found = judged(file)
        pd.testing.assert_frame_equal(
            pd.DataFrame(found.findings[columns]), pd.DataFrame(plain.findings[columns])
        )
        assert found.findings["reason_zh"].tolist() == plain.findings["reason_zh"].tolist()
    before = layers_fingerprint(file)
    later = write_county(oracle_dir, tmp_path, changes={("JSYDSP", 1, "PZRQ"): "20250701"})
    with Catalogue(store) as catalogue:
        catalogue.import_layers(LayersFile.load(later), valid_from=dt.date(2025, 1, 1))
    assert layers_fingerprint(file) != before
    corrected = judged(file).findings.set_index("parcel_id")
    assert "legal" not in set(corrected.loc[corrected["patch_id"] == "P2", "outcome"])
    file.write_text(file.read_text().replace("as_of: 2025-06-12", "as_of: 2024-06-12"))
    with pytest.raises(LayerError, match="no version was in force on 2024-06-12"):
        read_onemap(file, crs=CRS)


@pytest.mark.parametrize(
    ("layers", "error", "match"),
    [
        ("[{role: approval, source: 'catalogue:approval', crs: x}]", ConfigError, "settles crs"),
        ("[{role: approval, source: a.gpkg, as_of: 2025-01-01}]", ConfigError, "known_on need"),
        ("[{role: approval, source: 'catalogue:approval'}]", LayerError, "layers file none"),
    ],
)
def test_a_wrong_use_of_the_catalogue_says_so(tmp_path, layers, error, match):
    path = tmp_path / "layers.yaml"
    path.write_text(f"layers: {layers}\n")
    with pytest.raises(error, match=match):
        read_onemap(path, crs=CRS)


def test_import_and_at_on_the_command_line(tmp_path):
    write(tmp_path / "JSYDSP.gpkg", FIRST)
    layers, store = tmp_path / "LAYERS.yaml", str(tmp_path / "store")
    layers.write_text("layers: [{role: approval, source: JSYDSP.gpkg, no_overlap: true}]\n")
    app = build_app()

    def call(*words):
        return CliRunner().invoke(app, ["layers", *map(str, words), "--store", store])

    first = call("import", layers, "--valid-from", "2025-01-01")
    assert first.exit_code == 0, first.output
    assert "\tnew\t2 features\tfrom 2025-01-01" in first.stdout
    assert "\tas before\t" in call("import", layers, "--valid-from", "2025-01-01").stdout
    update = write(tmp_path / "more.gpkg", [[box(400), "A4", "20250101", 1.0]])
    assert "1 added" in call("import", update, "--role", "approval").stdout
    bad = write(tmp_path / "bad.gpkg", [[box(290), "A5", "20250101", 1.0]])
    refused = call("import", bad, "--role", "approval")
    assert refused.exit_code == 1
    found = call("at", f"{X + 450},{Y + 50}", "--crs", CRS, "--on", "2025-06-12")
    assert found.exit_code == 0, found.output
    assert "id=A4 number=A4 date=2025-01-01" in found.stdout
    assert "more.gpkg row 1" in found.stdout
    assert "no version was in force" in call("at", "114.0,36.6", "--on", "2024-06-12").stderr
    wrong = [("at", "114", "--on", "2024-06-12"), ("at", "114,36", "--on", "soon")]
    assert [call(*w).exit_code for w in wrong] == [2, 2]
    nowhere = CliRunner().invoke(
        app, ["layers", "at", "1,2", "--on", "2024-06-12", "--store", str(tmp_path / "no")]
    )
    assert nowhere.exit_code == 1


def test_order_of_imports_of_roles_does_not_matter(tmp_path):
    source = write(tmp_path / "a.gpkg", FIRST)
    found = set()
    for n, order in enumerate(itertools.permutations(["approval", "supply"])):
        with Catalogue(tmp_path / str(n)) as catalogue:
            specs = [LayerSpec(role=r, source=source) for r in order]
            done = catalogue.import_layers(LayersFile(layers=specs))
            found.add(tuple((d.version.role, d.version.version) for d in done))
    assert len(found) == 1
