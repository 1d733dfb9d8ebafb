import msgspec
import pytest

from energygate.errors import MeasurementInvalid
from energygate.workloads.inference.asking import Asking
from energygate.workloads.inference.conversation import Conversation
from energygate.workloads.inference.exchange import Reply
from energygate.workloads.inference.opening import Opened
from energygate.workloads.inference.plan import Plan
from energygate.workloads.inference.presets import PRESETS, switches
from energygate.workloads.inference.probe import Probed
from energygate.workloads.inference.served import Served
from energygate.workloads.suites import SuiteFile
from energygate.workloads.text import Redactor

GONE = "read_error: the server shows no counters any more, so its tokens are unknown"


class Page:
    """A client whose server has this page of counters, or none."""

    def __init__(self, *texts):
        self.texts = list(texts)

    def get(self, _url, *, timeout_s):
        assert timeout_s > 0
        text = self.texts.pop(0)
        return Reply(404, "", b"") if text is None else Reply(200, "text/plain", text.encode())


def page(tokens):
    return (
        f"vllm:prompt_tokens_total {tokens}\nvllm:generation_tokens_total {tokens}\n"
        "vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n"
    )


def asking(http, show=None):
    suite = {
        "name": "chat",
        "kind": "inference",
        "endpoint": {"url": "http://127.0.0.1:8000/v1", "model": "m"},
        "requests": {"prompts": ["Name three fruits."], "max_tokens": 16},
    }
    read = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile).suites[0]
    preset = PRESETS["vllm"]
    plan = Plan(suite=read, requests=(), show=show or Redactor())
    return Asking(plan=plan, http=http, url=read.endpoint.url, preset=preset, switches=switches(read, preset))


def readings(*tokens):
    """What a trial's begin or end asks for: twice whether it is idle, and then the counters; once without a page."""
    return [text for count in tokens for text in ([None] * 2 if count is None else [page(count)] * 3)]


def test_counters_that_go_away_between_two_trials_make_the_next_one_invalid():
    served = Served(asking(Page(*readings(0, 10, None, 30, 40))))
    served.begin()
    assert served.end().known() == {"input_tokens": 10, "output_tokens": 10}
    with pytest.raises(MeasurementInvalid, match=f"^{GONE}$"):
        served.begin()
    served.begin()
    assert served.end().known() == {"input_tokens": 10, "output_tokens": 10}


def test_a_server_that_never_had_counters_needs_none():
    served = Served(asking(Page(*readings(None, None, None, None))))
    for _ in range(2):
        served.begin()
        assert served.end() is None


def test_counters_may_come_with_the_first_token_but_come_they_must_where_they_were_before():
    served = Served(asking(Page(*readings(None, 5, 5, 9))), has_counters=True)
    served.begin()
    assert served.end() is None
    served.begin()
    assert served.end().known() == {"input_tokens": 4, "output_tokens": 4}

    served = Served(asking(Page(*readings(None, None))), has_counters=True)
    served.begin()
    with pytest.raises(MeasurementInvalid, match=f"^{GONE}$"):
        served.end()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_conversation_wants_the_counters_that_were_there_when_it_was_opened_also_of_a_server_started_again(restarted):
    probed = Probed(asking=asking(Page(*readings(None))), source="usage")
    talk = Conversation(Opened(owner="vllm", has_counters=True, probed=probed), because=str)
    if restarted:
        talk.move("http://127.0.0.1:8001/v1")
    assert talk._served.has_counters  # noqa: SLF001  else only a server that is asked would tell


def test_what_a_server_calls_itself_is_a_label_only_when_it_is_short_and_without_secrets():
    owner = "\x1b[31mgpt\x07 sk-test " + "x" * 100_000
    probed = Probed(asking=asking(Page(), show=Redactor("sk-test")), source="usage")
    talk = Conversation(Opened(owner=owner, has_counters=False, probed=probed), because=str)
    assert talk.labels == {"preset": "vllm", "streamed": "false", "server": "gpt *** " + "x" * 55 + "…"}
