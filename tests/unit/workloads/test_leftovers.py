import fcntl
import os
import select
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import msgspec
import pytest

from energygate.workloads.leftovers import Note, stop_leftovers, temporary_folder
from energygate.workloads.proc import MARK, is_marked, stat_of

MARKED = "0123456789abcdef"


@pytest.fixture
def sleeper():
    """A process that nobody knows of but the notes that a test writes."""
    with subprocess.Popen(["sleep", "100"], start_new_session=True, env={**os.environ, MARK: MARKED}) as process:
        while not is_marked(process.pid, MARKED):  # it has its environment a moment after its program
            os.sched_yield()
        yield process
        process.kill()


def killed_run(folder, **changes):
    """Leave a note as a run does that is killed: written, and not locked any more."""
    log = folder / "energygate-chat-1.log"
    log.write_text("a prompt")
    note = Note(log, name="chat", mark=MARKED)
    note.write()
    path = folder / "energygate-chat-1.log.left"
    written = msgspec.json.decode(path.read_bytes()) | changes
    note.remove()
    path.write_bytes(msgspec.json.encode(written))
    path.chmod(0o600)
    return path


def test_a_server_of_a_killed_run_is_stopped_and_its_note_and_log_are_removed(tmp_path, sleeper):
    killed_run(tmp_path)
    sentence = f"chat: stopped what a killed energygate had left running: {sleeper.pid} (sleep)."
    assert stop_leftovers(tmp_path) == (sentence,)
    assert sleeper.wait(30) == -15
    assert list(tmp_path.iterdir()) == []
    assert stop_leftovers(tmp_path) == ()


def test_a_server_with_an_environment_of_its_own_is_known_by_its_number_and_start(tmp_path, sleeper):
    killed_run(tmp_path, mark="other", leader=sleeper.pid, started=stat_of(sleeper.pid).started)
    assert len(stop_leftovers(tmp_path)) == 1
    assert sleeper.wait(30) == -15


def test_a_number_that_another_process_has_got_since_is_left_alone(tmp_path, sleeper):
    killed_run(tmp_path, mark="other", leader=sleeper.pid, started=stat_of(sleeper.pid).started - 1)
    assert stop_leftovers(tmp_path) == ()
    assert sleeper.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_the_same_number_and_start_after_the_machine_was_started_again_prove_nothing(tmp_path, sleeper):
    killed_run(tmp_path, mark="other", leader=sleeper.pid, started=stat_of(sleeper.pid).started, boot="another")
    assert stop_leftovers(tmp_path) == ()
    assert sleeper.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_a_note_of_another_container_is_kept_for_it(tmp_path, sleeper):
    path = killed_run(tmp_path, namespace="pid:[1]")
    assert stop_leftovers(tmp_path) == ()
    assert sleeper.poll() is None
    assert path.exists()


def test_a_running_runs_server_is_left_alone(tmp_path, sleeper):
    log = tmp_path / "energygate-chat-1.log"
    note = Note(log, name="chat", mark=MARKED).write()
    note.add_leader(sleeper.pid)
    assert (tmp_path / "energygate-chat-1.log.left").stat().st_mode & 0o777 == 0o600
    assert stop_leftovers(tmp_path) == ()
    assert sleeper.poll() is None
    note.remove()
    note.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_others_may_write_or_that_is_a_link_is_none_of_ours(tmp_path, sleeper):
    path = killed_run(tmp_path)
    path.chmod(0o666)
    (tmp_path / "away").mkdir()
    kept = killed_run(tmp_path / "away")
    (tmp_path / "energygate-2.left").symlink_to(kept)
    os.mkfifo(tmp_path / "energygate-3.left", 0o600)
    assert stop_leftovers(tmp_path) == ()
    assert sleeper.poll() is None
    assert (path.exists(), kept.exists()) == (True, True)


def test_a_note_that_was_never_filled_is_removed_and_a_strange_one_named(tmp_path):
    for number, text in enumerate((b"", b'{"version":1}')):
        path = tmp_path / f"energygate-{number}.left"
        path.write_bytes(text)
        path.chmod(0o600)
    assert stop_leftovers(tmp_path) == (
        f"{path} is no note of energygate's. Remove it, and look for what a killed energygate left running.",
    )
    assert list(tmp_path.iterdir()) == [path]


