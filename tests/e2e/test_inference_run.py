"""Inference suites through the command line: exit codes, what is left running, and texts that no file may hold."""

import base64
import gzip
import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml
from rig.forked import run_energygate

from energygate.report.formats import FORMATS
from energygate.report.json import decode_report
from energygate.telemetry.endpoint import read_endpoint
from energygate.telemetry.export import export_trials
from energygate.telemetry.sending import Sender

SCRIPTED = str(Path(__file__).with_name("scripted_server.py"))
KEY = "sk-test-canary-0123456789"
CANARIES = (KEY, "canary-of-a-prompt-4711", "canary-of-a-system-prompt-4712", "Apples")
OTHER = {"name": "other", "kind": "command", "command": ["true"]}


class Shell:
    """`energygate` in a folder of its own, with recorded windows to replay."""

    def __init__(self, folder):
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ENERGYGATE_"))}
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        ours = {"TMPDIR": str(self.temporary), "PYTHONPATH": str(Path(__file__).parents[2]), "MODEL_API_KEY": KEY}
        self.environ = {**kept, **ours, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
        windows = (json.dumps({"energy_j": {"package-0": 100.0 + n}, "duration_s": 2.0}) for n in range(20))
        (folder / "w.jsonl").write_text("\n".join(windows))

    def suite(self, *others, mode="good", options=(), argv=None, **changes):
        command = argv or ["{python}", SCRIPTED, "--port", "{port}", "--mode", mode, *options]
        suite = {
            "name": "chat",
            "kind": "inference",
            "server": {"command": command, "ready": {"timeout": 30}},
            "endpoint": {"url": "http://127.0.0.1:{port}/v1", "model": "scripted"},
            "requests": {"prompts": ["one prompt", "another prompt"], "max_tokens": 16},
            "trials": {"count": 2, "warmup": 1},
        }
        for path, value in changes.items():
            section, _, name = path.partition("__")
            suite.setdefault(section, {})[name] = value
        text = yaml.safe_dump({"version": 1, "suites": [suite, *others]}, allow_unicode=True)
        (self.folder / "a.energy.yml").write_text(text)

    _WORDS = ("run", "a.energy.yml", "--mode", "measure", "--meters", "replay:w.jsonl", "--save", "run.json")

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "energygate", *self._WORDS, *arguments],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments):
        code, out, err = run_energygate(*self._WORDS, *arguments, cwd=self.folder, env=self.environ)
        assert "Traceback" not in err, err
        return code, out, err

    @property
    def benchmarks(self):
        return json.loads((self.folder / "run.json").read_text())["benchmarks"]


@pytest.fixture
def energygate(tmp_path):
    return Shell(tmp_path)


def test_a_measured_suite_says_who_answered_and_how_fast(energygate):
    energygate.suite(options=["--stream", "yes"])
    code, out, err = energygate()
    assert (code, err.splitlines()[-1]) == (0, "a.energy.yml::chat: 2 of 2 trials.")
    assert re.search(
        r"\n          median time to first token \d.* m?s, median request \d.* m?s, output tokens \d[\d.]*/s\n", out
    )
    (benchmark,) = energygate.benchmarks
    assert benchmark["labels"] == {
        "model": "scripted", "preset": "generic", "server": "tests", "streamed": "true",
    }  # fmt: skip
    assert [trial["work"] for trial in benchmark["trials"]] == [
        {"requests": 4, "input_tokens": 40, "output_tokens": 16}
    ] * 2
    assert list(energygate.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "changes", "reason"),
    [
        ("good", {"endpoint__model": "tiny"}, "chat: endpoint.model: the server has scripted, not tiny. "),
        ("long_400", {}, "chat: the server refused requests.prompts[0]: HTTP 400, request (3031 tokens) exceeds "),
        ("die", {}, "chat: requests.prompts[0]: "),
        ("quit", {}, "chat: the server exited with status 3 before it was ready. Its last lines: loading | no such "),
    ],
)
def test_what_a_server_does_wrong_costs_its_own_benchmark_alone(energygate, mode, changes, reason):
    energygate.suite(OTHER, mode=mode, **changes)
    code, out, _ = energygate()
    chat, other = energygate.benchmarks
    assert code == 0  # the other suite was measured
    assert chat["invalid"].startswith(reason)
    assert f"\n          {reason}" in out
    assert (chat["trials"], len(other["trials"])) == ([], 10)


