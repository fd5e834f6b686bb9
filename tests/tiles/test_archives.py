"""Zip archives of strangers: what is refused, and what is only the way of another system."""

import zipfile

import pytest

from configs.errors import InputError
from tiles.archives import left_by_system, safe_entries


def archive(tmp_path, *names):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as pack:
        for name in names:
            entry = zipfile.ZipInfo("x")
            entry.filename = entry.orig_filename = name
            pack.writestr(entry, name)
    return path


def test_what_systems_add_is_left_out_and_slashes_are_turned(tmp_path):
    names = ("a\\b.jpg", "a/._c.jpg", "__MACOSX/a/b.jpg", "a/.DS_Store", "Thumbs.db", "a/d.gpkg")
    path = archive(tmp_path, *names)
    entries = safe_entries(path, by_hand=True)
    assert [e.filename for e in entries] == ["a/b.jpg", "a/d.gpkg"]
    with zipfile.ZipFile(path) as pack:
        assert pack.read(entries[0]) == b"a\\b.jpg"
    with pytest.raises(InputError, match="no plain path"):
        safe_entries(path)


@pytest.mark.parametrize(
    "name",
    [
        "..\\a",
        "a\\..\\..\\b",
        "\\a",
        "\\\\host\\a",
        "C:\\a",
        "__MACOSX/../a",
        "../._a",
        "/.DS_Store",
    ],
)
def test_names_that_lead_out_are_refused_however_written(tmp_path, name):
    with pytest.raises(InputError, match=r"leads out|no plain path"):
        safe_entries(archive(tmp_path, name), by_hand=True)


def test_one_file_under_two_slashes_stands_there_twice(tmp_path):
    with pytest.raises(InputError, match="twice"):
        safe_entries(archive(tmp_path, "a/b", "a\\B"), by_hand=True)


def test_names_of_people_are_theirs():
    assert not left_by_system("a/.nomedia")
    assert not left_by_system("a._b.jpg")