def test_children_that_outlived_their_leader_are_stopped_also_where_only_one_of_their_group_can_be_recognised(tmp_path):
    script = textwrap.dedent(
        """
        import os, pathlib, sys
        from energygate.workloads.leftovers import Note
        from energygate.workloads.process import Output, Process, dying_with_us, new_mark
        folder, mark = pathlib.Path(sys.argv[1]), new_mark()
        log = folder / "energygate-chat-1.log"
        note = Note(log, name="chat", mark=mark).write()
        command = ["sh", "-c", "sh -c 'env -i sleep 100 & echo ready; wait' & wait"]
        output = Output(stdout=log, stderr=log)
        environ, wrap = dict(os.environ), dying_with_us()
        process = Process.start(command, cwd=folder, env=environ, output=output, mark=mark, wrap=wrap)
        note.add_leader(process.pid)
        while "ready" not in log.read_text():
            os.sched_yield()
        print(process.pid, flush=True)
        sys.stdin.read()
        """
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    ) as run:
        leader = int(run.stdout.readline())
        ended = os.pidfd_open(leader)
        assert stop_leftovers(tmp_path) == ()
        run.kill()
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)
    assert len(stop_leftovers(tmp_path)) == 1
    assert in_group(leader) == []
    assert list(tmp_path.iterdir()) == []


def test_a_note_can_be_read_also_where_it_has_become_shorter(tmp_path, sleeper):
    note = Note(tmp_path / "energygate-chat-1.log", name="chat", mark=MARKED).write()
    path = tmp_path / "energygate-chat-1.log.left"
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | {"leader": 10**15}))
    note.add_leader(sleeper.pid)
    started = stat_of(sleeper.pid).started
    assert msgspec.json.decode(path.read_bytes()).items() >= {"leader": sleeper.pid, "started": started}.items()
    note.remove()


def test_another_start_leaves_a_note_alone_that_is_just_being_written(tmp_path, monkeypatch):
    log = tmp_path / "energygate-chat-1.log"
    log.write_text("a prompt")
    lock = fcntl.flock

    def lock_after_another_start(descriptor, operation):
        monkeypatch.setattr(fcntl, "flock", lock)
        assert stop_leftovers(tmp_path) == ()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_after_another_start)
    note = Note(log, name="chat", mark=MARKED).write()
    assert {path.name for path in tmp_path.iterdir()} == {log.name, f"{log.name}.left"}
    note.remove()
    assert list(tmp_path.iterdir()) == [log]


def test_a_note_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "energygate-chat-1.log.left").mkdir()
    with pytest.raises(IsADirectoryError):
        Note(tmp_path / "energygate-chat-1.log", name="chat", mark=MARKED).write()
    assert [path.name for path in tmp_path.iterdir()] == ["energygate-chat-1.log.left"]


def test_what_a_killed_runs_command_had_written_is_removed_with_its_folder(tmp_path, sleeper):
    folder = tmp_path / "energygate-bench-1"
    (folder / "3").mkdir(parents=True)
    (folder / "3" / "stdout").write_text("an answer")
    killed_run(tmp_path).rename(tmp_path / "energygate-bench-1.left")
    (tmp_path / "energygate-chat-1.log").unlink()
    assert len(stop_leftovers(tmp_path)) == 1
    assert sleeper.wait(30) == -15
    assert list(tmp_path.iterdir()) == []


def test_members_of_a_group_that_nothing_proves_to_be_ours_are_named_and_their_note_stays(tmp_path):
    with subprocess.Popen(
        ["sh", "-c", "env -i sleep 100 & wait"], start_new_session=True, env={**os.environ, MARK: MARKED}
    ) as shell:
        while "sleep" not in {stat_of(pid).name for pid in in_group(shell.pid)}:
            os.sched_yield()
        path = killed_run(tmp_path, leader=shell.pid, started=stat_of(shell.pid).started)
        shell.kill()
    (child,) = in_group(shell.pid)
    sentence = (
        f"chat: a killed energygate may have left {child} (sleep), but nothing proves whose it is. Stop it if it is "
        f"yours, and remove {path}."
    )
    assert (stop_leftovers(tmp_path), stop_leftovers(tmp_path)) == ((sentence,), (sentence,))
    assert in_group(shell.pid) == [child]
    os.kill(child, 9)
    while in_group(shell.pid):
        os.sched_yield()
    assert stop_leftovers(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def in_group(group):
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in numbers if (stat := stat_of(pid)) and stat.group == group]


@pytest.mark.parametrize(("named", "folder"), [(None, "chosen"), ("nowhere", "nowhere"), ("usable", "chosen")])
def test_the_temporary_folder_is_what_tmpdir_names_also_where_python_has_left_it_for_another(
    tmp_path, monkeypatch, named, folder
):
    (tmp_path / "usable").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "chosen"))
    monkeypatch.delenv("TMPDIR", raising=False)
    if named is not None:
        monkeypatch.setenv("TMPDIR", str(tmp_path / named))
    assert temporary_folder() == tmp_path / folder
    assert stop_leftovers() == ()
