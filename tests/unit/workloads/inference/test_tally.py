import pytest

from energygate.model import Work
from energygate.workloads.inference.answers import Counted, Timings
from energygate.workloads.inference.exchange import Exchange
from energygate.workloads.inference.tally import Tallied, inference_conditions, percentile


def answer(request, *, received, finish="stop", text="Apples.", seconds=1.0, first_s=None, timings=None):
    work = Work(requests=1, input_tokens=10, output_tokens=received)
    counted = Counted(work=work, finish=finish, model=None, text=text, timings=timings)
    return Tallied(request=request, duration_s=seconds, first_s=first_s, counted=counted)


def exchange(seconds):
    return Exchange(answered=(), unanswered=None, duration_s=seconds, client_cpu_s=0.25)


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [([3.0], 0.5, 3.0), ([4, 1, 3, 2], 0.5, 2), (range(1, 101), 0.95, 95), (range(1, 11), 0.95, 10)],
)
def test_a_percentile_is_one_of_the_values(values, fraction, expected):
    assert percentile(list(values), fraction) == expected


def test_conditions_say_how_a_trial_went():
    answers = [answer(0, received=4, seconds=1.0), answer(1, received=6, finish="length", seconds=3.0)]
    conditions = dict(inference_conditions(answers, exchange(2.0), concurrency=1))
    digests = {conditions.pop(name) for name in ("work_digest", "output_digest")}
    assert conditions == {
        "request_s": {"p50": 1.0, "p95": 3.0},
        "output_tokens_per_s": 5.0,
        "client_cpu_s": 0.25,
        "finish": {"length": 1, "stop": 1},
    }
    assert [len(digest) for digest in digests] == [64, 64]


def test_the_first_tokens_times_are_told_if_every_answer_has_one():
    answers = [answer(n, received=4, first_s=0.1 * n) for n in (1, 2, 3)]
    conditions = inference_conditions(answers, exchange(2.0), concurrency=2)
    assert conditions["ttft_s"] == {"p50": 0.2, "p95": pytest.approx(0.3)}
    assert "ttft_s" not in inference_conditions([*answers, answer(4, received=4)], exchange(2.0), concurrency=2)


def test_phases_are_told_only_where_they_cannot_overlap_and_every_answer_has_them():
    answers = [answer(n, received=4, timings=Timings(prefill_s=0.5, decode_s=n)) for n in (1, 2)]
    conditions = inference_conditions(answers, exchange(4.0), concurrency=1)
    assert conditions["phases"] == {"prefill_s": 1.0, "decode_s": 3.0}
    assert "phases" not in inference_conditions(answers, exchange(4.0), concurrency=2)
    assert "phases" not in inference_conditions([*answers, answer(3, received=4)], exchange(4.0), concurrency=1)


def test_a_rate_of_unknown_tokens_is_unknown():
    answers = [answer(0, received=4), answer(1, received=None)]
    assert "output_tokens_per_s" not in inference_conditions(answers, exchange(2.0), concurrency=1)


def test_digests_ignore_the_order_of_answers_and_tell_counts_from_texts():
    def digests(*answers):
        conditions = inference_conditions(answers, exchange(2.0), concurrency=1)
        return conditions["work_digest"], conditions["output_digest"]

    first, second = answer(0, received=4), answer(1, received=6)
    work, output = digests(first, second)
    assert digests(second, first) == (work, output)
    assert digests(*[first, second] * 3) == (work, output)  # so runs with other numbers of passes can be compared
    assert digests(first, first, second) != (work, output)
    assert digests(first, answer(1, received=6, text="Pears.")) == (
        work,
        digests(answer(0, received=4), answer(1, received=9, text="Pears."))[1],
    )
    assert digests(answer(0, received=6), answer(1, received=4))[0] != work  # equal sums are not equal work
