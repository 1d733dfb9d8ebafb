import pytest

from energygate.errors import MeasurementInvalid
from energygate.model import Work
from energygate.workloads.equal_work import EqualWork


def check(equal, received, *, sent=100, passes=1):
    equal.check(Work(requests=4, input_tokens=sent, output_tokens=received), passes=passes)


def test_output_within_the_tolerance_of_the_median_is_equal_work():
    equal = EqualWork(tolerance=0.02)
    for received in (100, 102, 98, 100):
        check(equal, received)


def test_trials_of_several_passes_are_compared_per_pass():
    equal = EqualWork(tolerance=0.0)
    check(equal, 50)
    check(equal, 150, sent=300, passes=3)


def test_an_odd_output_count_is_refused_and_does_not_spoil_later_trials():
    equal = EqualWork(tolerance=0.02)
    for received in (384, 384):
        check(equal, received)
    with pytest.raises(MeasurementInvalid) as invalid:
        check(equal, 559)
    assert str(invalid.value) == (
        "work_differs: 559 output tokens, 384 in the median trial: more than 2 % apart. "
        "Set requests.temperature to 0, or raise requests.output_tolerance."
    )
    check(equal, 384)


def test_input_must_be_equal_exactly():
    equal = EqualWork(tolerance=0.02)
    for _ in range(2):
        check(equal, 50)
    with pytest.raises(MeasurementInvalid) as invalid:
        check(equal, 50, sent=101)
    assert str(invalid.value) == (
        "work_differs: 101 input tokens, 100 in the other trials. The same prompts must be sent: "
        "does the server change them, or did another server answer?"
    )


def test_an_odd_first_trial_is_outvoted():
    equal = EqualWork(tolerance=0.02)
    check(equal, 50, sent=101)
    with pytest.raises(MeasurementInvalid):
        check(equal, 50, sent=102)
    for _ in range(2):
        equal = EqualWork(tolerance=0.02)
        check(equal, 50, sent=99)
