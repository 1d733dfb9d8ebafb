"""Inference suites against a real model on llama.cpp: what the server counted, and what a changed prompt costs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from fakes import a_benchmark, a_run, server_pid, some_blocks

from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.judging import judge_interleaved
from energygate.model import Metric, Outcome
from energygate.policy import Policy
from energygate.workloads.inference.client import HttpClient
from energygate.workloads.suites import Timeouts

pytestmark = pytest.mark.llm

FRUITS, RIVERS = "Name three fruits.", "Name three rivers."
QUESTION = "Tom has a blue boat. What does Tom have?"


def a_suite(url, prompts, changes):
    suite = {
        "name": "llm",
        "kind": "inference",
        "endpoint": {"url": url, "model": "smollm2-135m"},
        "requests": {"prompts": list(prompts), "system": "Be brief.", "max_tokens": 6},
    }
    for path, value in changes.items():
        section, _, name = path.partition("__")
        suite.setdefault(section, {})[name] = value
    return suite


@contextmanager
def serving(folder, *options):
    """The URL of the real server, started by hand."""
    command = [sys.executable, folder / "serve.py", "--port", "0", "--threads", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield f"{server.stdout.readline().split()[-1]}/v1"
        finally:
            server.kill()


@pytest.fixture(scope="module")
def running(llm_suite_folder):
    """One server for all tests that only ask it."""
    with serving(llm_suite_folder) as url:
        yield url


@pytest.fixture(scope="module")
def small(llm_suite_folder):
    """One with room for 256 tokens."""
    with serving(llm_suite_folder, "--slots", "1", "--ctx-per-slot", "256") as url:
        yield url


@pytest.fixture
def asking(talk, running, llm_suite_folder):
    """Make a workload that asks the running server, or the one at `url`."""

    def make(url=None, *, prompts=(FRUITS, RIVERS), **changes):
        return talk(a_suite(url or running, prompts, changes), folder=llm_suite_folder)

    return make


@pytest.fixture
def starting(talk, llm_suite_folder):
    """Make a workload that starts a real server of its own, on this port."""

    def make(port, *, prompts=(FRUITS, RIVERS), **changes):
        command = ["{python}", "serve.py", "--port", str(port), "--threads", "1"]
        suite = a_suite(f"http://127.0.0.1:{port}/v1", prompts, {"server__command": command, **changes})
        return talk(suite, folder=llm_suite_folder)

    return make


def counts(work):
    return {"input_tokens": work.input_tokens, "output_tokens": work.output_tokens, "cached_input_tokens": 0}


@pytest.mark.parametrize(("concurrency", "stream"), [(1, "auto"), (1, False), (8, "auto"), (8, False)])
def test_every_trial_counts_what_the_server_counts(asking, concurrency, stream):
    changes = {"load__concurrency": concurrency, "requests__stream": stream, "requests__fixed_output": False}
    run = asking(**changes).open().warm_up()
    trials = [run.trial(passes) for passes in (1, 2)]
    told = [done.conditions["inference"] for done in trials]
    assert [each["server_counts"] for each in told] == [counts(done.work) for done in trials]
    assert [done.work.cached_input_tokens for done in trials] == [0, 0]
    assert len({each["work_digest"] for each in told}) == 1
    assert concurrency > 1 or len({each["output_digest"] for each in told}) == 1
    assert ["phases" in each for each in told] == [concurrency == 1] * 2
    assert ["ttft_s" in each for each in told] == [stream == "auto"] * 2


def test_at_temperature_0_one_request_at_a_time_is_answered_with_the_same_text_in_every_trial(asking):
    """Above concurrency 1 the server promises no such thing: which requests share a batch is chance."""
    changes = {"requests__max_tokens": 16, "requests__fixed_output": False, "requests__temperature": 0}
    run = asking(prompts=[RIVERS], **changes).open()
    trials = [run.trial() for _ in range(4)]
    assert [done.work.output_tokens for done in trials] == [trials[0].work.output_tokens] * 4
    assert len({done.conditions["inference"]["output_digest"] for done in trials}) == 1
    assert run.notes == ()


def test_fixed_output_is_exactly_as_long_as_asked_for(asking):
    done = asking(requests__max_tokens=20).open().trial()
    assert (done.work.output_tokens, done.conditions["inference"]["finish"]) == (40, {"length": 2})


def test_a_context_that_is_full_before_the_answer_has_its_length_is_named(asking, small):
    with pytest.raises(WorkloadError) as failed:
        asking(small, prompts=["word " * 210], requests__max_tokens=300).open()
    assert str(failed.value) == (
        "llm: requests.prompts[0]: 28 of 300 tokens, the context is full: 256 tokens with the input."
    )


def test_a_prompt_beyond_the_context_is_refused_with_both_numbers_before_any_trial(asking, small):
    run = asking(small, prompts=[FRUITS, "word " * 400]).open()
    with pytest.raises(WorkloadError) as failed:
        run.warm_up()
    assert str(failed.value) == (
        "llm: the server refused requests.prompts[1]: HTTP 400, request (418 tokens) exceeds the available context "
        "size (256 tokens), try increasing it."
    )


def test_a_warm_cache_is_equally_warm_in_each_trial_and_its_loss_is_named(asking, llm_suite_folder):
    """The joules are replayed, the tokens are the servers'."""
    with serving(llm_suite_folder, "--no-prefix-cache") as cold_url:
        runs = [asking(url, prompts=[FRUITS], requests__prefix_cache="warm").open() for url in (None, cold_url)]
        works = [[run.warm_up().trial().work, run.trial().work] for run in runs]
    (warm, cold) = (first for first, _ in works)
    assert works == [[warm, warm], [cold, cold]]
    assert warm.cached_input_tokens > warm.input_tokens / 2
    assert cold == msgspec.structs.replace(warm, cached_input_tokens=0)

    found = judged(warm, cold, joules=(2.0, 3.06))
    assert (found.outcome, found.metric) == (Outcome.REGRESSED, Metric.J_PER_REQUEST)
    assert f"input tokens from the prefix cache per request: {warm.cached_input_tokens} → 0" in found.reason


