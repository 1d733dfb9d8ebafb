"""Requests to a collector: what is sent again, and why one was not taken."""

import httpx
import pytest
from exported_report import ESTIMATED
from fakes_meters import HandClock

from energygate.errors import ConfigError
from energygate.telemetry.endpoint import read_endpoint
from energygate.telemetry.export import export_trials
from energygate.telemetry.messages import refused_spans
from energygate.telemetry.sending import NotSent, Sender

HERE = "http://127.0.0.1:4318"
URL = f"{HERE}/v1/traces"
TOKEN = "s3cr3t-token-of-many-letters"
WITH_TOKEN = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}"}


class Collector(httpx.BaseTransport):
    """Answers with these, one after the other; an exception is raised instead."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def handle_request(self, request):
        self.asked.append((str(request.url), request.headers["content-type"], request.read()))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def taken(_):
    return 0, ""


def send(*answers, refused=taken, environ=WITH_TOKEN, bodies=(b"spans",)):
    """Give what was asked, and how long was waited."""
    collector, clock = Collector(*answers), HandClock()
    with Sender(read_endpoint(HERE, environ), clock=clock, transport=collector) as sender:
        sender.send(URL, bodies, refused)
    assert collector.answers == []
    return collector.asked, sum(clock.slept)


def refusal(*answers, **how):
    with pytest.raises(NotSent) as wrong:
        send(*answers, **how)
    assert TOKEN not in str(wrong.value)
    return str(wrong.value)


def test_each_body_is_posted_as_protobuf():
    asked, waited_s = send(httpx.Response(200), httpx.Response(200), bodies=(b"a", b"b"))
    assert asked == [(URL, "application/x-protobuf", b"a"), (URL, "application/x-protobuf", b"b")]
    assert waited_s == 0


@pytest.mark.parametrize("trouble", [httpx.Response(503), httpx.Response(429), httpx.ConnectError("refused")])
def test_what_may_pass_is_sent_again(trouble):
    asked, waited_s = send(trouble, trouble, httpx.Response(200))
    assert (len(asked), waited_s) == (3, 5.0)


@pytest.mark.parametrize(("says", "waits_s"), [("7", 7.0), ("3600", 30.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0)])
def test_a_collector_may_say_how_long_to_wait(says, waits_s):
    busy = httpx.Response(503, headers={"retry-after": says})
    assert send(busy, httpx.Response(200))[1] == waits_s


def test_a_collector_that_does_not_answer_is_named():
    error = httpx.ConnectError("[Errno 111] Connection refused")
    assert refusal(error, error, error) == (
        "http://127.0.0.1:4318/v1/traces does not answer: ConnectError: [Errno 111] Connection refused. Start the "
        "collector, or mend the address: its receiver is `otlp`, with protocol `http`."
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            httpx.Response(401, text=f"Bearer {TOKEN} is no good.\n"),
            (
                "HTTP 401: *** is no good. Put what it asks for into OTEL_EXPORTER_OTLP_HEADERS: "
                "authorization=Bearer%20TOKEN."
            ),
        ),
        (
            httpx.Response(404),
            "HTTP 404. Give the collector's root as the address: /v1/traces and /v1/metrics are added.",
        ),
        (httpx.Response(302), "HTTP 302. Give the final address: a redirect is not followed."),
        (httpx.Response(400, content=b"\x08\x03\x12\x07too old"), "HTTP 400: too old. Look at the collector's log."),
    ],
)
def test_a_refusal_says_why_and_how_to_mend_it(answer, said):
    if answer.status_code == 302:
        answer.headers["location"] = "http://elsewhere"
    assert refusal(answer) == f"http://127.0.0.1:4318/v1/traces refused the export with {said}"


def test_a_part_that_is_not_taken_is_no_success():
    assert refusal(httpx.Response(200), refused=lambda _: (3, "too old.")) == (
        "http://127.0.0.1:4318/v1/traces did not take 3 of what was sent: too old. The rest has arrived. Mend what the "
        "collector says, and export again: the ids of spans stay the same."
    )


FOREIGN = (
    "Whether anything was taken is not known. Mend the address, or what stands before the collector, such as a login "
    "page."
)


def test_a_page_with_status_200_is_no_success():
    page = httpx.Response(200, html="<html>log in</html>")
    assert refusal(page, refused=refused_spans) == (
        f"{URL} answers HTTP 200 with what no collector says: 19 bytes of type text/html. {FOREIGN}"
    )


def test_an_answer_without_end_is_not_read_to_its_end():
    asked = []

    def zeros():
        while True:
            asked.append(1)
            yield bytes(2**16)

    assert refusal(httpx.Response(200, content=zeros())) == (
        f"{URL} answers HTTP 200 with more than 1048576 bytes, which no collector does. {FOREIGN}"
    )
    assert len(asked) == 17


def test_a_certificate_that_cannot_be_read_is_named():
    assert refusal(environ={"OTEL_EXPORTER_OTLP_CERTIFICATE": "gone.pem"}) == (
        "OTEL_EXPORTER_OTLP_CERTIFICATE: gone.pem cannot be read: No such file or directory. Give a file of "
        "certificates in PEM."
    )


def test_a_report_without_trials_is_refused_before_anything_is_sent():
    endpoint = read_endpoint(HERE, {})
    with Sender(endpoint, transport=Collector()) as sender, pytest.raises(ConfigError) as wrong:
        export_trials(ESTIMATED, endpoint, sender)
    assert str(wrong.value) == (
        "The report holds no trials, so there is nothing to export. It was written without evidence, or nothing was "
        "measured. Measure again with this version: --report json:FILE writes every trial."
    )
