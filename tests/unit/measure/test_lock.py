import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fakes_meters import HandClock

from energygate.errors import MeterUnavailable
from energygate.measure.lock import Patience, lock_name, machine_lock

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
    "The counters count the whole machine, so each job would measure the other. Wait until it has ended, or end it; "
    "--energy-lock-timeout=SECONDS waits for it. In CI let one runner serve this machine."
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


class Watching(HandClock):
    """Time passes by sleeping; at a given moment something happens."""

    def __init__(self, at_s, happens):
        super().__init__()
        self.when_s, self.happens = self.at_s + at_s, happens

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.at_s >= self.when_s:
            self.happens()


def test_who_has_patience_gets_the_machine_within_a_second_of_its_release_and_says_each_minute_that_it_waits(
    hold, tmp_path
):
    holder, told = hold(SYS, tmp_path), []
    clock = Watching(150.0, lambda: holder.communicate("\n"))
    with machine_lock(SYS, folders=[tmp_path], patience=Patience(timeout_s=3600, tell=told.append, clock=clock)):
        assert not is_free(SYS, tmp_path)
    assert clock.slept == [1.0] * 150
    who = f"Another energygate job is measuring on this machine: process {holder.pid} holds {tmp_path}/energygate.lock."
    assert told == [f"waiting for the machine, {minutes} min so far: {who}" for minutes in range(3)]


def test_patience_ends_and_the_machine_is_called_busy(hold, tmp_path):
    holder, told = hold(SYS, tmp_path), []
    clock = HandClock()
    patience = Patience(timeout_s=2.5, tell=told.append, clock=clock)
    with (
        pytest.raises(MeterUnavailable) as refused,
        machine_lock(SYS, folders=[tmp_path], patience=patience),
    ):
        pytest.fail("both hold it")
    assert clock.slept == [1.0, 1.0, 0.5]
    assert str(refused.value) == (
        "The machine was busy for all of 2.5 s (lock_timeout). Another energygate job is measuring on this machine: "
        f"process {holder.pid} holds {tmp_path}/energygate.lock. {WHY}"
    )
    assert len(told) == 1


def test_who_waits_holds_none_of_the_folders_meanwhile(hold, tmp_path):
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    hold(SYS, second)
    free = []
    clock = Watching(1.0, lambda: free.append(is_free(SYS, first)))
    with (
        pytest.raises(MeterUnavailable),
        machine_lock(SYS, folders=[first, second], patience=Patience(timeout_s=2, clock=clock)),
    ):
        pytest.fail("both hold it")
    assert free == [True, True]


def test_a_folder_that_cannot_be_used_is_no_reason_to_wait(tmp_path):
    clock = HandClock()
    with (
        pytest.raises(MeterUnavailable, match=r"^The machine cannot be locked "),
        machine_lock(SYS, folders=[tmp_path / "none"], patience=Patience(timeout_s=9, clock=clock)),
    ):
        pytest.fail("there is no lock")
    assert clock.slept == []


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


@contextlib.contextmanager
def another_user():
    """Be nobody in particular for a while: to root neither modes nor sticky folders apply."""
    os.seteuid(12345)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: this would have shown how the lock of another user is met")
def test_the_file_of_another_user_in_everybodys_temporary_folder_is_locked_and_stays(hold):
    with tempfile.TemporaryDirectory() as name:
        (folder := Path(name)).chmod(0o1777)
        holder = hold(SYS, folder)
        with another_user():
            said = f"process {holder.pid} holds {folder / 'energygate.lock'}"
            with pytest.raises(MeterUnavailable, match=re.escape(said)), machine_lock(SYS, folders=[folder]):
                pytest.fail("both hold it")
        holder.kill()
        holder.wait()
        with another_user(), machine_lock(SYS, folders=[folder]):
            assert not is_free(SYS, folder)
        assert [path.name for path in folder.iterdir()] == ["energygate.lock"]
        assert is_free(SYS, folder)
