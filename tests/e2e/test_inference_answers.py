"""What a trial makes of a server's answers: streamed or not, counted by whom, and as much as in the others or not."""

import re
from pathlib import Path

import pytest
from fakes import a_trial_of, server_pid

from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.measure.equal_work import other_work
from energygate.model import Work

STREAMS = ("--stream", "yes")
UNCOUNTED = ("--stream", "no_usage")
COUNTERS = ("--owner", "llamacpp", "--counters")
UNSTREAMED = "so requests are sent unstreamed, and there is no time to first token"
COUNTED = "the answers have no token usage, so the server's own counters count the tokens"
TWO = Work(requests=2, input_tokens=20, output_tokens=8)


def sentence(failing, *arguments):
    with pytest.raises(MeasurementInvalid) as invalid:
        failing(*arguments)
    return str(invalid.value)


def refusal(failing):
    with pytest.raises(WorkloadError) as failed:
        failing()
    return str(failed.value)


def test_a_streamed_trial_knows_its_time_to_first_token(scripted):
    talk = scripted("good", *STREAMS).open().warm_up()
    done = talk.trial()
    inference = done.conditions["inference"]
    assert done.work == TWO
    assert inference["token_source"] == "usage"
    assert 0 < inference["ttft_s"]["p50"] <= inference["request_s"]["p50"]
    assert talk.load.labels == {"model": "scripted", "preset": "generic", "server": "tests", "streamed": "true"}
    assert talk.notes == ()


def test_odd_separators_comments_and_a_missing_end_are_read_as_any_stream(scripted):
    assert scripted("separators", *STREAMS).open().trial().work == TWO


@pytest.mark.parametrize(
    ("stream", "options", "streamed", "notes"),
    [
        ("auto", UNCOUNTED, "false", (f"streamed answers have no token usage, {UNSTREAMED}",)),
        ("auto", ("--stream", "refused"), "false", (f"the server refuses stream_options, {UNSTREAMED}",)),
        ("auto", (), "false", (f"the server answers in one piece though asked for a stream, {UNSTREAMED}",)),
        ("auto", STREAMS, "true", ()),
        (True, STREAMS, "true", ()),
        (False, STREAMS, "false", ()),
    ],
)
def test_a_server_is_asked_in_a_way_that_makes_it_say_its_tokens(scripted, stream, options, streamed, notes):
    talk = scripted("good", *options, requests__stream=stream).open()
    assert talk.trial().work == TWO
    assert talk.load.labels["streamed"] == streamed
    assert talk.notes == notes


@pytest.mark.parametrize(
    ("stream", "mode", "options", "tried"),
    [
        (True, "good", UNCOUNTED, "streamed"),
        (False, "no_usage", (), "unstreamed"),
        ("auto", "no_usage", UNCOUNTED, "streamed or not"),
    ],
)
def test_tokens_that_nobody_counts_end_the_benchmark_before_its_first_trial(scripted, stream, mode, options, tried):
    assert refusal(scripted(mode, *options, after=0, requests__stream=stream).open) == (
        f"chat: no token usage, {tried}. Joules per token would be unknown. "
        "Use tokens.source: counters, or a server that reports usage."
    )


def test_a_stream_that_must_be_and_is_none_is_refused(scripted):
    assert refusal(scripted("good", requests__stream=True).open) == (
        "chat: requests.stream is true, but the server answers in one piece. Set it to auto or false."
    )


def test_a_servers_counters_count_where_no_answer_says_its_tokens(scripted):
    talk = scripted("no_usage", *UNCOUNTED, *COUNTERS, after=0, requests__fixed_output=False).open().warm_up()
    done = talk.trial(passes=2)
    assert done.work == Work(requests=4, input_tokens=40, output_tokens=16, cached_input_tokens=0)
    assert done.conditions["inference"]["token_source"] == "counters"
    assert done.conditions["inference"]["server_counts"] == {
        "input_tokens": 40,
        "output_tokens": 16,
        "cached_input_tokens": 0,
    }
    assert talk.notes == (COUNTED,)


def test_counters_that_were_asked_for_and_are_not_there_are_named(scripted):
    talk = scripted("good", "--owner", "llamacpp", tokens__source="counters", requests__fixed_output=False)
    assert refusal(talk.open) == (
        "chat: tokens.source: the server shows no counters at /metrics. Joules per token would be unknown. "
        "Start it with them (llama.cpp: --metrics, SGLang: --enable-metrics), or use usage."
    )


