import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from energygate.errors import MeterUnavailable
from energygate.measure.lock import lock_name, machine_lock

HOLDER = """\
import sys
from pathlib import Path
from energygate.measure.lock import machine_lock
with machine_lock(Path(sys.argv[1]), folders=[Path(folder) for folder in sys.argv[2:]]):
    print("held", flush=True)
    sys.stdin.readline()
"""
SYS = Path("/sys")
WHY = (
    "The counters count the whole machine, so each job would measure the other. Wait until it has ended, or end it. "
    "In CI let jobs of this machine queue: one runner, or one `concurrency` group."
)


@pytest.fixture
def hold():
    """Start a process that holds the machine until it is told to end, or killed."""
    holders = []

    def start(sysfs, *folders):
        command = [sys.executable, "-c", HOLDER, str(sysfs), *map(str, folders)]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout.readline() == "held\n"
        return holder

    yield start
    for holder in holders:
        with holder:
            holder.kill()


def is_free(sysfs, folder):
    try:
        with machine_lock(sysfs, folders=[folder]):
            return True
    except MeterUnavailable:
        return False


def test_a_second_job_is_refused_and_told_who_holds_the_machine(hold, tmp_path):
    holder = hold(SYS, tmp_path)
    path = tmp_path / "energygate.lock"
    said = f"Another energygate job is measuring on this machine: process {holder.pid} holds {path}. {WHY}"
    with pytest.raises(MeterUnavailable, match=f"^{re.escape(said)}$"), machine_lock(SYS, folders=[tmp_path]):
        pytest.fail("both hold it")


@pytest.mark.parametrize("end", ["it ends", "it is killed"])
def test_the_machine_is_free_again_however_its_holder_ends(hold, tmp_path, end):
    holder = hold(SYS, tmp_path)
    assert not is_free(SYS, tmp_path)
    if end == "it is killed":
        holder.send_signal(signal.SIGKILL)
        assert holder.wait() == -signal.SIGKILL
    else:
        holder.communicate("\n")
        assert holder.returncode == 0
    assert is_free(SYS, tmp_path)


def test_a_job_leaves_no_file_behind_and_a_refused_one_leaves_the_holders(hold, tmp_path):
    holder = hold(SYS, tmp_path)
    assert not is_free(SYS, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "energygate.lock"]
    holder.communicate("\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_a_killed_job_left_is_in_nobodys_way(tmp_path):
    (tmp_path / "energygate.lock").touch()
    assert is_free(SYS, tmp_path)


def test_another_sysfs_tree_is_another_machine(hold, tmp_path):
    (tree := tmp_path / "tree").mkdir()
    hold(SYS, tmp_path)
    assert is_free(tree, tmp_path)
    hold(tree, tmp_path)
    assert not is_free(tree, tmp_path)


def test_one_tree_has_one_lock_by_whatever_path_it_is_named(tmp_path):
    (tree := tmp_path / "tree").mkdir()
    (link := tmp_path / "link").symlink_to(tree)
    assert lock_name(SYS) == lock_name(Path("/sys/class/..")) == "energygate.lock"
    assert re.fullmatch(r"energygate-[0-9a-f]{8}\.lock", lock_name(tree))
    assert lock_name(link) == lock_name(tree)


def test_a_job_that_has_only_one_of_the_folders_meets_one_that_has_both(hold, tmp_path):
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    hold(SYS, first, second)
    assert not is_free(SYS, second)


def test_a_job_that_is_refused_in_one_folder_leaves_the_other(hold, tmp_path):
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    hold(SYS, second)
    with pytest.raises(MeterUnavailable), machine_lock(SYS, folders=[first, second]):
        pytest.fail("both hold it")
    assert is_free(SYS, first)


def test_a_folder_that_is_not_there_is_passed_over(tmp_path):
    with machine_lock(SYS, folders=[tmp_path / "none", tmp_path]):
        assert not is_free(SYS, tmp_path)


def test_one_folder_named_twice_is_locked_once(tmp_path):
    with machine_lock(SYS, folders=[tmp_path, tmp_path]):
        assert not is_free(SYS, tmp_path)


def test_a_link_in_the_temporary_folder_is_not_followed(tmp_path):
    (folder := tmp_path / "tmp").mkdir()
    (folder / "energygate.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(MeterUnavailable) as refused, machine_lock(SYS, folders=[folder]):
        pytest.fail("it was followed")
    assert str(refused.value) == (
        f"The machine cannot be locked ({folder / 'energygate.lock'}: Too many levels of symbolic links). "
        "Another job could measure beside this one, and each would measure the other. "
        "Give this user a folder that it may write: TMPDIR=DIR. Remove what is no regular file."
    )
    assert not (tmp_path / "victim").exists()


def test_a_pipe_of_that_name_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "energygate.lock")
    said = f"The machine cannot be locked ({tmp_path / 'energygate.lock'}: it is no regular file)."
    with pytest.raises(MeterUnavailable, match=f"^{re.escape(said)}"), machine_lock(SYS, folders=[tmp_path]):
        pytest.fail("a pipe is no lock")


def test_a_file_that_may_only_be_read_is_locked_all_the_same(tmp_path):
    (file := tmp_path / "energygate.lock").touch()
    file.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with machine_lock(SYS, folders=[tmp_path]):
            assert not is_free(SYS, tmp_path)
    finally:
        tmp_path.chmod(0o755)
