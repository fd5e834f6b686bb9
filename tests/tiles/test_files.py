"""Files are whole or absent."""

import errno
from decimal import Decimal
from pathlib import Path

import pytest

from configs.errors import ResourceError
from tiles.files import (
    atomic_path,
    fingerprint,
    free_bytes,
    require_free,
    sha256,
    write_csv_rows,
    write_json,
)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_atomic_path_gives_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as part:
        assert part.suffix == ".txt"
        part.write_text("one")
        assert not target.exists()
    assert target.read_text() == "one"
    assert names(target.parent) == ["a.txt"]


def test_atomic_path_keeps_the_old_file_on_error(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_json_is_for_people_too_and_refuses_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, {"县": [1, Decimal("0.5")]}, plain=str)
    assert path.read_bytes() == '{\n "县": [\n  1,\n  "0.5"\n ]\n}\n'.encode()
    with pytest.raises(TypeError, match="Decimal"):
        write_json(path, Decimal(1))
    assert names(path.parent) == ["a.json"]


def test_csv_opens_in_any_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv_rows(path, iter([["县", "mu"], ['a "b"', 1.5]]))
    assert path.read_bytes() == b"\xef\xbb\xbf" + '县,mu\r\n"a ""b""",1.5\r\n'.encode()


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic_path(tmp_path / "a.txt") as part:
            part.write_text("x")
            raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(ResourceError, match="no space left"):
        fill()
    assert names(tmp_path) == []


def test_fingerprint_sees_content_names_and_the_middle_of_large_files(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("a")
    (folder / "sub" / "b").write_text("b")
    first = fingerprint(folder)
    assert first == fingerprint(folder)
    (folder / "sub" / "b").write_text("c")
    assert fingerprint(folder) != first
    (folder / "sub" / "b").rename(folder / "sub" / "c")
    assert len({first, fingerprint(folder), fingerprint(folder / "a")}) == 3

    large = tmp_path / "large"
    with large.open("wb") as handle:
        handle.truncate(200 << 20)
    before = fingerprint(large)
    with large.open("r+b") as handle:
        handle.seek(((200 << 20) - (1 << 18)) * 31 // 63 + 5)
        handle.write(b"x")
    assert fingerprint(large) != before


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(b"")
    assert sha256(tmp_path / "e").startswith("e3b0c44298fc1c14")


def test_require_free(tmp_path: Path) -> None:
    missing = tmp_path / "not" / "there"
    assert free_bytes(missing) > 0
    require_free(missing, 1)
    with pytest.raises(ResourceError, match="are needed"):
        require_free(missing, 10**18)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs the /proc of Linux")
def test_a_file_that_the_disk_does_not_hand_out_is_named() -> None:
    unreadable = Path("/proc/self/mem")  # its first page is not there: a read fails as a bad disk's
    with pytest.raises(OSError, match="Input/output error") as caught:
        fingerprint(unreadable)
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == str(unreadable)
