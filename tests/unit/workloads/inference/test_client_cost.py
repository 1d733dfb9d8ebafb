import pytest

from energygate.errors import MeasurementInvalid
from energygate.workloads.inference.client_cost import ClientCost
from energygate.workloads.inference.exchange import Exchange


def of_shares(*shares):
    cost = ClientCost()
    for share in shares:
        cost.check(Exchange(answered=(), unanswered=None, duration_s=2.0, client_cpu_s=2.0 * share))
    return cost


def test_up_to_a_tenth_of_the_trials_is_not_talked_about():
    assert ClientCost().note(streamed=True) is None
    assert of_shares(0.02, 0.1, 0.5).note(streamed=True) is None  # typically a tenth


@pytest.mark.parametrize(
    ("streamed", "cure"),
    [(True, "requests.stream: false would lower that"), (False, "longer answers would lower that")],
)
def test_more_than_a_tenth_is_told_with_its_cure(streamed, cure):
    assert of_shares(0.25).note(streamed=streamed) == (
        f"energygate's own client was busy for 25 % of the trials, and its joules are in the numbers; {cure}"
    )


def test_a_trial_with_an_answer_that_was_seen_late_is_invalid_however_little_the_client_did():
    exchange = Exchange(answered=(), unanswered=None, duration_s=2.0, client_cpu_s=0.0, overslept=True)
    with pytest.raises(MeasurementInvalid) as invalid:
        ClientCost().check(exchange)
    assert str(invalid.value) == (
        "client_saturated: the server left a connection open that it had announced to close, so the end of an answer "
        "was seen up to 1 s late. Later trials look at every part of an answer."
    )


def test_a_trial_whose_pace_the_client_set_is_invalid():
    with pytest.raises(MeasurementInvalid) as invalid:
        of_shares(0.2, 0.95)
    assert str(invalid.value) == (
        "client_saturated: energygate's own client was busy for 95 % of the trial, so it and not the server set the "
        "pace. Lower load.concurrency, or set requests.stream: false."
    )
