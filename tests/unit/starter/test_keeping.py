"""First files are written, and never replace anything."""

import pytest

from energygate.errors import ConfigError
from energygate.starter.choice import StarterFile
from energygate.starter.keeping import Fate, place, plan, require_room

FILE = StarterFile(path="a/b.yml", text="version: 1 # µ\n", about="settings")


def put(path, do=place):
    return do(FILE, path, shown="b.yml").fate


def test_a_new_file_is_written_with_its_folder(tmp_path):
    assert put(tmp_path / "a" / "b.yml") is Fate.WRITTEN
    assert (tmp_path / "a" / "b.yml").read_bytes() == FILE.text.encode()


def test_a_plan_writes_nothing(tmp_path):
    assert put(tmp_path / "a" / "b.yml", plan) is Fate.PLANNED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("do", [place, plan])
@pytest.mark.parametrize("kind", ["file", "folder", "link to nothing"])
def test_what_is_there_is_kept(tmp_path, do, kind):
    path = tmp_path / "b.yml"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    before = path.lstat()
    assert put(path, do) is Fate.KEPT
    assert (path.lstat().st_mtime_ns, list(tmp_path.iterdir())) == (before.st_mtime_ns, [path])


def test_where_nothing_can_be_written_that_is_said_with_the_way_out(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(ConfigError) as refused:
        put(tmp_path / "a" / "b.yml")
    assert str(refused.value) == (
        f"Cannot write {tmp_path}/a/b.yml: File exists. Nothing that was there has been changed. Work in a folder that "
        "this user may write, or see with --dry-run what would be written."
    )


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_a_file_where_a_folder_has_to_be_is_named_before_anything_is_written(tmp_path, kind):
    if kind == "file":
        (tmp_path / "a").write_text("mine")
    else:
        (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(ConfigError) as refused:
        require_room(tmp_path / "a" / "b" / "c.yml", within=tmp_path)
    assert str(refused.value) == (
        f"Cannot write {tmp_path}/a/b/c.yml: {tmp_path}/a is no folder. Nothing was written. Rename a, or remove it."
    )


def test_a_link_is_not_followed_out_of_the_repository(tmp_path):
    (top := tmp_path / "top").mkdir()
    (top / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    (top / "a").symlink_to("../outside")
    (top / "b").symlink_to("inside")
    require_room(top / "b" / "c.yml", within=top)
    with pytest.raises(ConfigError) as refused:
        require_room(top / "a" / "c.yml", within=top)
    assert str(refused.value) == (
        f"Cannot write {top}/a/c.yml: {top}/a leads out of the repository, to {tmp_path}/outside. Nothing was written. "
        "Put a folder in the place of the link."
    )
    (tmp_path / "outside" / "c.yml").write_text("mine")
    require_room(top / "a" / "c.yml", within=top)  # it is kept
