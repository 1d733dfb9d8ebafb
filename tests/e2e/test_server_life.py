"""Servers that energygate starts, as real processes: waiting, dying, sharing, draining, and a killed energygate."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import msgspec
import pytest

from energygate.clock import SystemClock
from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.model import Work
from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.counters import ServerCounters, difference
from energygate.workloads.inference.drain import Drain
from energygate.workloads.inference.foreign import Foreign
from energygate.workloads.inference.presets import PRESETS
from energygate.workloads.inference.server import Server
from energygate.workloads.inference.server_process import ServerProcess
from energygate.workloads.inference.servers import Servers
from energygate.workloads.leftovers import stop_leftovers
from energygate.workloads.proc import stat_of
from energygate.workloads.suites import ServerSpec, Timeouts
from energygate.workloads.text import Redactor
from energygate.workloads.tokens import work_from_usage

SCRIPTED = str(Path(__file__).with_name("scripted_server.py"))
URL = "http://127.0.0.1:{port}/v1"
BODY = json.dumps({"messages": [{"role": "user", "content": "Name three fruits."}], "max_tokens": 16}).encode()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Logs and notes stay inside the test's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def make(folder):
    made = []

    def build(*argv, name="chat", url=URL, cwd=folder, prompts=(), **options):
        keys = {key: options.pop(key) for key in ("reuse", "ready", "env", "stop_grace") if key in options}
        spec = msgspec.convert({"command": argv, **keys}, ServerSpec)
        made.append(Server(spec, name=name, url=url, folder=cwd, **{"show": Redactor(prompts=prompts)} | options))
        return made[-1]

    yield build
    for server in made:
        server.stop()


@pytest.fixture
def http():
    return HttpClient(timeouts=Timeouts())


@pytest.fixture
def servers():
    kept = Servers()
    yield kept
    kept.close()


def scripted(mode="good", after=0):
    return "{python}", SCRIPTED, "--port", "{port}", "--mode", mode, "--after", str(after)


def ask(http, server, *bodies, concurrency=1):
    url = f"{server.url}/chat/completions"
    return http.post_all(url, bodies or (BODY,), concurrency=concurrency, streamed=False)


def in_group(group):
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in numbers if (stat := stat_of(pid)) and stat.group == group]


class Hasty:
    """A clock on which a nap takes fifty times as long as it does."""

    def __init__(self):
        self.slept = 0.0

    def now_s(self):
        return self.slept

    def sleep(self, seconds):
        time.sleep(seconds / 5)
        self.slept += 10 * seconds


def test_a_server_that_takes_long_is_reported_every_ten_seconds_with_what_it_says(make, http):
    told = []
    server = make(*scripted("deaf"), ready={"timeout": 120}, clock=Hasty(), tell=told.append)
    with pytest.raises(WorkloadError) as failed:
        server.start(http)
    assert failed.value.what == (
        f"chat: no 200 on {server.url.removesuffix('/v1')}/health within 120 s (last: 503 Loading model). "
        "Its last lines: (none)."
    )
    assert failed.value.fix.startswith("Raise server.ready.timeout, or see its log: ")
    assert told[1:] == [
        f"chat: waiting for the server, {seconds} s of 120 s (503 Loading model)" for seconds in range(20, 120, 10)
    ]


def test_only_what_is_shown_of_a_servers_many_answers_is_searched_for_prompts(make, http):
    searched = []

    class Show(Redactor):
        def hidden(self, text):
            searched.append(text)
            return super().hidden(text)

    told = []
    server = make(*scripted("deaf"), ready={"timeout": 60}, clock=Hasty(), tell=told.append, show=Show())
    with pytest.raises(WorkloadError):
        server.start(http)
    assert len(told) >= 5
    assert len(searched) == len(told) + 2  # the last answer, and the log


def test_what_no_server_answers_is_made_fit_to_be_shown_too(make, http):
    server = make("sleep", "100", ready={"timeout": 0.1}, prompts=("Connection refused",))
    with pytest.raises(WorkloadError) as failed:
        server.start(http)
    assert failed.value.what == (
        f"chat: no 200 on {server.url.removesuffix('/v1')}/health within 0.1 s (last: ConnectError: [Errno 111] "
        "[prompt]). Its last lines: (none)."
    )
    assert failed.value.fix.startswith(
        "Raise server.ready.timeout, let the server listen where endpoint.url says, or see its log: "
    )


def test_a_server_that_is_ready_soon_is_not_talked_about(make, http):
    told = []
    server = make(*scripted(), tell=told.append)
    server.start(http)
    assert told == []


def test_a_server_that_died_is_started_again_once_and_the_second_death_shows_its_last_lines(make, http, folder):
    script = f"echo 'loading «secret prompt»'; exec {sys.executable} {SCRIPTED} --port {{port}} --mode die"
    server = make("sh", "-c", script, prompts=("secret prompt",))
    server.start(http)
    first = server.pid
    assert server.death() is None
    assert ask(http, server).unanswered is not None
    death = server.death(patience_s=30)
    assert re.fullmatch(
        rf"the server \(pid {first}\) was killed by signal 9; its log: {folder}/energygate-chat-\w+\.log", death
    )

    server.restart(http)
    assert server.pid != first
    assert server.death() is None
    assert ask(http, server).unanswered is not None
    assert server.death(patience_s=30)
    with pytest.raises(WorkloadError) as failed:
        server.restart(http)
    assert failed.value.what == (
        "chat: the server was killed by signal 9, after it had been started again. Its last lines: loading «[prompt]»."
    )
    second = Path(failed.value.fix.removeprefix("See its log: "))
    server.stop()
    logs = {Path(death.rpartition(" ")[2]), second}
    assert set(folder.iterdir()) == logs  # both explain a death, and nothing else is left
    assert {log.stat().st_mode & 0o777 for log in logs} == {0o600}


def test_suites_with_the_same_server_share_its_process_until_the_run_ends(make, http, servers, folder):
    one, two = (make(*scripted(), name=name, reuse=True, servers=servers) for name in ("one", "two"))
    one.start(http)
    one.stop()
    two.start(http)
    assert (one.pid, one.url) == (two.pid, two.url)
    assert ask(http, two).unanswered is None
    group = two.pid
    two.stop()
    assert in_group(group) == [group]
    servers.close()
    assert in_group(group) == []
    assert list(folder.iterdir()) == []
    servers.close()


@pytest.mark.parametrize("change", [{"env": {"A": "b"}}, {"cwd": "elsewhere"}, {"reuse": False}])
def test_another_server_another_folder_or_no_wish_to_share_is_a_process_of_its_own(make, http, servers, folder, change):
    (folder / "elsewhere").mkdir()
    other = {"reuse": True} | change | ({"cwd": folder / "elsewhere"} if "cwd" in change else {})
    one, two = make(*scripted(), reuse=True, servers=servers), make(*scripted(), servers=servers, **other)
    one.start(http)
    two.start(http)
    assert one.pid != two.pid
    assert one.url != two.url


def test_a_shared_server_that_died_between_two_suites_is_started_again_and_that_is_told(make, http, servers):
    told = []
    one, two = (make(*scripted("die"), reuse=True, servers=servers, tell=told.append) for _ in range(2))
    one.start(http)
    first = one.pid
    kill(one)
    two.start(http)
    assert two.pid != first
    assert len(told) == 1
    assert re.fullmatch(
        r"chat: the shared server was killed by signal 9, its log: /\S+\.log. It is started again.", told[0]
    )


def test_a_shared_servers_log_shows_no_suites_prompts_to_another(make, http, servers):
    script = f"echo 'prompt of one, prompt of two'; exec {sys.executable} {SCRIPTED} --port {{port}}"
    one, two = (
        make("sh", "-c", script, reuse=True, servers=servers, prompts=(f"prompt of {name}",)) for name in ("one", "two")
    )
    one.start(http)
    two.start(http)
    kill(two)
    two.restart(http)
    kill(two)
    with pytest.raises(WorkloadError) as failed:
        two.restart(http)
    assert failed.value.what.endswith("Its last lines: [prompt], [prompt].")


def kill(server):
    os.kill(server.pid, signal.SIGKILL)
    assert server.death(patience_s=30)


def test_a_shared_server_that_never_got_ready_is_stopped_with_its_suite(make, http, servers):
    server = make(*scripted("deaf"), reuse=True, servers=servers, ready={"timeout": 0.2})
    with pytest.raises(WorkloadError):
        server.start(http)
    group = server.pid
    assert in_group(group) == [group]
    server.stop()
    assert in_group(group) == []


def test_a_shared_server_that_failed_for_one_suite_is_not_waited_for_by_the_next(make, http, servers):
    one, two = (make("false", reuse=True, servers=servers, name=name) for name in ("one", "two"))
    with pytest.raises(WorkloadError) as first:
        one.start(http)
    one.stop()
    with pytest.raises(WorkloadError) as second:
        two.start(http)
    assert second.value.what == f"two: the shared server failed before, and is not started again. {first.value.what}"
    assert (second.value.fix, two.pid) == (first.value.fix, None)


def test_what_still_listens_on_a_stopped_servers_port_is_warned_of(folder, caplog):
    spec = ServerSpec(command=("sleep", "100"))
    process = ServerProcess(spec, name="chat", url=URL, folder=folder, environ=os.environ, clock=Hasty())
    process.start()
    port = int(process.values["port"])
    with socket.create_server(("127.0.0.1", port)):
        process.stop()
    (record,) = caplog.records
    assert record.getMessage() == (
        f"chat: port {port} of 127.0.0.1 is still taken after its server was stopped. What listens there uses energy "
        "that later trials will be charged with."
    )


def test_a_server_whose_host_has_lost_its_address_leaves_no_note_and_no_log(folder, caplog, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    spec = ServerSpec(command=("sleep", "100"))
    process = ServerProcess(spec, name="chat", url=URL, folder=folder, environ=os.environ, clock=Hasty())
    process.start()
    port = process.values["port"]
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    process.stop()
    (record,) = caplog.records
    assert record.getMessage() == (
        f"chat: nobody knows whether port {port} is free again: [Errno -2] Name or service not known"
    )
    assert list(folder.iterdir()) == []


class Interrupted(SystemClock):
    """A clock on which an interrupt comes into every nap."""

    def sleep(self, seconds):
        signal.raise_signal(signal.SIGINT)
        super().sleep(seconds)


def test_interrupts_while_a_server_is_stopped_leave_neither_it_nor_its_log_and_note(folder):
    spec = ServerSpec(command=("sh", "-c", "trap '' TERM; echo deaf; sleep 100 & wait"), stop_grace=3600)
    process = ServerProcess(spec, name="chat", url=URL, folder=folder, environ=os.environ, clock=Interrupted())
    process.start()
    group = process.pid
    while len(in_group(group)) < 2 or process.log.read_text() != "deaf\n":
        os.sched_yield()
    with pytest.raises(KeyboardInterrupt):
        process.stop()
    assert in_group(group) == []
    assert list(folder.iterdir()) == []


def test_the_shared_servers_are_all_stopped_also_where_stopping_one_is_interrupted(make, http, folder):
    class Interrupted(ServerProcess):
        def stop(self):
            super().stop()
            raise KeyboardInterrupt

    kept, groups = Servers(), []
    for name in ("a", "b", "c"):
        spec = ServerSpec(command=("sleep", "100"), env={"NAME": name})
        kind = Interrupted if name == "b" else ServerProcess
        process = kept.shared(kind(spec, name=name, url=URL, folder=folder, environ=os.environ, clock=SystemClock()))
        process.start()
        groups.append(process.pid)
    with pytest.raises(KeyboardInterrupt):
        kept.close()
    assert [in_group(group) for group in groups] == [[], [], []]
    assert list(folder.iterdir()) == []


def test_a_folder_that_takes_no_log_is_named(make, http, folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(folder / "nowhere"))  # Python has taken another folder instead
    with pytest.raises(WorkloadError) as failed:
        make(*scripted()).start(http)
    assert list(folder.iterdir()) == []
    assert str(failed.value) == (
        f"chat: cannot write the server's log in {folder}/nowhere: No such file or directory. "
        "Make room there, or let TMPDIR name a folder that this user may write."
    )


def test_the_server_behind_a_shell_that_a_killed_energygate_left_is_stopped_at_the_next_start(folder):
    script = textwrap.dedent(
        f"""
        import pathlib, sys
        from energygate.workloads.inference.client import HttpClient
        from energygate.workloads.inference.server import Server
        from energygate.workloads.suites import ServerSpec, Timeouts
        from energygate.workloads.text import Redactor
        spec = ServerSpec(command=("sh", "-c", "{sys.executable} {SCRIPTED} --port {{port}} & wait"))
        server = Server(spec, name="chat", url="{URL}", folder=pathlib.Path(), show=Redactor())
        server.start(HttpClient(timeouts=Timeouts()))
        print(server.pid, flush=True)
        sys.stdin.read()
        """
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, text=True
    ) as run:
        leader = int(run.stdout.readline())
        ended = os.pidfd_open(leader)
        assert len(in_group(leader)) == 2
        assert stop_leftovers() == ()  # not while its energygate runs
        run.kill()
    assert select.select([ended], [], [], 30)[0]  # the direct child dies with its parent
    os.close(ended)
    (server,) = in_group(leader)
    assert len(stop_leftovers()) == 1
    assert stat_of(server) is None
    assert list(folder.iterdir()) == []


@pytest.fixture
def llm(llm_suite_folder, make, http):
    argv = ("{python}", "serve.py", "--port", "{port}", "--threads", "1", "--no-prefix-cache")
    server = make(*argv, cwd=llm_suite_folder)
    server.start(http)
    return server


def real(content, max_tokens):
    fields = {"model": "smollm2-135m", "temperature": 0, "seed": 7, "max_tokens": max_tokens}
    return json.dumps(fields | {"messages": [{"role": "user", "content": content}]}).encode()


def usage(exchange):
    assert exchange.unanswered is None
    works = [work_from_usage(json.loads(answer.reply.body)["usage"]) for answer in exchange.answered]
    return Work(input_tokens=sum(w.input_tokens for w in works), output_tokens=sum(w.output_tokens for w in works))


def counters_of(server, http):
    return ServerCounters(http, server.url, PRESETS["llama.cpp"].counters, show=Redactor())


@pytest.mark.llm
@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_real_servers_counters_are_equal_to_the_usage_and_a_strangers_request_is_found(llm, http, concurrency):
    counters = counters_of(llm, http)
    drain = Drain(counters.idle, timeout_s=60)
    bodies = [real("Name three fruits.", 16), real("Name three rivers.", 8), real("Say hello.", 4)]
    drain.wait()
    before = counters.read()
    answered = usage(ask(http, llm, *bodies, concurrency=concurrency))
    drain.wait()
    served = difference(before, counters.read())
    assert (served.input_tokens, served.output_tokens) == (answered.input_tokens, answered.output_tokens)
    assert served.rounding == {}
    Foreign().check(answered, served)

    strangers = usage(ask(HttpClient(timeouts=Timeouts()), llm, real("Name a colour.", 5)))
    drain.wait()
    with pytest.raises(MeasurementInvalid) as invalid:
        Foreign().check(answered, difference(before, counters.read()))
    assert str(invalid.value) == (
        f"foreign_requests: the server counted {answered.input_tokens + strangers.input_tokens} input and "
        f"{answered.output_tokens + strangers.output_tokens} output tokens, the answers have "
        f"{answered.input_tokens} input and {answered.output_tokens} output. "
        "Others use the server: measure while nobody else does."
    )


@pytest.mark.llm
def test_a_prefill_that_was_given_up_is_over_before_the_next_trial_and_in_none_of_its_counts(llm, http):
    counters = counters_of(llm, http)
    before = counters.read()
    hasty = HttpClient(timeouts=Timeouts(request=0.2))
    assert ask(hasty, llm, real("word " * 500, 16)).unanswered is not None
    assert counters.idle() is False
    with pytest.raises(MeasurementInvalid, match=r"^foreign_requests: the server was still busy after 0.1 s"):
        Drain(counters.idle, timeout_s=0.1).wait()

    Drain(counters.idle, timeout_s=60).wait()
    assert counters.idle() is True
    given_up = difference(before, counters.read())
    assert given_up.input_tokens > 500  # the server has worked on it to its end
    before = counters.read()
    answered = usage(ask(http, llm, real("Name three fruits.", 8)))
    Drain(counters.idle, timeout_s=60).wait()
    Foreign().check(answered, difference(before, counters.read()))