def test_a_strangers_request_in_the_window_makes_its_trial_invalid(asking, running):
    run = asking(requests__max_tokens=4).open()
    load = run.load
    load.before()
    body = b'{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "ignore_eos": true}'
    url = f"{running}/chat/completions"
    stranger = HttpClient(timeouts=Timeouts())
    other = threading.Thread(target=stranger.post_all, args=(url, [body]), kwargs={"concurrency": 1, "streamed": False})
    other.start()
    load.run(1)
    other.join()
    with pytest.raises(
        MeasurementInvalid, match=r"^foreign_requests: the server counted \d+ input and 13 output tokens"
    ):
        load.after()
    assert run.trial().work.output_tokens == 8


def test_a_server_that_is_stopped_or_killed_in_mid_stream_costs_one_trial(starting):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = starting(port, prompts=[FRUITS], requests__max_tokens=64, timeouts__stall=3).open()
    pid = server_pid(run.load)
    assert in_mid_stream(run, port, signal.SIGSTOP).endswith(": no token for 3 s (timeouts.stall) after some chunks")
    os.kill(pid, signal.SIGCONT)
    assert run.trial().work.output_tokens == 64  # what the server still did for the other request is in no trial
    killed = in_mid_stream(run, port, signal.SIGKILL)
    assert f"after some chunks: the server (pid {pid}) was killed by signal 9; " in killed
    assert run.trial().work.output_tokens == 64
    assert server_pid(run.load) != pid


def in_mid_stream(run, port, number):
    """Send the server a signal while it answers; give what became of the trial."""
    over = threading.Event()
    sender = threading.Thread(target=once_it_speaks, args=(port, server_pid(run.load), number, over))
    sender.start()
    with pytest.raises(MeasurementInvalid) as invalid:
        run.trial()
    over.set()
    sender.join()
    return re.sub(r"after \d+ chunks", "after some chunks", str(invalid.value))


