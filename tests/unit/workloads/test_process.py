import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from energygate.children import adopted_orphans
from energygate.clock import SystemClock
from energygate.signals import Terminated, interrupted_by_sigterm
from energygate.workloads.descendants import Descendants
from energygate.workloads.proc import MARK, stat_of, ticks_now
from energygate.workloads.process import Output, Process, child_environment, log_tail
from energygate.workloads.text import Redactor


def start(folder, *argv):
    output = Output(stdout=folder / "out", stderr=folder / "err")
    return Process.start(argv, cwd=folder, env=dict(os.environ), output=output)


def test_children_get_no_key_that_is_ours_alone():
    environ = {
        "PATH": "/bin",
        "MODEL_API_KEY": "k",
        "ENERGYGATE_GITHUB_TOKEN": "t",
        "GITHUB_TOKEN": "t",
        "GH_TOKEN": "t",
        "ACTIONS_RUNTIME_TOKEN": "t",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
        "ENERGYGATE_ELECTRICITYMAPS_TOKEN": "t",
        "ENERGYGATE_WATTTIME_USER": "t",
        "ENERGYGATE_WATTTIME_PASSWORD": "t",
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
    process.stop(10)


def test_a_process_that_still_runs_has_no_death_and_no_status_yet(tmp_path):
    process = start(tmp_path, "sleep", "100")
    assert (process.death(), process.wait(0), process.descendants.group()) == (None, None, (process.pid,))
    process.stop(10)
    assert (process.death(), process.descendants.group()) == ("was killed by signal 15", ())
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
    assert (process.death(), process.descendants.group()) == ("was killed by signal 15", ())


def test_stopping_ends_a_daemon_that_nobody_is_the_parent_of(tmp_path):
    daemon = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        time.sleep(100)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    process = start(tmp_path, sys.executable, "-c", daemon)
    assert process.wait(30) == 0
    while not (tmp_path / "out").read_text().endswith("\n"):
        os.sched_yield()
    ended = os.pidfd_open(int((tmp_path / "out").read_text()))
    assert not select.select([ended], [], [], 0)[0]
    process.stop(10)
    assert select.select([ended], [], [], 0)[0]
    os.close(ended)


def test_the_mark_of_an_energygate_that_measures_this_one_is_passed_on(tmp_path):
    output = Output(stdout=tmp_path / "out", stderr=tmp_path / "err")
    code = f"import os; print(os.environ[{MARK!r}])"
    process = Process.start(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, MARK: "outer"}, output=output, mark="inner"
    )
    assert process.wait(30) == 0
    assert (tmp_path / "out").read_text() == "outer,inner\n"
    process.stop(10)


def test_a_stranger_that_got_the_number_of_a_process_that_had_ended_is_left_alone(tmp_path):
    process = start(tmp_path, "true")
    assert process.wait(30) == 0
    ended = ticks_now()
    while ticks_now() == ended:
        os.sched_yield()
    with taker_of(process.pid) as stranger:
        process.stop(10)
        process.stop(10)
        assert stranger.poll() is None
        stranger.kill()


def taker_of(pid):
    """Start a process with this number, in a group of its own."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    if not os.access(last, os.W_OK):
        pytest.skip("only root can choose the number of a process, so nobody saw that a stranger's is left alone")
    for _ in range(100):
        last.write_text(str(pid - 1))
        process = subprocess.Popen(["sleep", "100"], start_new_session=True)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    pytest.skip(f"others were always faster to take the number {pid}")


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


class InterruptedClock(SystemClock):
    """A clock on which a signal comes into the first nap."""

    def __init__(self, number):
        self.numbers = [number]

    def sleep(self, seconds):
        if self.numbers:
            signal.raise_signal(self.numbers.pop())
        super().sleep(seconds)


@pytest.mark.parametrize(("number", "interrupt"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_while_a_process_is_stopped_ends_its_grace_and_is_raised_when_nothing_of_it_lives(
    tmp_path, number, interrupt
):
    deaf = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork();"
        "print('deaf', flush=True); time.sleep(100)"
    )
    process = start(tmp_path, sys.executable, "-c", deaf)
    while (tmp_path / "out").read_text() != "deaf\ndeaf\n":
        os.sched_yield()
        assert process.death() is None
    process.clock = InterruptedClock(number)
    with interrupted_by_sigterm(), pytest.raises(interrupt):
        process.stop(3600)
    assert (process.death(), process.descendants.group()) == ("was killed by signal 9", ())


def test_a_daemon_without_parents_and_environment_is_named_and_left_alone(tmp_path, caplog):
    code = (
        "import os\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        os.execve('/bin/sleep', ['sleep', '100'], {})\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    with adopted_orphans():
        process = start(tmp_path, sys.executable, "-c", code)
        assert process.wait(30) == 0
        while not (tmp_path / "out").read_text().endswith("\n"):
            os.sched_yield()
        daemon = int((tmp_path / "out").read_text())
        while (stat := stat_of(daemon)).name != "sleep" or stat.parent != os.getpid():
            os.sched_yield()
        process.stop(10)
        os.kill(daemon, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(daemon, 0)[1]) == -signal.SIGKILL
    (record,) = caplog.records
    assert record.getMessage() == (
        f"Left running, because nothing proves whose it is: {daemon} (sleep). It began meanwhile, and has neither its "
        "parents nor its environment. Later trials are charged with its energy: stop it if it is yours."
    )


class SteppingClock:
    def __init__(self):
        self.now = 0.0

    def now_s(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_process_that_survives_its_killing_is_named(tmp_path, caplog):
    process = start(tmp_path, "sleep", "100")
    entry = tmp_path / "proc" / "4242"
    entry.mkdir(parents=True)
    (entry / "stat").write_text(f"4242 (a (\x1b) c) D 1 {process.pid} 1{' 0' * 15} 77", encoding="utf-8")
    left = Descendants(leader=process.pid, mark="m", proc=tmp_path / "proc")
    undying = Process(popen=process.popen, descendants=left, clock=SteppingClock())
    undying.stop(5.0)
    assert [record.getMessage() for record in caplog.records] == [
        "Still alive after SIGKILL: 4242 (a ( ) c). They use energy that later trials will be charged with."
    ]
    assert process.wait(30) == -15


def test_a_stopped_process_is_gone_also_where_proc_shows_its_end_before_its_last_thread_has_ended(tmp_path):
    process = start(tmp_path, "sleep", "0.2")  # which a /proc without it calls ended
    early = Descendants(leader=process.pid, mark="m", proc=tmp_path)
    Process(popen=process.popen, descendants=early).stop(5.0)
    assert process.popen.returncode == 0


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


def test_a_prompt_of_several_short_lines_is_hidden_in_a_log(tmp_path):
    prompt = "Name\nthree fruits\nthat grow\nin Spain"
    (tmp_path / "log").write_text(f"started\n{prompt}\nfailed\n")
    assert log_tail(tmp_path / "log", hide=Redactor(prompts=(prompt,)).hidden) == "started | [prompt] | failed"


def test_only_the_end_of_a_long_log_is_read(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"the beginning\n" * 2 + b"x" * 2**16 + b"\nthe end\n")
    assert log_tail(log) == "the end"
    log.write_bytes(b"the beginning" + b" " * 2**16 + b"\xe9 the end")
    assert log_tail(log) == "\ufffd the end"


def test_an_empty_and_a_missing_log_say_so(tmp_path):
    (tmp_path / "log").write_text("")
    assert log_tail(tmp_path / "log") == "(none)"
    assert log_tail(tmp_path / "other") == "(no log: No such file or directory)"