def test_what_a_server_refuses_fails_the_gate_as_invalid_and_the_other_suite_is_judged(energygate):
    energygate.suite(OTHER)
    energygate("--mode", "record")
    energygate.suite(OTHER, mode="long_400")
    code, out, _ = energygate("--mode", "gate", "--report", "json:report.json")
    report = json.loads((energygate.folder / "report.json").read_text())
    assert (code, report["exit_code"]) == (5, 5)
    assert {row["benchmark"]: row["outcome"] for row in report["comparisons"]} == {
        "a.energy.yml::chat": "invalid",
        "a.energy.yml::other": "pass",
    }
    assert [len(each["trials"]) for each in energygate.benchmarks] == [0, 10]
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 2 benchmarks invalid"


def test_a_server_that_is_killed_each_time_is_an_invalid_benchmark_with_its_last_lines(energygate):
    energygate.suite(mode="die", options=["--stream", "yes", "--after", "5"])  # probe, and a warm-up of two passes
    code, out, _ = energygate()
    assert code == 5
    (benchmark,) = energygate.benchmarks
    assert benchmark["invalid"].startswith("chat: the server was killed by signal 9, after it had been started again. ")
    assert "Its last lines: (none)" in out
    assert [trial["invalid"][:12] for trial in benchmark["trials"]] == ["work_failed:"] * len(benchmark["trials"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"requests__max_tokens": 0}, "a.energy.yml:8: suites[0].requests.max_tokens: Expected `int` >= 1"),
        ({"requests__max_tokens": -5}, "a.energy.yml:8: suites[0].requests.max_tokens: Expected `int` >= 1"),
        (
            {"requests__fixed_output": True, "endpoint__preset": "generic"},
            "requests.fixed_output: preset generic has no",
        ),
        ({"endpoint__api_key_env": "NO_SUCH_KEY"}, "endpoint.api_key_env: the variable NO_SUCH_KEY is not set."),
    ],
)
def test_what_a_suite_file_says_wrong_is_refused_before_anything_is_measured(energygate, changes, said):
    energygate.suite(**changes)
    code, out, err = energygate()
    assert (code, out) == (2, "")
    assert said in err
    assert not (energygate.folder / "run.json").exists()


class Collector(httpx.BaseTransport):
    """Takes everything that is exported, and keeps it."""

    def __init__(self):
        self.taken = []

    def handle_request(self, request):
        self.taken.append(request.read().decode(errors="replace"))
        return httpx.Response(200)


def exported(file):
    """What a collector is sent of a report, in which texts stand as they are."""
    collector, endpoint = Collector(), read_endpoint("http://127.0.0.1:4318", {})
    with Sender(endpoint, transport=collector) as sender:
        export_trials(decode_report(file.read_bytes(), origin=str(file)), endpoint, sender)
    return collector.taken


def drawn(file):
    """What the figures of a page are drawn from, unpacked."""
    (packed,) = re.findall('id="figures">([^<]+)<', file.read_text())
    return gzip.decompress(base64.b64decode(packed)).decode()


@pytest.mark.parametrize("mode", ["good", "echo_400", "hang"])
def test_no_prompt_answer_or_key_is_in_any_file_or_line(energygate, mode):
    counters = ["--owner", "llamacpp", "--counters"]  # they say when it is idle again after a failure
    energygate.suite(
        mode=mode,
        options=["--stream", "yes", "--after", "5" if mode != "echo_400" else "0", *counters],
        requests__fixed_output=False,
        endpoint__api_key_env="MODEL_API_KEY",
        requests__prompts=[f"please say {CANARIES[1]} to me", "another prompt"],
        requests__system=f"you are {CANARIES[2]} as ever",
        requests__stream=mode != "echo_400" and "auto",
        timeouts__stall=0.3,
    )
    _, out, err = energygate("--mode", "gate", "--debug", *(f"--report={name}:report.{name}" for name in FORMATS))
    own = {energygate.folder / "a.energy.yml"}
    files = [path for path in energygate.folder.rglob("*") if path.is_file() and path not in own]
    assert {"run.json", *(f"report.{name}" for name in FORMATS)} <= {path.name for path in files}
    sent = exported(energygate.folder / "report.json") if mode != "echo_400" else []  # of which there is no trial
    texts = (out, err, *sent, drawn(energygate.folder / "report.html"))
    for text in (*texts, *(path.read_text(errors="replace") for path in files)):
        assert not [canary for canary in CANARIES if canary in text]


