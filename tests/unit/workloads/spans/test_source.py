import urllib.request

import pytest
from fakes_meters import HandClock
from fakes_spans import INPUT, OUTPUT, export

from energygate.errors import MeasurementInvalid
from energygate.model import Work
from energygate.workloads.spans.source import SpanSource

NS = 10**9


class Sending(HandClock):
    """A clock that sends an export at each of these seconds, while somebody waits."""

    def __init__(self):
        super().__init__()
        self.exports = {}
        self.send = None

    def sleep(self, seconds):
        super().sleep(seconds)
        for at_s in [at_s for at_s in self.exports if at_s <= self.at_s]:
            self.send(self.exports.pop(at_s))


@pytest.fixture
def clock():
    return Sending()


@pytest.fixture
def source(clock):
    made = SpanSource(clock=clock, wall_ns=lambda: round(clock.at_s * NS))
    made.open()
    clock.send = lambda body: send(made, body)
    yield made
    made.close()


def send(source, body, kind="application/x-protobuf"):
    url = source.environment({})["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": kind})) as answer:
        assert answer.status == 200


def one(name, at_s):
    return export({"id": name, "end_ns": round(at_s * NS), "attributes": {INPUT: 34, OUTPUT: 15}})


def work(source, clock, seconds=1.0):
    source.begin()
    clock.work(seconds)
    source.end()


def refusal(source):
    with pytest.raises(MeasurementInvalid) as invalid:
        source.count()
    return str(invalid.value).removeprefix("work_failed: ")


def test_the_environment_sends_every_span_here_soon(source):
    url = source.environment({})["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert url.startswith("http://127.0.0.1:")
    assert source.environment({}) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "always_on",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }


@pytest.mark.parametrize(
    ("environ", "direct"),
    [
        ({"HTTP_PROXY": "http://proxy"}, "127.0.0.1"),
        ({"all_proxy": "http://proxy", "NO_PROXY": "intern"}, "intern,127.0.0.1"),
        ({"http_proxy": "http://proxy", "no_proxy": "a,b", "NO_PROXY": "c"}, "a,b,127.0.0.1"),
    ],
)
def test_no_proxy_gets_the_spans(source, environ, direct):
    added = source.environment(environ)
    assert (added["no_proxy"], added["NO_PROXY"]) == (direct, direct)


def test_spans_of_the_work_are_counted_and_others_are_not(source, clock):
    send(source, one("before", clock.at_s - 1))
    work(source, clock)
    send(source, one("within", clock.at_s))
    send(source, one("after", clock.at_s + 1))
    assert source.count().work == Work(requests=1, input_tokens=34, output_tokens=15)
    assert sum(clock.slept) == pytest.approx(0.5, abs=0.03)  # as long as nothing came


def test_what_still_comes_is_waited_for(source, clock):
    work(source, clock)
    ended_s = clock.at_s
    clock.exports = {
        ended_s + 0.4: one("a", ended_s),
        ended_s + 0.8: one("b", ended_s),
        ended_s + 1.4: one("c", ended_s),
    }
    assert source.count().work.requests == 2
    assert sum(clock.slept) == pytest.approx(1.3, abs=0.06)


def test_work_whose_spans_come_without_end_is_not_counted(source, clock):
    work(source, clock)
    ended_s = clock.at_s
    clock.exports = {ended_s + 0.3 * n: one(f"s{n}", ended_s) for n in range(30)}
    assert refusal(source) == "its spans still came 5 s after the trial, so some may be missing"


def test_without_any_span_the_tokens_are_unknown(source, clock):
    work(source, clock)
    assert refusal(source).startswith("no span with output tokens came, so the tokens are unknown")


def test_a_refused_export_spoils_its_trial_alone(source, clock):
    work(source, clock)
    send(source, one("a", clock.at_s))
    with pytest.raises(urllib.error.HTTPError, match="415"):
        send(source, b"{}", "application/json")
    assert refusal(source) == (
        "an export of spans was refused, so some are missing: HTTP 415, it is JSON, not application/x-protobuf; "
        "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
    )
    work(source, clock)
    send(source, one("b", clock.at_s))
    assert source.count().work.requests == 1


def test_a_wall_clock_that_was_set_spoils_the_trial(clock):
    wall_s = iter([100.0, 161.0])
    source = SpanSource(clock=clock, wall_ns=lambda: round(next(wall_s) * NS))
    source.open()
    work(source, clock)
    assert refusal(source) == (
        "the wall clock was set by +60 s during the trial, so nobody knows which spans are its own"
    )
    source.close()
    source.close()