def test_counters_of_an_unknown_kind_of_server_are_refused(scripted):
    assert refusal(scripted("good", tokens__source="counters").open) == (
        "chat: tokens.source: of preset generic no counters are known. The tokens would be unknown. "
        "Use usage, or name the server's preset in endpoint.preset."
    )


def test_counters_must_show_full_length_where_that_is_asked_for(scripted):
    talk = scripted("uncounted_length", *COUNTERS, after=0, tokens__source="counters", requests__fixed_output=True)
    talk.open()
    assert refusal(talk.warm_up) == "chat: 8 of 32 tokens: requests.fixed_output asks for all."


def test_somebody_elses_tokens_make_a_trial_invalid(scripted):
    talk = scripted("foreign", *COUNTERS, *STREAMS, after=3, requests__fixed_output=False).open()
    assert talk.trial().work == Work(requests=2, input_tokens=20, output_tokens=8, cached_input_tokens=0)
    assert sentence(talk.trial) == (
        "foreign_requests: the server counted 25 input and 8 output tokens, the answers have 20 input and 8 output. "
        "Others use the server: measure while nobody else does."
    )


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("cut", r"RemoteProtocolError: .* after 2 chunks"),
        ("error_event", "status 200, but an error: out of memory"),
        ("quoting", r"status 200, but an error: no tool: \[answer\] and no more"),
        ("garbage", "status 200, but chunk 4 cannot be read: JSON is malformed.*"),
        ("comments", "status 200, but a stream without data"),
        ("no_finish", "no finish_reason, so the answer may be cut off"),
        ("no_usage", "the answer has no usage, so its tokens are unknown"),
        ("zero_usage", "usage says 0 input tokens, so the tokens of the answer are unknown"),
        ("status_429", "HTTP 429, slow down"),
        ("status_500", "HTTP 500, internal error"),
        ("html", "status 200, but no chat completion .*"),
    ],
)
def test_a_bad_stream_makes_its_trial_invalid_and_is_in_no_average(scripted, mode, said):
    talk = scripted(mode, *STREAMS, after=2).open()
    assert re.fullmatch(rf"work_failed: request 2 of 2 \(requests\.prompts\[1\]\): {said}", sentence(talk.trial))


@pytest.mark.parametrize(
    ("mode", "timeouts", "said"),
    [
        ("hang", {"stall": 0.2}, "no token for 0.2 s (timeouts.stall) after 2 chunks"),
        ("silent", {"first_token": 0.2}, "no token within 0.2 s (timeouts.first_token)"),
        ("hang", {"request": 0.3}, "no complete answer within 0.3 s (timeouts.request) after 2 chunks"),
    ],
)
def test_a_server_that_stops_talking_is_left_at_the_deadline_that_says_so(scripted, mode, timeouts, said):
    changes = {f"timeouts__{name}": value for name, value in timeouts.items()}
    talk = scripted(mode, *STREAMS, **changes).open()
    assert sentence(talk.trial) == f"work_failed: request 1 of 2 (requests.prompts[0]): {said}"


def test_a_warm_up_that_the_server_refuses_ends_the_benchmark_before_its_first_trial(scripted):
    talk = scripted("by_prompt", prompts=["short", "far too long"]).open()
    assert refusal(talk.warm_up) == (
        "chat: the server refused requests.prompts[1]: HTTP 400, request (3031 tokens) exceeds the available context "
        "size (2048 tokens)."
    )


@pytest.mark.parametrize(
    ("mode", "prefix_cache", "said"),
    [
        (
            "cached_3",
            "disabled",
            (
                "6 of 20 input tokens came from the prefix cache, and requests.prefix_cache is disabled. "
                "Start the server without it, or set warm."
            ),
        ),
        (
            "good",
            "disabled",
            (
                "requests.prefix_cache is disabled, but preset generic has no switch for it, and the answers don't say "
                "how many tokens came from the cache. Trials might be warmer or colder than others. Let the server "
                "report cached tokens (SGLang: --enable-cache-report), or set warm or any."
            ),
        ),
    ],
)
def test_a_prefix_cache_that_is_not_off_is_found_before_the_first_trial(scripted, mode, prefix_cache, said):
    talk = scripted(mode, after=0, requests__prefix_cache=prefix_cache).open()
    assert refusal(talk.warm_up) == f"chat: {said}"