def once_it_speaks(port, pid, number, over):
    """Send a signal once the server itself says that it has made a few tokens of an answer, unless that is over."""
    while not any(slot["is_processing"] and slot["next_token"][0]["n_decoded"] > 3 for slot in slots(port)):
        if over.wait(0.01):
            return
    os.kill(pid, number)


def slots(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/slots") as answer:
        return json.load(answer)


def test_many_requests_of_one_token_are_all_answered(asking):
    run = asking(prompts=[FRUITS], requests__max_tokens=1, requests__prefix_cache="warm").open().warm_up()
    assert run.trial(passes=100).work.requests == 100


def test_a_prompt_that_makes_the_model_babble_is_a_regression_whatever_a_token_costs(asking):
    """The joules are replayed, the tokens are the server's."""
    works, definitions = [], []
    for system in ("system.txt", "system-rambling.txt"):
        changes = {"requests__system": {"file": system}, "requests__max_tokens": 48, "requests__fixed_output": False}
        run = asking(prompts=[QUESTION], **changes).open()
        works.append(run.trial().work)
        definitions.append(run.load.definition)
    terse, rambling = works
    assert definitions[0] == definitions[1]  # so they are compared
    more = rambling.output_tokens / terse.output_tokens
    assert more > 1.4

    cheap, dear = 3.9, 3.9 * more**0.5  # so a request costs more, and a token less
    found = judged(terse, rambling, joules=(cheap, dear))
    assert (found.outcome, found.metric) == (Outcome.REGRESSED, Metric.J_PER_REQUEST)
    assert found.reason.startswith("work changed: ")
    assert judged(rambling, terse, joules=(dear, cheap)).outcome not in {Outcome.IMPROVED, Outcome.PASS}


def test_answers_that_a_server_makes_two_fifths_longer_are_a_regression_though_a_token_costs_less(asking, running):
    """The joules are replayed; the tokens are the server's, and so is what makes the answers longer."""
    asked = {"prompts": [FRUITS], "requests__max_tokens": 48, "requests__fixed_output": False}
    with forcing(running, digits=9) as shorter, forcing(running, digits=13) as longer:
        runs = [asking(url, **asked).open() for url in (shorter, longer)]
        works = [run.trial().work for run in runs]
    assert [work.output_tokens for work in works] == [10, 14]  # one for each digit, and the end of the text
    assert runs[0].load.definition == runs[1].load.definition  # so they are compared

    found, per_token = rows(*works, joules=(4.0, 4.8))
    assert (found.outcome, found.metric) == (Outcome.REGRESSED, Metric.J_PER_REQUEST)
    assert (per_token.metric, per_token.ratio < 1 < found.ratio) == (Metric.J_PER_OUTPUT_TOKEN, True)
    assert found.reason == (
        "work changed: +40.0 % output tokens per request; J/request +21.2 %, J/token \N{MINUS SIGN}13.4 %. "
        "+21.2 % against the base in 6 blocks: above the budget of 5 %."
    )


@contextmanager
def forcing(url, *, digits):
    """The URL of a server that answers everything with so many digits: the real one, told so behind its client."""

    class Forced(BaseHTTPRequestHandler):
        def do_GET(self):
            self.pass_on()

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.pass_on(json.dumps(body | {"grammar": f"root ::= [0-9]{{{digits}}}"}).encode())

        def pass_on(self, body=None):
            wanted = urllib.request.Request(f"{url.removesuffix('/v1')}{self.path}", data=body)
            wanted.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(wanted) as answer:
                content = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Forced) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def judged(base, head, *, joules):
    """Judge six blocks of such work at such joules, give or take a hundredth; give the row that decides."""
    return rows(base, head, joules=joules)[0]


def rows(base, head, *, joules):
    """Judge them; give the row that decides, and that of joules per token."""
    sides = []
    for work, energy_j, shift in zip((base, head), joules, (0, 1), strict=True):
        energies_j = [energy_j * (1 + 0.01 * ((n * n + shift) % 3 - 1)) for n in range(6)]
        counts = msgspec.structs.asdict(work)
        sides.append(a_run(a_benchmark(trials=some_blocks(energies_j, **counts)), day=1 + shift))
    return judge_interleaved(*sides, Policy()).comparisons
