"""Tokens from spans: real exporters, OpenLLMetry's client among them, and a real model."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from rig import otel
from rig.fixtures import skip

from energygate.errors import MeasurementInvalid
from energygate.model import Work
from energygate.workloads.build import workload
from energygate.workloads.suites import SuiteFile

PROMPT = "Name three fruits."
ANSWER = "Bananas"
CLIENT = Path(__file__).with_name("otel_client.py")
SENDER = """\
import os, sys, time, urllib.request
from fakes_spans import INPUT, OUTPUT, export

def send(*spans, kind="application/x-protobuf"):
    url = os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
    request = urllib.request.Request(url, export(*spans), {"Content-Type": kind})
    urllib.request.urlopen(request).close()

def chat(name, **others):
    attributes = {"gen_ai.operation.name": "chat", INPUT: 34, OUTPUT: 15, "gen_ai.output.messages": "Bananas"}
    return {"id": name, "end_ns": time.time_ns(), "attributes": attributes, **others}

run = os.urandom(3).hex()  # 24 bits, so that a letter and it fit into a span's 8 bytes
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Build a command's workload whose tokens are counted by spans; what it writes stays below the test's folder."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    made = []

    def build(*command, **keys):
        suite = {"name": "spans", "kind": "command", "command": list(map(str, command)), "tokens": {"source": "spans"}}
        read = msgspec.convert({"version": 1, "suites": [suite | keys]}, SuiteFile, strict=True)
        environ = os.environ | {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "OTEL_TRACES_SAMPLER": "always_off",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/elsewhere",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "",
            "no_proxy": "",
        }
        made.append(workload(read.suites[0], file=tmp_path / "a.energy.yml", prefix="a", environ=environ))
        made[-1].open()
        return made[-1]

    yield build
    for one in made:
        one.close()


def trial(load):
    load.before()
    load.run(1)
    return load.after()


def refusal(load):
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    return str(invalid.value).removeprefix("work_failed: ")


def sender(make, code, **keys):
    return make(sys.executable, "-c", SENDER + code, **keys)


def test_each_trial_counts_the_spans_of_its_own_run(make):
    load = sender(make, "send(chat(f'a{run}')); send(chat(f'b{run}'), chat(f'a{run}'))")
    for _ in range(2):
        assert trial(load).work == Work(requests=2, input_tokens=68, output_tokens=30)
    assert load.definition["tokens"] == "spans"


def test_a_command_may_count_its_own_requests_and_not_its_tokens_too(make):
    write = "open(os.environ['ENERGYGATE_RESULT'], 'w').write('{}')"
    code = f"send(chat('a')); send(chat('b')); {write}"
    assert trial(sender(make, code.format('{"requests": 1}'))).work == Work(
        requests=1, input_tokens=68, output_tokens=30
    )
    assert trial(sender(make, "send(chat('a')); send(chat('b'))", work={"requests": 4})).work.requests == 4
    assert refusal(sender(make, code.format('{"output_tokens": 30}'))) == (
        "output_tokens: counted by the work itself and, as tokens.source says, by spans"
    )


def test_a_command_that_sends_nothing_has_unknown_tokens(make):
    assert refusal(sender(make, "")) == (
        "no span with output tokens came, so the tokens are unknown; is the work instrumented for OpenTelemetry, "
        "and does it flush its spans before it ends?"
    )


def test_a_command_that_fails_is_told_by_its_failure_and_not_by_its_spans(make):
    assert refusal(sender(make, "send(chat('a')); sys.exit('no model')")) == (
        "the command exited with status 1. Its last lines: no model"
    )


def test_an_exporter_of_json_is_told_what_to_set(make):
    code = "import contextlib\nwith contextlib.suppress(OSError):\n    send(chat('a'), kind='application/json')"
    assert refusal(sender(make, code)) == (
        "an export of spans was refused, so some are missing: HTTP 415, it is JSON, not application/x-protobuf; "
        "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
    )


@pytest.fixture(scope="module")
def served(llm_suite_folder):
    """The URL of the real model, for a client that is installed elsewhere."""
    if missing := otel.missing():
        reason = f"no {missing}: this would have shown that OpenLLMetry's spans count what the server counts"
        skip(reason, unless="ENERGYGATE_REQUIRE_OTEL")
    command = [sys.executable, llm_suite_folder / "serve.py", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield f"{server.stdout.readline().split()[-1]}/v1"
        finally:
            server.kill()


def client(make, url, *kinds):
    return make(otel.PYTHON, CLIENT, url, PROMPT, *kinds, env={"PYTHONPATH": ""})


@pytest.mark.llm
@pytest.mark.parametrize("kinds", ["plain", "streamed", "agent", "plain streamed agent"])
def test_spans_of_openllmetry_count_what_the_server_counts_each_request_once(make, served, kinds):
    requests = len(kinds.split())
    done = trial(client(make, served, *kinds.split()))
    work = done.work
    assert (work.requests, work.input_tokens, work.output_tokens) == (requests, 34 * requests, 15 * requests)
    assert done.conditions == {"spans": {"models": ["smollm2-135m"], "finish": {"stop": requests}}}


@pytest.mark.llm
def test_the_model_is_a_label_and_no_text_is_in_any_file(make, served, tmp_path):
    load = client(make, served, "plain", "streamed")
    done = trial(load)
    assert load.labels == {"model": "smollm2-135m"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.suffix != ".left"} == {"stdout", "stderr"}
    kept = [path.read_text() for path in files] + [json.dumps(msgspec.to_builtins(done.work)), repr(done)]
    assert [text for text in kept if PROMPT in text or ANSWER in text] == []


@pytest.mark.llm
def test_a_request_streamed_without_usage_is_unknown_and_spoils_its_trial(make, served):
    assert refusal(client(make, served, "plain", "silent")) == (
        "1 of 2 requests have no output tokens in their spans, so the tokens are unknown; they failed, or were "
        "streamed without stream_options.include_usage"
    )
