import pytest

from energygate.model import Work
from energygate.workloads.answers import Counted
from energygate.workloads.http import Exchange
from energygate.workloads.tally import Tallied, inference_conditions, percentile, total_work


def answer(request, *, received, finish="stop", text="Apples.", seconds=1.0):
    work = Work(requests=1, input_tokens=10, output_tokens=received)
    counted = Counted(work=work, finish=finish, model=None, text=text)
    return Tallied(request=request, duration_s=seconds, counted=counted)


def exchange(seconds):
    return Exchange(answered=(), unanswered=None, duration_s=seconds, client_cpu_s=0.25)


def test_a_count_that_one_answer_lacks_is_unknown_for_all():
    parts = [
        Work(requests=1, input_tokens=3, output_tokens=2, cached_input_tokens=1),
        Work(requests=1, input_tokens=4, output_tokens=5),
    ]
    assert total_work(parts) == Work(requests=2, input_tokens=7, output_tokens=7)


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [([3.0], 0.5, 3.0), ([4, 1, 3, 2], 0.5, 2), (range(1, 101), 0.95, 95), (range(1, 11), 0.95, 10)],
)
def test_a_percentile_is_one_of_the_values(values, fraction, expected):
    assert percentile(list(values), fraction) == expected


def test_conditions_say_how_a_trial_went():
    answers = [answer(0, received=4, seconds=1.0), answer(1, received=6, finish="length", seconds=3.0)]
    conditions = dict(inference_conditions(answers, exchange(2.0)))
    digests = {conditions.pop(name) for name in ("work_digest", "output_digest")}
    assert conditions == {
        "request_s": {"p50": 1.0, "p95": 3.0},
        "output_tokens_per_s": 5.0,
        "client_cpu_s": 0.25,
        "finish": {"length": 1, "stop": 1},
    }
    assert [len(digest) for digest in digests] == [64, 64]


def test_digests_ignore_the_order_of_answers_and_tell_counts_from_texts():
    def digests(*answers):
        conditions = inference_conditions(answers, exchange(2.0))
        return conditions["work_digest"], conditions["output_digest"]

    first, second = answer(0, received=4), answer(1, received=6)
    work, output = digests(first, second)
    assert digests(second, first) == (work, output)
    assert digests(first, answer(1, received=6, text="Pears.")) == (
        work,
        digests(answer(0, received=4), answer(1, received=9, text="Pears."))[1],
    )
    assert digests(answer(0, received=6), answer(1, received=4))[0] != work  # equal sums are not equal work