def test_a_warm_cache_must_be_equally_warm_in_each_trial(scripted):
    talk = scripted("cached_by_number", after=0, prompts=["one"], requests__prefix_cache="warm").open().warm_up()
    trials = [a_trial_of(talk.trial()) for _ in range(3)]
    assert [trial.work.cached_input_tokens for trial in trials] == [3, 4, 5]
    other = "input tokens came from the prefix cache, 4 in the median trial. Set load.concurrency to 1, "
    cure = "give the server more room for its cache, or set requests.prefix_cache: any."
    assert other_work(trials) == {at: f"work_differs: {n} of 10 {other}{cure}" for at, n in ((0, 3), (2, 5))}


def test_any_cache_is_recorded_and_not_judged(scripted):
    talk = scripted("cached_by_number", after=0, prompts=["one"], requests__prefix_cache="any").open().warm_up()
    trials = [a_trial_of(talk.trial()) for _ in range(3)]
    assert [trial.work.cached_input_tokens for trial in trials] == [3, 4, 5]
    assert other_work(trials) == {}


def test_vllm_gets_a_salt_of_its_own_for_every_request(scripted):
    talk = scripted("salted", "--owner", "vllm", requests__fixed_output=False).open().warm_up()
    assert talk.trial(passes=3).work.requests == 6
    assert talk.notes[-1] == (
        "the answers don't say how many tokens came from the prefix cache, so nobody has seen that it is off "
        "(vLLM: --enable-prompt-tokens-details)"
    )


def test_a_known_server_answers_at_full_length(scripted):
    talk = scripted("as_asked", "--owner", "llamacpp", after=0).open().warm_up()
    done = talk.trial()
    assert (done.work.output_tokens, done.conditions["inference"]["finish"]) == (32, {"length": 2})


def test_an_answer_that_ends_before_its_full_length_is_other_work(scripted):
    extra = {"stop_later": True}  # the user's own switch, which this server does not know
    talk = scripted("as_asked", after=0, requests__fixed_output=True, requests__extra_body=extra)
    assert refusal(talk.open) == (
        "chat: requests.prompts[0]: 4 of 16 tokens, finish_reason 'stop': requests.fixed_output asks for exactly 16 "
        "and 'length'."
    )


def test_completions_are_asked_for_with_prompts(scripted):
    assert scripted("of_prompts", endpoint__api="completions").open().trial().work == TWO


def test_a_server_that_dies_in_a_trial_comes_back_once_and_warm(scripted):
    talk = scripted("die", *STREAMS, after=5).open().warm_up()
    assert talk.trial().work == TWO
    first = server_pid(talk.load)
    assert f"the server (pid {first}) was killed by signal 9" in sentence(talk.trial)
    assert talk.trial().work == TWO  # after a warm-up of two requests
    assert server_pid(talk.load) != first
    assert refusal(talk.trial).startswith(
        "chat: the server was killed by signal 9, after it had been started again. Its last lines: (none)"
    )


def test_a_server_that_dies_while_it_warms_up_ends_the_benchmark(scripted):
    talk = scripted("die", after=2).open()
    assert re.match(
        r"chat: requests\.prompts\[1\]: .*: the server \(pid \d+\) was killed by signal 9", refusal(talk.warm_up)
    )


def test_five_hundred_requests_leave_no_socket_open(scripted):
    talk = scripted("good", *STREAMS, "--think", "0.002").open()
    before = sorted(Path("/proc/self/fd").iterdir())
    assert talk.trial(passes=250).work.requests == 500
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("concurrency", [1, 8])
def test_one_trial_holds_several_requests_of_each_that_are_in_flight_at_once(scripted, concurrency):
    talk = scripted("good", load__concurrency=concurrency)
    assert talk.load.least_passes == 2 * concurrency  # four for each, of two prompts


def test_what_the_client_costs_is_told_with_a_cure_that_works(scripted):
    chatty = ("--stream", "yes", "--chunks", "600", "--pause", "0.006")
    many = {"prompts": [f"prompt {n}" for n in range(32)], "load__concurrency": 32}
    streamed = scripted("chatty", *chatty, **many).open()
    streamed.trial()
    assert [note.partition(" for ")[0] for note in streamed.load.notes] == ["energygate's own client was busy"]
    assert streamed.load.notes[0].endswith("; requests.stream: false would lower that")

    unstreamed = scripted("chatty", *chatty, **many, requests__stream=False).open()
    unstreamed.trial()
    assert unstreamed.load.notes == ()
