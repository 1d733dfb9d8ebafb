import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from fakes_meters import HandClock

from energygate.clock import SystemClock
from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.workloads.dataset import Request
from energygate.workloads.inference.plan import Plan
from energygate.workloads.inference.workload import InferenceWorkload
from energygate.workloads.suites import SuiteFile
from energygate.workloads.text import Redactor

SENT, RECEIVED = 10, 4
ANSWER = {
    "model": "m",
    "choices": [{"finish_reason": "stop", "message": {"content": "Apples."}}],
    "usage": {"prompt_tokens": SENT, "completion_tokens": RECEIVED},
}
PAGE = """\
llamacpp:prompt_tokens_total {sent}
llamacpp:prompt_tokens_cached_total 0
llamacpp:tokens_predicted_total {received}
llamacpp:requests_processing 0
llamacpp:requests_deferred 0
"""


class Model(ThreadingHTTPServer):
    """Answers, counts what it answers, and is the `Server` of a workload at the same time."""

    daemon_threads = True
    pid = None
    pids = ()
    notes = ()

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.answered, self.is_dead, self.counters_fail = 0, False, False
        self.loading = []  # paths that are answered with 503, each once

    def start(self, http):
        pass

    def stop(self):
        pass

    def death(self, *, patience_s=0.0):
        return None

    def death_in_trial(self):
        return None

    def revived(self, http):
        was_dead, self.is_dead = self.is_dead, False
        return was_dead


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path in self.server.loading:
            self.server.loading.remove(self.path)
            self._say(503, "Loading model")
        elif self.path == "/v1/models":
            self._say(200, json.dumps({"data": [{"id": "m", "owned_by": self.server.owner}]}))
        elif self.server.counters_fail:
            self._say(500, "not yet")
        else:
            done = self.server.answered
            self._say(200, self.server.page.format(sent=SENT * done, received=RECEIVED * done, done=done))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path in self.server.loading:
            self.server.loading.remove(self.path)
            self._say(503, "Loading model")
            return
        self.server.answered += 1
        time.sleep(0.05)  # lest the client be the one that sets the pace
        self._say(200, json.dumps(ANSWER))

    def _say(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@contextmanager
def opened(*, owner="llamacpp", page=PAGE, concurrency=1, source="usage", loading=(), server=None, clock=None):
    with Model() as model:
        model.owner, model.page, model.loading = owner, page, list(loading)
        threading.Thread(target=model.serve_forever, daemon=True).start()
        suite = {
            "name": "chat",
            "kind": "inference",
            "endpoint": {"url": model.url, "model": "m"},
            "requests": {"prompts": ["one", "two"], "max_tokens": 16, "fixed_output": False, "prefix_cache": "any"},
            "load": {"concurrency": concurrency},
            "tokens": {"source": source},
        } | ({} if server is None else {"server": server})
        read = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile).suites[0]
        requests = tuple(Request(origin=f"p:{n}", prompt=n, max_tokens=16) for n in ("one", "two"))
        plan = Plan(suite=read, requests=requests, show=Redactor())
        load = InferenceWorkload(plan, model, name="a::chat", clock=clock or SystemClock())
        try:
            load.open()
            yield load, model
        finally:
            load.close()
            model.shutdown()


def trial(load):
    load.before()
    load.run(1)
    return load.after()


def test_a_server_that_was_started_again_is_warmed_up_before_any_trial_whatever_failed_in_between():
    with opened() as (load, model):
        trial(load)
        model.is_dead = model.counters_fail = True
        with pytest.raises(MeasurementInvalid):
            load.before()
        model.counters_fail, cold = False, model.answered
        load.before()
        assert model.answered == cold + 2  # each prompt once
        load.run(1)
        assert load.after().work.requests == 2
        assert model.answered == cold + 4


def test_a_trial_says_how_equal_its_suite_wants_it_to_be():
    with opened() as (load, _):
        equal = trial(load).conditions["inference"]["equal_work"]
    assert equal == {"output_tolerance": 0.02, "prefix_cache": "any"}


VLLM = """\
vllm:num_requests_running 0
vllm:num_requests_waiting 0
vllm:prompt_tokens_total {sent}
vllm:generation_tokens_total {received}
vllm:request_prefill_time_seconds_sum {done}.25
vllm:request_decode_time_seconds_sum{{engine="0"}} {done}.5
vllm:request_decode_time_seconds_sum{{engine="1"}} {done}.0
"""


def test_vllms_own_clock_splits_the_time_of_a_trial():
    with opened(owner="vllm", page=VLLM) as (load, _):
        assert trial(load).conditions["inference"]["phases"] == {"prefill_s": 2.0, "decode_s": 4.0}


@pytest.mark.parametrize("broken", ["NaN", "-1", "+Inf", "1.7e308"])
def test_phases_that_are_no_time_are_unknown_and_cost_no_trial(broken):
    page = VLLM.replace("{done}.25", broken)
    with opened(owner="vllm", page=page) as (load, _):
        assert "phases" not in trial(load).conditions["inference"]


def test_phases_of_requests_at_the_same_time_overlap_and_are_left_out():
    with opened(owner="vllm", page=VLLM, concurrency=2) as (load, _):
        assert "phases" not in trial(load).conditions["inference"]


def test_more_tokens_than_were_asked_for_are_refused_also_where_the_server_counts_them():
    page = PAGE.replace("{received}", "{done}0").replace("{sent}", "{done}")
    with opened(source="counters", page=page) as (load, _):
        assert trial(load).work.output_tokens == 20
    with opened(source="counters", page=page.replace("{done}0", "{done}00")) as (load, _):
        with pytest.raises(MeasurementInvalid) as invalid:
            trial(load)
        assert str(invalid.value) == "work_failed: 200 output tokens, more than the 32 that were asked for"


@pytest.mark.parametrize(("sent", "received", "kind"), [("{done}", "0", "output"), ("0", "{done}", "input")])
def test_a_counter_that_stands_still_while_answers_come_counts_nothing(sent, received, kind):
    page = PAGE.replace("{received}", received).replace("{sent}", sent)
    with opened(source="counters", page=page) as (load, _), pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    assert str(invalid.value) == (
        f"work_failed: the server counted 0 {kind} tokens, so those of the answers are unknown"
    )


LOADING = ["/v1/models", "/v1/models", "/metrics", "/v1/chat/completions"]


def test_a_server_of_ours_that_answers_before_its_model_is_loaded_is_waited_for():
    clock = HandClock()
    server = {"command": ["serve"], "ready": {"timeout": 2}}
    with opened(loading=LOADING, server=server, clock=clock) as (load, model):
        assert clock.slept == [0.25] * 4
        model.is_dead, model.loading = True, ["/v1/chat/completions"]  # and so it is when it is started again
        load.before()
        assert clock.slept == [0.25] * 5


def test_a_server_of_ours_that_goes_on_loading_is_given_up_when_its_time_is_over():
    server = {"command": ["serve"], "ready": {"timeout": 2}}
    with pytest.raises(WorkloadError) as refused, opened(loading=["/v1/models"] * 9, server=server, clock=HandClock()):
        pass
    assert re.fullmatch(
        r"chat: the server refused http://127\.0\.0\.1:\d+/v1/models: HTTP 503, Loading model\. "
        r"It has said so for 2 s\. Raise server\.ready\.timeout\.",
        str(refused.value),
    )


def test_a_server_of_somebody_else_is_not_waited_for():
    with pytest.raises(WorkloadError) as refused, opened(loading=LOADING, clock=HandClock()):
        pass
    assert str(refused.value).endswith("/v1/models: HTTP 503, Loading model")
