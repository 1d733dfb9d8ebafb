"""The inference workload against real server processes: a scripted one that misbehaves, and a real model."""

import logging
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import msgspec
import pytest
from fakes import a_trial_of, server_pid

from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.measure.equal_work import other_work
from energygate.model import Work
from energygate.workloads.build import workload
from energygate.workloads.suites import SuiteFile

SCRIPTED = str(Path(__file__).with_name("scripted_server.py"))
KEY = "sk-test-0123456789"
UNSTREAMED = {"preset": "generic", "streamed": "false"}
PROMPTS = ("Name three fruits, «please».", 'Say "hello"\nin French.')


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Build a workload whose server is the scripted one; its log files stay inside the test's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = []

    def build(mode, *, after=1, argv=None, key=None, **changes):
        suite = {
            "name": "chat",
            "kind": "inference",
            "server": {
                "command": argv or ["{python}", SCRIPTED, "--port", "{port}", "--mode", mode, "--after", str(after)],
                "ready": {"timeout": 30},
            },
            "endpoint": {"url": "http://127.0.0.1:{port}/v1", "model": "scripted"},
            "requests": {"prompts": list(PROMPTS), "max_tokens": 16},
        }
        for path, value in changes.items():
            section, _, name = path.partition("__")
            suite.setdefault(section, {})[name] = value
        if key:
            suite["endpoint"]["api_key_env"] = "MODEL_API_KEY"
        file = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile, strict=True)
        environ = {**os.environ, "MODEL_API_KEY": KEY}
        made.append(workload(file.suites[0], file=tmp_path / "chat.energy.yml", prefix="chat", environ=environ))
        return made[-1]

    yield build
    for one in made:
        one.close()


def trial(load, passes=1):
    load.before()
    load.run(passes)
    return load.after()


def alive_in_group(group):
    def field(entry):
        try:
            return entry.joinpath("stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ["Z", "0", "0"]

    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [entry.name for entry in entries if field(entry)[0] != "Z" and field(entry)[2] == str(group)]


def test_a_trial_counts_the_requests_and_tokens_that_the_server_reports(make, tmp_path):
    load = make("good", load__concurrency=2)
    load.open()
    done = trial(load, passes=3)
    conditions = done.conditions["inference"]
    assert done.work == Work(requests=6, input_tokens=60, output_tokens=24)
    assert conditions["finish"] == {"stop": 6}
    assert conditions.keys() == {
        "request_s", "output_tokens_per_s", "client_cpu_s", "finish", "work_digest", "output_digest", "token_source",
        "equal_work",
    }  # fmt: skip
    assert 0 < conditions["request_s"]["p50"] <= conditions["request_s"]["p95"]
    assert conditions["output_tokens_per_s"] > 0
    assert load.labels == {"model": "scripted", "server": "tests"} | UNSTREAMED
    load.close()
    assert list(tmp_path.iterdir()) == []  # the log of a server that did well is deleted


def test_equal_trials_have_equal_digests(make):
    load = make("good")
    load.open()
    first, second = (trial(load).conditions["inference"] for _ in range(2))
    assert first["work_digest"] == second["work_digest"]
    assert first["output_digest"] == second["output_digest"]


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("no_usage", "the answer has no usage, so its tokens are unknown"),
        ("no_finish", "no finish_reason, so the answer may be cut off"),
        ("filtered", "finish_reason 'content_filter', not one of stop, length, tool_calls"),
        ("full", "4 of 16 tokens, the context is full: 14 tokens with the input"),
        ("error_200", "status 200, but an error: out of memory"),
        ("no_choices", "status 200, but no choices, so there is no answer"),
        (
            "html",
            "status 200, but no chat completion (text/plain, 39 bytes): JSON is malformed: invalid character (byte 0)",
        ),
        ("completions", "the answer has no usage, so its tokens are unknown"),
        ("latin_1", "status 200, but no chat completion: 14 bytes that are not UTF-8"),
        ("status_500", "HTTP 500, internal error"),
    ],
)
def test_a_bad_answer_makes_the_trial_invalid_and_the_benchmark_if_it_is_the_first(make, mode, sentence):
    load = make(mode, after=2)
    load.open()
    load.before()
    load.run(1)
    with pytest.raises(MeasurementInvalid) as invalid:
        load.after()
    assert str(invalid.value) == f"work_failed: request 2 of 2 (requests.prompts[1]): {sentence}"

    first = make(mode, after=0)
    with pytest.raises(WorkloadError) as failed:
        first.open()
    refused = "the server refused requests.prompts[0]" if mode == "status_500" else "requests.prompts[0]"
    expected = f"chat: {refused}: {sentence}" if "no usage" not in sentence else "chat: no token usage, streamed or not"
    assert str(failed.value).startswith(f"{expected}.")


def test_a_first_failure_ends_the_trial(make):
    load = make("status_500", after=4)
    load.open()
    load.before()
    load.run(100)
    with pytest.raises(MeasurementInvalid, match=r"request 4 of 200 \(requests.prompts\[1\]\): HTTP 500"):
        load.after()


