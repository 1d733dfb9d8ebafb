import pytest

from energygate.errors import MeasurementInvalid
from energygate.model import Work
from energygate.workloads.inference.counters import Counts
from energygate.workloads.inference.foreign import Foreign, exact_work


def served(input_tokens, output_tokens, rounding=()):
    return Counts(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=None,
        rounding=dict(rounding),
    )


OURS = Work(requests=8, input_tokens=305, output_tokens=128)


def test_equal_counts_pass_and_so_does_what_one_side_does_not_know():
    Foreign().check(OURS, served(305, 128))
    Foreign().check(OURS, served(None, 128))
    Foreign().check(Work(requests=8), served(305, 128))


@pytest.mark.parametrize(
    ("theirs", "sentence"),
    [
        (
            served(336, 133),
            (
                "foreign_requests: the server counted 336 input and 133 output tokens, the answers have 305 input and "
                "128 output. Others use the server: measure while nobody else does."
            ),
        ),
        (
            served(None, 129),
            (
                "foreign_requests: the server counted 129 output tokens, the answers have 128 output. Others use the "
                "server: measure while nobody else does."
            ),
        ),
        (
            served(305, 120),
            (
                "work_failed: the server counted 305 input and 120 output tokens, the answers have 305 input and 128 "
                "output. One of both is wrong."
            ),
        ),
    ],
)
def test_other_counts_are_invalid(theirs, sentence):
    with pytest.raises(MeasurementInvalid) as invalid:
        Foreign().check(OURS, theirs)
    assert str(invalid.value) == sentence


def test_a_difference_within_the_rounding_of_its_own_kind_is_none():
    ours = Work(requests=8, input_tokens=3050, output_tokens=1280)
    Foreign().check(ours, served(3060, 1280, {"input_tokens": 10}))
    with pytest.raises(MeasurementInvalid, match=r"^foreign_requests: the server counted 3061 input"):
        Foreign().check(ours, served(3061, 1280, {"input_tokens": 10}))
    with pytest.raises(MeasurementInvalid, match=r"^foreign_requests: the server counted 3050 input and 1281 output"):
        Foreign().check(ours, served(3050, 1281, {"input_tokens": 10}))
    with pytest.raises(MeasurementInvalid, match=r"^work_failed: the server counted 3039 input"):
        Foreign().check(ours, served(3039, 1280, {"input_tokens": 10}))


def test_rounding_that_could_hide_much_is_noted_with_the_worst_trial_and_what_could_hide_more_is_invalid():
    ours, foreign = Work(requests=8, input_tokens=700, output_tokens=300), Foreign()
    foreign.check(ours, served(700, 300, {"input_tokens": 10}))
    assert foreign.note is None
    foreign.check(ours, served(705, 300, {"input_tokens": 10, "output_tokens": 10}))
    foreign.check(ours, served(700, 300, {"input_tokens": 10}))
    assert foreign.note == (
        "the server writes its counters with six digits, so foreign requests of up to 25 tokens in a trial (2.5 % of "
        "its own) would be unseen"
    )
    with pytest.raises(MeasurementInvalid) as blind:
        foreign.check(ours, served(700, 300, {"input_tokens": 1000}))
    assert str(blind.value) == (
        "read_error: the server writes its counters with six digits, so foreign requests of up to 1000 tokens in a "
        "trial (100 % of its own) would be unseen. Start it anew before the run."
    )


def test_the_servers_counts_become_the_trials_own_only_where_they_are_exact():
    assert exact_work(served(305, 128)) == Work(input_tokens=305, output_tokens=128)
    with pytest.raises(MeasurementInvalid) as rounded:
        exact_work(served(305, 128, {"output_tokens": 10}))
    assert str(rounded.value) == (
        "read_error: the server writes its counters with six digits, so each may be off by 10 tokens. Start it anew, "
        "or set tokens.source: usage."
    )
    with pytest.raises(MeasurementInvalid, match=r"^read_error: the server's counters hold no output tokens$"):
        exact_work(served(305, None))