@pytest.mark.parametrize(
    "line", ['{"prompt": "PROMPT", "nonsense": 1}', '{"prompt": "PROMPT"', '{"prompt": ["PROMPT"]}']
)
def test_the_traceback_of_a_dataset_that_is_refused_shows_no_prompt_either(energygate, line):
    energygate.suite(requests__dataset="prompts.jsonl", requests__prompts=None)
    (energygate.folder / "prompts.jsonl").write_text(line.replace("PROMPT", CANARIES[1]))
    words = ("run", "a.energy.yml", "--debug")
    code, out, err = run_energygate(*words, cwd=energygate.folder, env=energygate.environ)
    assert (code, out) == (2, "")
    assert "Traceback" in err
    assert "prompts.jsonl:1: " in err
    assert CANARIES[1] not in err


def test_what_a_change_may_touch_keeps_the_workload_and_what_it_must_not_makes_another(energygate):
    flag = ["{python}", SCRIPTED, "--port", "{port}", "--chunks", "7"]
    energygate.suite(
        another("flag", server={"command": flag}),
        another("model", endpoint={"model": "tiny"}),  # which this server does not have; what is asked is known even so
        another("system", requests={"system": "Be brief."}),
        another("prompt", requests={"prompts": ["one prompt", "a third prompt"]}),
        another("order", requests={"prompts": ["another prompt", "one prompt"]}),
        another("concurrency", load={"concurrency": 2}),
        another("max_tokens", requests={"max_tokens": 17}),
    )
    energygate("--trials", "1", "--warmup", "0")
    asked = {each["name"].rpartition("::")[2]: each["workload"] for each in energygate.benchmarks}
    same = [name for name, workload in asked.items() if workload == asked["chat"]]
    assert same == ["chat", "flag", "model", "system"]
    assert len(set(asked.values())) == 5


def another(name, **changes):
    """The suite of `Shell.suite` with other values."""
    suite = {"name": name, "kind": "inference", "server": {"command": ["{python}", SCRIPTED, "--port", "{port}"]}}
    endpoint = {"url": "http://127.0.0.1:{port}/v1", "model": "scripted"}
    suite |= {"endpoint": endpoint, "requests": {"prompts": ["one prompt", "another prompt"], "max_tokens": 16}}
    return suite | {section: suite.get(section, {}) | values for section, values in changes.items()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_the_middle_of_a_trial_leaves_nothing_of_a_shell_and_its_server(energygate, number):
    script = f"{sys.executable} {SCRIPTED} --port {{port}} --mode hang --after 5 & echo $$ > group; wait"
    energygate.suite(argv=["sh", "-c", script])
    with energygate.start() as process:
        members = wait_for_group(energygate.folder / "group")
        process.send_signal(number)
        process.communicate()
    assert process.returncode == 128 + number
    assert all(gone(member) for member in members)


def test_what_a_killed_energygate_left_is_stopped_by_the_next(energygate):
    script = f"{sys.executable} {SCRIPTED} --port {{port}} --mode hang --after 5 & echo $$ > group; wait"
    energygate.suite(argv=["sh", "-c", script])
    with energygate.start() as process:
        members = wait_for_group(energygate.folder / "group")
        process.kill()
        process.communicate()
    energygate.suite()
    code, _, err = energygate()
    assert code == 0
    assert "chat: stopped what a killed energygate had left running: " in err
    assert all(gone(member) for member in members)


def wait_for_group(file):
    """Wait until the shell has started its server and that answers; give the processes of both."""
    while not (file.exists() and file.read_text().strip()):
        os.sched_yield()
    group = int(file.read_text())
    while len(members := members_of(group)) < 2:
        os.sched_yield()
    return [os.pidfd_open(pid) for pid in members]


def members_of(group):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else None
        except OSError:
            continue
        if fields and fields[2] == str(group) and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def gone(descriptor):
    """Whether a process ends, within the time that a test has."""
    try:
        return bool(select.select([descriptor], [], [], 30)[0])
    finally:
        os.close(descriptor)
