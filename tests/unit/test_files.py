import os
import re
import stat
from pathlib import Path

import pytest

from energygate.errors import ConfigError, EnergyGateError
from energygate.files import require_writable, write_atomically

FIX = "Give another path, or make room and give this user write permission there."


def test_a_file_is_written_whole_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "run.json"
    write_atomically(path, b"data")
    assert path.read_bytes() == b"data"
    assert [each.name for each in path.parent.iterdir()] == ["run.json"]


def test_a_file_that_was_there_is_replaced(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(b"a longer text than what replaces it")
    write_atomically(path, b"data")
    assert path.read_bytes() == b"data"


def test_a_reader_that_has_the_old_file_open_keeps_all_of_it(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(b"before")
    with path.open("rb") as reader:
        write_atomically(path, b"after")
        assert (reader.read(), path.read_bytes()) == (b"before", b"after")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_permissions_that_the_user_gives_new_files(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "run.json", b"data")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == mode


def test_what_cannot_replace_its_target_leaves_nothing_behind(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(EnergyGateError) as failure:
        write_atomically(path, b"data")
    assert str(failure.value) == f"Cannot write {path}: Is a directory. {FIX}"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_file(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_bytes(b"")
    path = blocker / "below" / "run.json"
    with pytest.raises(EnergyGateError, match=f"^{re.escape(f'Cannot write {path}: Not a directory. {FIX}')}$"):
        write_atomically(path, b"data")


def test_a_folder_without_write_permission_is_an_error(tmp_path):
    # /proc refuses new files even to root, to whom permission bits mean nothing.
    with pytest.raises(EnergyGateError) as failure:
        write_atomically(type(tmp_path)("/proc/run.json"), b"data")
    assert str(failure.value).startswith("Cannot write /proc/run.json: ")
    assert str(failure.value).endswith(FIX)


def test_a_path_that_can_be_written_is_left_alone(tmp_path):
    require_writable(tmp_path / "new/folder/run.json")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("file/run.json", "Cannot make the folder of {}: {folder} is a file. Give another path."),
        ("folder", "Cannot write {}. Give the path of a file in a folder that this user may write."),
        ("/", "Cannot write {}. Give the path of a file in a folder that this user may write."),
    ],
)
def test_a_path_that_cannot_be_written_is_refused(tmp_path, path, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError) as refused:
        require_writable(tmp_path / path)
    assert str(refused.value) == message.format(tmp_path / path, folder=tmp_path / "file")


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_device_is_written_to_and_never_replaced(tmp_path):
    (tmp_path / "link").symlink_to(os.devnull)
    write_atomically(tmp_path / "link", b"new")
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize("use", [require_writable, lambda path: write_atomically(path, b"")])
def test_a_link_that_leads_in_a_circle_is_refused(tmp_path, use):
    (loop := tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError) as refused:
        use(loop)
    assert str(refused.value) == f"{loop} is a link that leads in a circle. Give the path of a file."
