import pytest

from energygate.errors import MeasurementInvalid
from energygate.model import Work
from energygate.workloads.spans.counting import Ledger, SpanCount
from energygate.workloads.spans.inbox import Interval
from energygate.workloads.spans.span import Span

TRIAL = Interval(begin_ns=100, end_ns=200)
NEXT = Interval(begin_ns=300, end_ns=400)
TRACE = b"t" * 16


def span(name, *, tokens=(10, 4), parent=None, end_ns=150, **others):
    given, made = tokens
    return Span(
        id=(TRACE, name.encode()),
        parent=parent and (TRACE, parent.encode()),
        end_ns=end_ns,
        work=Work(input_tokens=given, output_tokens=made),
        **others,
    )


def counted(*spans, interval=TRIAL, ledger=None):
    ledger = ledger or Ledger()
    ledger.add(spans)
    return ledger.count(interval).work


def refusal(*spans, ledger=None):
    with pytest.raises(MeasurementInvalid) as invalid:
        counted(*spans, ledger=ledger)
    return str(invalid.value).removeprefix("work_failed: ")


def test_each_request_counts_once_with_its_tokens_model_and_finish():
    ledger = Ledger()
    ledger.add(
        [
            span("a", operation="chat", model="m", finish=("stop",)),
            span("b", operation="text_completion", model="m", finish=("stop",)),
            span("c", operation="generate_content", model="n", finish=("length",)),
            span("d"),
        ]
    )
    count = ledger.count(TRIAL)
    assert count == SpanCount(
        work=Work(requests=4, input_tokens=40, output_tokens=16),
        models=("m", "n"),
        finish={"length": 1, "stop": 2},
    )
    assert count.conditions == {"spans": {"models": ["m", "n"], "finish": {"length": 1, "stop": 2}}}


def test_a_span_that_repeats_the_totals_of_those_below_it_does_not_count():
    spans = [
        span("crew", tokens=(20, 8)),
        span("agent", tokens=(20, 8), parent="crew"),
        span("http", tokens=(None, None), parent="agent"),
        span("one", parent="http"),
        span("two", parent="agent"),
    ]
    assert counted(*spans) == counted(*reversed(spans)) == Work(requests=2, input_tokens=20, output_tokens=8)


def test_an_agent_that_ends_trials_after_its_requests_does_not_count_then():
    ledger = Ledger()
    counted(span("one", parent="step"), ledger=ledger)
    assert counted(
        span("step", tokens=(None, None), parent="agent", end_ns=350),
        span("agent", tokens=(10, 4), end_ns=350),
        span("other", tokens=(3, 2), end_ns=350),
        interval=NEXT,
        ledger=ledger,
    ) == Work(requests=1, input_tokens=3, output_tokens=2)


def test_what_an_exporter_sends_again_counts_once():
    ledger = Ledger()
    assert counted(span("a"), span("a"), ledger=ledger) == Work(requests=1, input_tokens=10, output_tokens=4)
    later = span("b", end_ns=300)
    assert counted(span("a"), later, interval=NEXT, ledger=ledger).requests == 1
    assert refusal(later, ledger=ledger).startswith("no span with output tokens came")


@pytest.mark.parametrize(("end_ns", "requests"), [(99, 1), (100, 2), (200, 2), (201, 1)])
def test_only_what_ended_in_the_trial_is_its_own(end_ns, requests):
    assert counted(span("a"), span("b", end_ns=end_ns)).requests == requests


def test_what_ends_after_a_trial_counts_in_the_one_that_it_ends_in():
    ledger = Ledger()
    assert counted(span("a"), span("b", end_ns=350), ledger=ledger).requests == 1
    assert counted(interval=NEXT, ledger=ledger).requests == 1


def test_a_count_that_one_span_lacks_is_unknown_for_the_trial():
    assert counted(span("a"), span("b", tokens=(None, 4))) == Work(requests=2, output_tokens=8)


def test_no_span_at_all_is_an_unknown_and_no_zero():
    assert refusal(span("a", end_ns=99)) == (
        "no span with output tokens came, so the tokens are unknown; is the work instrumented for OpenTelemetry, "
        "and does it flush its spans before it ends?"
    )


