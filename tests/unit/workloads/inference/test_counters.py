import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from energygate.errors import MeasurementInvalid
from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.counters import Counts, ServerCounters, difference
from energygate.workloads.inference.presets import PRESETS
from energygate.workloads.suites import Timeouts
from energygate.workloads.text import Redactor

LLAMA = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 1.5e+03
# TYPE llamacpp:prompt_tokens_cached_total counter
llamacpp:prompt_tokens_cached_total 100
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 64
# TYPE llamacpp:tokens_predicted_seconds_total counter
llamacpp:tokens_predicted_seconds_total 1.389
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 0
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 0
"""
VLLM = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a \\"b\\""} 0.0
vllm:num_requests_running{engine="1",model_name="a \\"b\\""} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="a \\"b\\""} 0.0
vllm:num_requests_waiting{engine="1",model_name="a \\"b\\""} 0.0
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="a \\"b\\""} 1234560.0
vllm:prompt_tokens_total{engine="1",model_name="a \\"b\\""} 7.0
# TYPE vllm:prompt_tokens_created gauge
vllm:prompt_tokens_created{engine="0",model_name="a \\"b\\""} 1.7e+09
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="a \\"b\\""} 20.0
# TYPE vllm:iteration_tokens_total histogram
vllm:iteration_tokens_total_bucket{engine="0",le="+Inf"} 9.0
vllm:iteration_tokens_total_sum{engine="0"} 99.0
vllm:iteration_tokens_total_count{engine="0"} 9.0
"""