def test_a_request_without_an_answer_ends_at_its_deadline(make):
    load = make("hang", timeouts__request=0.3)
    load.open()
    load.before()
    load.run(1)
    with pytest.raises(MeasurementInvalid) as invalid:
        load.after()
    sentence = "request 1 of 2 (requests.prompts[0]): no answer within 0.3 s (timeouts.request)"
    assert str(invalid.value) == f"work_failed: {sentence}"


def test_a_server_that_dies_in_a_trial_is_named_with_its_signal(make):
    load = make("die")
    load.open()
    pid = server_pid(load)
    load.before()
    load.run(1)
    with pytest.raises(MeasurementInvalid) as invalid:
        load.after()
    text = str(invalid.value)
    assert re.fullmatch(
        rf"work_failed: request 1 of 2 \(requests.prompts\[0\]\): (RemoteProtocolError|ReadError).*: "
        rf"the server \(pid {pid}\) was killed by signal 9; its log: (/\S+)",
        text,
    )
    load.close()
    log = Path(text.rpartition(" ")[2])
    assert log.stat().st_mode & 0o777 == 0o600  # kept, because it may explain the death, and for nobody else
    log.unlink()


def test_a_server_that_exits_before_it_is_ready_shows_its_last_lines(make):
    load = make("quit")
    with pytest.raises(WorkloadError) as failed:
        load.open()
    assert failed.value.what == (
        "chat: the server exited with status 3 before it was ready. Its last lines: loading | no such model: tiny."
    )
    assert re.fullmatch(r"See its log: /\S+\.log", failed.value.fix)


def test_a_server_that_never_gets_ready_is_given_up_with_what_it_said_last(make):
    load = make("deaf", server__ready={"timeout": 0.5})
    with pytest.raises(WorkloadError) as failed:
        load.open()
    pid = server_pid(load)
    assert re.fullmatch(
        r"chat: no 200 on http://127.0.0.1:\d+/health within 0.5 s \(last: (503 Loading model|ConnectError: .*)\). "
        r"Its last lines: \(none\).",
        failed.value.what,
    )
    load.close()
    assert alive_in_group(pid) == []


def test_a_folder_that_is_not_there_is_named(make, tmp_path):
    load = make("good", server__cwd="nowhere")
    with pytest.raises(WorkloadError) as failed:
        load.open()
    assert str(failed.value) == (
        f"chat: cannot start the server: {tmp_path}/nowhere: No such file or directory. "
        "Correct server.command, server.env or server.cwd, which is relative to the suite file."
    )


@pytest.mark.parametrize(
    ("word", "said"), [("vlm", "No such file or directory"), ("./", "Permission denied"), ("./x", "No such file")]
)
def test_a_program_that_is_not_there_is_named_and_not_the_one_that_starts_it(make, word, said):
    load = make("good", argv=[word, "{port}"])
    with pytest.raises(WorkloadError) as failed:
        load.open()
    assert failed.value.what.startswith(f"chat: cannot start the server: {word}: {said}")
    assert failed.value.fix.startswith("Correct server.command")


def test_an_argument_that_no_program_can_be_given_is_named(make):
    load = make("good", argv=["true", "a\0b", "{port}"])
    with pytest.raises(WorkloadError, match=r"^chat: cannot start the server: true: embedded null byte\. Correct"):
        load.open()


def test_a_taken_port_is_refused_before_another_server_can_answer(make):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        load = make("good", endpoint__url=f"http://127.0.0.1:{port}/v1")
        with pytest.raises(WorkloadError) as failed:
            load.open()
    assert str(failed.value) == (
        f"chat: port {port} of 127.0.0.1 is taken. Another server would be measured. "
        "Write {port} in endpoint.url and server.command, or stop that server."
    )


def test_a_model_that_the_server_does_not_list_is_refused(make):
    load = make("good", endpoint__model="smollm2")
    with pytest.raises(WorkloadError) as failed:
        load.open()
    assert failed.value.what == "chat: endpoint.model: the server has scripted, not smollm2."


def test_a_model_that_answers_under_another_name_is_refused(make):
    load = make("other_model", after=0)
    with pytest.raises(WorkloadError) as failed:
        load.open()
    assert failed.value.what == "chat: endpoint.model: the server has another, not scripted."


def test_a_server_without_health_is_ready_once_it_lists_its_models(make):
    load = make("no_health")
    load.open()
    assert load.labels == {"model": "scripted", "server": "tests"} | UNSTREAMED


def test_a_server_without_a_list_of_models_is_known_by_its_answers(make):
    load = make("no_list")
    load.open()
    assert load.labels == {"model": "scripted"} | UNSTREAMED


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("bad_list", "/v1/models is no list of models: Expected `object`, got `array`. Check endpoint.url."),
        ("closed_list", "/v1/models: HTTP 401, no key. Check the key in the variable that endpoint.api_key_env names."),
    ],
)
def test_a_list_of_models_that_cannot_be_read_is_refused(make, mode, sentence):
    with pytest.raises(WorkloadError) as failed:
        make(mode).open()
    assert str(failed.value).endswith(sentence)