def test_other_operations_are_no_requests_and_are_named():
    assert refusal(span("a", operation="invoke_agent"), span("b", operation="embeddings")) == (
        "no span that came is a request to a model, only embeddings, invoke_agent"
    )


def test_a_request_without_tokens_makes_the_sum_unknown():
    without = span("b", tokens=(5, None), operation="chat")
    assert refusal(span("a"), without) == (
        "1 of 2 requests have no output tokens in their spans, so the tokens are unknown; they failed, or were "
        "streamed without stream_options.include_usage"
    )
    assert refusal(without) == "no request to a model has output tokens in its span, so the tokens are unknown"


def test_a_request_whose_tokens_stand_in_a_span_above_or_below_is_known():
    outer = span("outer", tokens=(None, None), operation="chat")
    assert counted(outer, span("inner", parent="outer")).requests == 1
    inner = span("inner", tokens=(None, None), operation="chat", parent="outer")
    assert counted(span("outer"), inner).requests == 1


def test_counts_that_cannot_be_true_are_not_believed():
    assert refusal(span("a"), span("b", tokens=(1, None), fault="x is no count")) == (
        "a span's counts cannot be believed: x is no count"
    )
    wrong = Span(
        id=(TRACE, b"a"), end_ns=150, work=Work(input_tokens=3, output_tokens=2, reasoning_tokens=5), operation="chat"
    )
    assert refusal(wrong) == ("inconsistent usage: 5 reasoning_tokens of 2 output_tokens, so neither is believed")


def test_spans_that_are_each_others_parents_end_nothing():
    assert counted(span("a", parent="b"), span("b", parent="a"), span("c")).requests == 1


UNSURE = (
    "a span without gen_ai.operation.name may repeat the totals of another one in its trace, whose parent was never "
    "sent, so nobody knows whether to count it; is every span exported and flushed?"
)


def test_a_span_that_may_repeat_another_one_is_not_counted_beside_it():
    request = span("request", parent="never sent", operation="chat")
    assert refusal(span("agent"), request) == UNSURE
    assert refusal(span("agent", parent="also never sent"), request) == UNSURE
    between = span("between", tokens=(None, None), parent="request")
    assert refusal(span("agent"), request, between, span("below", parent="between")) == UNSURE


def test_requests_below_a_parent_that_has_not_ended_yet_all_count():
    assert counted(span("one", parent="running"), span("two", parent="running")).requests == 2
    middle = span("middle", tokens=(None, None), parent="running")
    assert counted(span("one", parent="running"), middle, span("two", parent="middle")).requests == 2


def test_a_parent_that_was_never_sent_says_nothing_of_other_traces_or_of_named_requests():
    request = span("request", parent="never sent", operation="chat")
    elsewhere = Span(id=(b"u" * 16, b"a"), end_ns=150, work=Work(input_tokens=10, output_tokens=4))
    assert counted(request, elsewhere, span("other", operation="chat")).requests == 3


def test_of_many_ways_to_end_the_commonest_are_named():
    ledger = Ledger()
    ends = [*["stop"] * 3, *[f"odd {n}" for n in range(100)]]
    ledger.add(span(str(n), finish=(end,)) for n, end in enumerate(ends))
    finish = ledger.count(TRIAL).finish
    assert (len(finish), finish["stop"], finish["other"], sum(finish.values())) == (6, 3, 96, 103)


def trials_of_three(ledger, count, parent="above {}"):
    for n in range(count):
        ledger.add(span(f"{n} {each}", parent=parent.format(n), end_ns=n, operation="chat") for each in range(3))
        assert ledger.count(Interval(begin_ns=n, end_ns=n)).work.requests == 3


def test_what_is_kept_of_spans_stays_small_in_a_long_run():
    ledger = Ledger(most_known=10)
    trials_of_three(ledger, 20)
    assert [len(kept) for kept in (ledger._parents, ledger._repeating, ledger._open)] == [10, 10, 0]  # noqa: SLF001


def test_an_agent_that_runs_as_long_as_the_whole_run_never_counts():
    ledger = Ledger(most_known=10)
    trials_of_three(ledger, 20, parent="agent")
    last = [span("agent", end_ns=20), span("alone", end_ns=20)]
    assert counted(*last, interval=Interval(begin_ns=20, end_ns=20), ledger=ledger).requests == 1