class Pages(ThreadingHTTPServer):
    """Answers every question with the status and text of the moment, and remembers what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Page)
        self.status, self.text, self.asked = 200, "", []
        self.free = threading.Event()
        self.free.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.free.wait()
        self.server.asked.append(self.path)
        content = self.server.text if isinstance(self.server.text, bytes) else self.server.text.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def pages():
    with Pages() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def counters(pages, preset="llama.cpp", **options):
    http = HttpClient(timeouts=Timeouts())
    return ServerCounters(
        http, f"{pages.url}/v1", PRESETS[preset].counters, show=Redactor(prompts=("secret prompt text",)), **options
    )


def counts(input_tokens=None, output_tokens=None, cached_input_tokens=None, **rounding):
    return Counts(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached_input_tokens,
        rounding=rounding,
    )


def test_llama_cpp_counts_input_without_the_cached_tokens_so_both_are_added(pages):
    pages.text = LLAMA
    assert counters(pages).read() == counts(1600, 64, 100)
    assert counters(pages).idle() is True
    assert pages.asked == ["/metrics", "/metrics"]  # at the root, not below /v1


def test_the_engines_of_a_server_are_added_up_and_what_it_does_not_count_is_unknown(pages):
    pages.text = VLLM
    assert counters(pages, "vllm").read() == counts(1234567, 20)
    assert counters(pages, "vllm").idle() is False


def test_a_server_is_idle_only_if_every_gauge_says_so(pages):
    pages.text = LLAMA.replace("requests_deferred 0", "requests_deferred 1")
    assert counters(pages).idle() is False
    pages.text = LLAMA.replace("llamacpp:requests_deferred 0\n", "")
    assert counters(pages).idle() is None


@pytest.mark.parametrize(
    ("status", "text"), [(404, "not found"), (501, '{"error": "start it with --metrics"}'), (401, ""), (200, "up 1\n")]
)
def test_a_server_without_these_counters_has_none_and_does_not_say_whether_it_is_idle(pages, status, text):
    pages.status, pages.text = status, text
    assert (counters(pages).read(), counters(pages).idle()) == (None, None)


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (500, '{"error": {"message": "secret prompt text\\u0007"}}', "HTTP 500, [prompt]"),
        (503, "", "HTTP 503, no text"),
        (200, 'x{a="b", ="d"} 1\n', "string index out of range"),
        (200, "<html>\n", "invalid metric name:<html>"),
        (200, "a 1\n" * 2**18, "longer than 1024 KiB"),
        (200, "llamacpp:tokens_predicted_total NaN\n", "llamacpp:tokens_predicted_total is nan, no count"),
        (200, "llamacpp:tokens_predicted_total -1\n", "llamacpp:tokens_predicted_total is -1, no count"),
        (200, "llamacpp:tokens_predicted_total 1.5\n", "llamacpp:tokens_predicted_total is 1.5, no count"),
        (
            200,
            "llamacpp:tokens_predicted_total 1e300\n",
            "llamacpp:tokens_predicted_total is more than 2**53, no count",
        ),
        (
            200,
            f"llamacpp:tokens_predicted_total {10**400}\n",
            "llamacpp:tokens_predicted_total is more than 2**53, no count",
        ),
        (200, b"\xff\n", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_page_that_cannot_be_read_is_no_count_of_zero(pages, status, text, why):
    pages.status, pages.text = status, text
    with pytest.raises(MeasurementInvalid) as invalid:
        counters(pages).read()
    assert str(invalid.value) == f"read_error: {pages.url}/metrics cannot be read: {why}"


def test_a_server_that_is_gone_is_named():
    with Pages() as pages:
        gone = counters(pages)
    with pytest.raises(MeasurementInvalid, match=rf"^read_error: {pages.url}/metrics: ConnectError: .*refused"):
        gone.idle()


def test_a_server_too_busy_to_answer_is_not_idle_and_its_counters_are_unknown(pages):
    pages.free.clear()
    busy = counters(pages, timeout_s=0.2)
    assert busy.idle() is False
    with pytest.raises(MeasurementInvalid) as invalid:
        busy.read()
    assert str(invalid.value) == f"read_error: {pages.url}/metrics: ReadTimeout: timed out"
    pages.free.set()


def test_the_difference_is_what_was_counted_between_two_readings(pages):
    pages.text = LLAMA
    before = counters(pages).read()
    pages.text = LLAMA.replace("1.5e+03", "1534").replace("total 64", "total 79").replace("total 100", "total 133")
    assert difference(before, counters(pages).read()) == counts(67, 15, 33)
    assert difference(before, before) == counts(0, 0, 0)


def test_a_counter_that_appears_with_its_first_token_counts_from_zero(pages):
    pages.text = 'sglang:prompt_tokens_total{a="0"} 5\nsglang:generation_tokens_total{a="0"} 5\n'
    before = counters(pages, "sglang").read()
    pages.text += 'sglang:prompt_tokens_total{a="1"} 7\n'
    assert difference(before, counters(pages, "sglang").read()) == counts(7, 0)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'prompt_tokens_total{engine="1",model_name="a \\"b\\""} 7.0',
            'prompt_tokens_total{engine="1",model_name="a \\"b\\""} 3.0',
            "counter_reset: vllm:prompt_tokens_total fell from 7 to 3: was the server started again?",
        ),
        (
            'vllm:generation_tokens_total{engine="0",model_name="a \\"b\\""} 20.0\n',
            "",
            "read_error: vllm:generation_tokens_total is gone, so the server's tokens are unknown",
        ),
        (VLLM, "", "read_error: the server shows no counters any more, so its tokens are unknown"),
    ],
)
def test_a_counter_that_fell_or_went_is_invalid_also_where_the_sum_grew(pages, old, new, sentence):
    pages.text = VLLM
    before = counters(pages, "vllm").read()
    pages.text = VLLM.replace("1234560.0", "2234560.0").replace(old, new) if old != VLLM else new
    with pytest.raises(MeasurementInvalid) as invalid:
        difference(before, counters(pages, "vllm").read())
    assert str(invalid.value) == sentence


@pytest.mark.parametrize(
    ("written", "tokens", "rounding"),
    [
        ("999999", 999_999, 0),
        ("1.23457e+06", 1_234_570, 5),
        ("1.23457e+08", 123_457_000, 500),
        ("1234567", 1_234_567, 0),
    ],
)
def test_llama_cpp_writes_six_digits_so_a_large_count_may_be_off(pages, written, tokens, rounding):
    pages.text = f"llamacpp:tokens_predicted_total {written}\n"
    found = counters(pages).read()
    assert (found.output_tokens, found.rounding.get("output_tokens", 0)) == (tokens, rounding)
    assert difference(found, found).rounding.get("output_tokens", 0) == 2 * rounding


def test_each_kind_of_tokens_is_as_exact_as_its_own_counters(pages):
    pages.text = LLAMA.replace("1.5e+03", "1.23457e+08").replace("total 100", "total 1.5e+06")
    found = counters(pages).read()
    assert found.rounding == {"input_tokens": 505, "cached_input_tokens": 5}
    pages.text = LLAMA.replace("1.5e+03", "1.23457e+08").replace("total 64", "total 1.00001e+06")
    assert difference(found, replace(counters(pages).read(), series=found.series)).rounding == {
        "input_tokens": 1005,
        "output_tokens": 5,
        "cached_input_tokens": 5,
    }