def test_a_first_request_without_an_answer_fails_the_benchmark(make):
    with pytest.raises(WorkloadError) as failed:
        make("hang", after=0, timeouts__request=0.3).open()
    assert str(failed.value) == "chat: requests.prompts[0]: no answer within 0.3 s (timeouts.request)."


def test_an_endpoint_where_nobody_answers_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    suite = {
        "name": "chat",
        "kind": "inference",
        "endpoint": {"url": f"http://127.0.0.1:{port}/v1", "model": "m", "pid": os.getpid()},
        "requests": {"prompts": ["Name three fruits."], "max_tokens": 16},
    }
    file = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile)
    load = workload(file.suites[0], file=tmp_path / "a.energy.yml", prefix="a")
    with pytest.raises(WorkloadError, match=rf"chat: no server answers at http://127.0.0.1:{port}/v1: ConnectError"):
        load.open()
    assert load.pids == (os.getpid(),)
    load.close()


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("more_input", "22 input tokens, 20 in the median trial."),
        ("more_output", "output tokens, 8 in the median trial: more than 2 % apart."),
    ],
)
def test_a_trial_that_did_other_work_than_the_others_is_invalid(make, mode, sentence):
    load = make(mode, after=5)  # the probe, and two trials of two requests
    load.open()
    done = [trial(load) for _ in range(3)]
    assert [each.work.input_tokens for each in done[:2]] == [20, 20]
    ((position, why),) = other_work([a_trial_of(each) for each in done]).items()
    assert position == 2
    assert why.startswith("work_differs: ")
    assert sentence in why


def test_neither_key_nor_prompts_appear_in_any_message_repr_or_condition(make):
    load = make("echo_400", after=3, key=KEY)
    load.open()
    shown = [repr(trial(load).conditions)]
    load.before()
    load.run(1)
    inside = {name: value for name, value in vars(load).items() if name != "_bodies"}
    shown.append(repr(inside))
    with pytest.raises(MeasurementInvalid) as invalid:
        load.after()
    shown.extend((str(invalid.value), repr(invalid.value)))
    first = make("echo_400", after=0, key=KEY)
    with pytest.raises(WorkloadError) as failed:
        first.open()
    shown.extend((str(failed.value), repr(failed.value)))
    assert str(failed.value).startswith(
        "chat: the server refused requests.prompts[0]: HTTP 400, refused '[prompt]' by Bearer ***: "
    )
    for secret in (KEY, *PROMPTS, "fruits", "hello"):
        assert not [text for text in shown if secret in text]


def test_a_shell_and_the_server_behind_it_are_both_stopped(make):
    script = f"{sys.executable} {SCRIPTED} --port {{port}} & wait"
    load = make("good", argv=["sh", "-c", script])
    load.open()
    group = server_pid(load)
    assert len(alive_in_group(group)) == 2
    load.close()
    assert alive_in_group(group) == []


def test_a_server_that_ignores_term_is_killed_after_its_grace(make, caplog):
    load = make("stubborn", server__stop_grace=0.1)
    load.open()
    group = server_pid(load)
    with caplog.at_level(logging.WARNING):
        load.close()
    assert alive_in_group(group) == []
    assert caplog.records == []


def test_closing_twice_or_without_opening_is_no_fault(make):
    load = make("good")
    load.close()
    load.open()
    load.close()
    load.close()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_signal_in_the_middle_of_a_trial_leaves_no_server(tmp_path, number, status):
    script = tmp_path / "measure.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import msgspec, pathlib
            from energygate.signals import Terminated, interrupted_by_sigterm
            from energygate.workloads.build import workload
            from energygate.workloads.suites import SuiteFile
            suite = {{
                "name": "chat", "kind": "inference",
                "server": {{"command": ["{{python}}", {SCRIPTED!r}, "--mode=hang", "--after=1", "--port={{port}}"]}},
                "endpoint": {{"url": "http://127.0.0.1:{{port}}/v1", "model": "scripted"}},
                "requests": {{"prompts": ["Name three fruits."], "max_tokens": 16}},
            }}
            file = msgspec.convert({{"version": 1, "suites": [suite]}}, SuiteFile)
            load = workload(file.suites[0], file=pathlib.Path("chat.energy.yml"), prefix="chat")
            try:
                with interrupted_by_sigterm():
                    load.open()
                    print(load._server.pid, flush=True)
                    load.run(1)
            except KeyboardInterrupt as stop:
                raise SystemExit(stop.exit_code if isinstance(stop, Terminated) else 130)
            finally:
                load.close()
            """
        )
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environ) as measuring:
        group = int(measuring.stdout.readline())
        ended = os.pidfd_open(group)
        measuring.send_signal(number)
        assert measuring.wait(30) == status
    assert select.select([ended], [], [], 30)[0]  # the server's end, also where its parent was killed
    os.close(ended)
    assert alive_in_group(group) == []
