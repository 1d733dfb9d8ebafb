import os
import select
import subprocess
import sys

import pytest

from energygate.workloads.process import Output, Process, child_environment, log_tail


def start(folder, *argv):
    output = Output(stdout=folder / "out", stderr=folder / "err")
    return Process.start(argv, cwd=folder, env=dict(os.environ), output=output)


def test_children_get_no_token_that_could_write_to_a_repository():
    environ = {
        "PATH": "/bin",
        "MODEL_API_KEY": "k",
        "ENERGYGATE_GITHUB_TOKEN": "t",
        "GITHUB_TOKEN": "t",
        "GH_TOKEN": "t",
        "ACTIONS_RUNTIME_TOKEN": "t",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
    }
    assert child_environment(environ, {"X": "1", "PATH": "/opt"}) == {"PATH": "/opt", "MODEL_API_KEY": "k", "X": "1"}


def test_a_process_has_its_own_group_no_input_and_private_output(tmp_path):
    code = "import os, sys; print(os.getpgrp() == os.getpid(), repr(sys.stdin.read())); sys.stderr.write('oh')"
    process = start(tmp_path, sys.executable, "-c", code)
    assert process.wait(30) == 0
    assert process.death() == "exited with status 0"
    assert (tmp_path / "out").read_text() == "True ''\n"
    assert (tmp_path / "err").read_text() == "oh"
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("out", "err")} == {0o600}


def test_a_process_that_still_runs_has_no_death_and_no_status_yet(tmp_path):
    process = start(tmp_path, "sleep", "100")
    assert (process.death(), process.wait(0), process.group()) == (None, None, (process.pid,))
    process.stop(10)
    assert (process.death(), process.group()) == ("was killed by signal 15", ())
    process.stop(10)  # once more is no fault


def test_stopping_ends_a_child_that_ignores_term_after_its_leader_is_gone(tmp_path):
    code = (
        "import os, signal, time\n"
        "if os.fork() == 0:\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    print('deaf', flush=True)\n"
        "    time.sleep(100)\n"
        "os.wait()\n"
    )
    process = start(tmp_path, sys.executable, "-c", code)
    while not (tmp_path / "out").read_text():
        os.sched_yield()
        assert process.death() is None
    process.stop(0.2)
    assert (process.death(), process.group()) == ("was killed by signal 15", ())


def test_stopping_ends_a_child_that_left_the_group_and_ignores_term(tmp_path):
    child = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(os.getpid(), flush=True); time.sleep(100)"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)"
    process = start(tmp_path, sys.executable, "-c", code)
    while not (tmp_path / "out").read_text().endswith("\n"):
        os.sched_yield()
        assert process.death() is None
    ended = os.pidfd_open(int((tmp_path / "out").read_text()))
    process.stop(0.2)
    assert select.select([ended], [], [], 0)[0]
    os.close(ended)


def test_a_number_that_another_process_has_got_is_left_alone(tmp_path):
    process = start(tmp_path, "true")
    process.wait(30)
    with subprocess.Popen(["sleep", "100"]) as stranger:
        other = stranger.pid
        entry = tmp_path / "proc" / str(other)
        entry.mkdir(parents=True)
        (entry / "stat").write_text(f"{other} (sleep) S 1 {other} 1{' 0' * 15} 78", encoding="utf-8")
        known = Process(popen=process.popen, proc=tmp_path / "proc", _strays={other: 77})
        known.stop(5.0)
        assert stranger.poll() is None
        stranger.kill()


class SteppingClock:
    def __init__(self):
        self.now = 0.0

    def now_s(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_what_ended_with_its_whole_group_is_not_looked_for_among_all_processes(tmp_path):
    process = start(tmp_path, "true")
    process.wait(30)
    Process(popen=process.popen, proc=tmp_path / "not there").stop(5.0)


def test_a_process_that_survives_its_killing_is_named(tmp_path, caplog):
    process = start(tmp_path, "sleep", "100")
    entry = tmp_path / "proc" / "4242"
    entry.mkdir(parents=True)
    (entry / "stat").write_text(f"4242 (a (b) c) D 1 {process.pid} 1{' 0' * 15} 77", encoding="utf-8")
    undying = Process(popen=process.popen, clock=SteppingClock(), proc=tmp_path / "proc")
    undying.stop(5.0)
    assert [record.getMessage() for record in caplog.records] == [
        "Still alive after SIGKILL: (4242,). They use energy that later trials will be charged with."
    ]
    assert process.wait(30) == -15


def test_a_program_or_folder_that_is_not_there_is_an_error_of_the_system(tmp_path):
    output = Output(stdout=tmp_path / "out", stderr=tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        Process.start(["true"], cwd=tmp_path / "nowhere", env={}, output=output)


@pytest.mark.parametrize(
    ("argv", "env", "cause"),
    [
        (["true", "a\0b"], {}, "embedded null byte"),
        (["true"], {"A": "b\0"}, "embedded null byte"),
        (["true"], {"A=B": "c"}, "illegal environment variable name"),
    ],
)
def test_what_no_process_can_be_given_is_an_error_of_the_system_too(tmp_path, argv, env, cause):
    output = Output(stdout=tmp_path / "out", stderr=tmp_path / "out")
    with pytest.raises(OSError, match=f"^.Errno 22. {cause}: 'true'$"):
        Process.start(argv, cwd=tmp_path, env=env, output=output)


def test_the_tail_of_a_log_is_its_last_twenty_filled_lines_made_fit_to_be_shown(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"\n".join(b"line %d\x07" % number for number in range(30)) + b"\n\n\xff" + b"x" * 400)
    shown = log_tail(log).split(" | ")
    assert shown[:-1] == [f"line {number}" for number in range(11, 30)]
    assert len(shown[-1]) == 300


def test_an_empty_and_a_missing_log_say_so(tmp_path):
    (tmp_path / "log").write_text("")
    assert log_tail(tmp_path / "log") == "(none)"
    assert log_tail(tmp_path / "other") == "(no log: No such file or directory)"
