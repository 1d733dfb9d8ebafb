import pytest
from fakes import a_trial

from energygate.report.outlook import Outlook


def trials(outlook, name, *, start_s, each_s, count, wanted=10):
    """Tell of one trial after the other."""
    for i in range(count):
        trial = a_trial(started_s=start_s + i * each_s, duration_s=each_s)
        outlook.trial_done(name, done=i + 1, wanted=wanted, trial=trial)


def test_before_there_is_a_trial_nobody_knows_how_long_it_takes():
    outlook = Outlook({"a": 11, "b": 11})
    outlook.began("a")
    outlook.trial_done("a", done=1, wanted=1, trial=None)
    assert (outlook.place, outlook.total, outlook.left_s, outlook.left) == (1, 2, None, "")


def test_the_rest_takes_as_long_as_the_trials_so_far():
    outlook = Outlook({"a": 11, "b": 11})
    outlook.began("a")
    outlook.trial_done("a", done=1, wanted=1, trial=None)
    trials(outlook, "a", start_s=100, each_s=3, count=4)
    assert outlook.left_s == pytest.approx(6 * 3 + 11 * 3)
    assert outlook.left == "about 51 s left"


def test_a_slow_benchmark_is_expected_to_stay_slow_and_the_others_are_not():
    outlook = Outlook({"fast": 10, "slow": 10, "last": 10})
    outlook.began("fast")
    trials(outlook, "fast", start_s=0, each_s=1, count=10)
    outlook.began("slow")
    trials(outlook, "slow", start_s=10, each_s=9, count=5)
    assert outlook.left_s == pytest.approx(5 * 9 + 10 * 55 / 15)
    assert outlook.place == 2


def test_what_lies_between_trials_is_part_of_their_time():
    outlook = Outlook({"a": 3})
    for i in range(2):
        outlook.trial_done("a", done=i + 1, wanted=3, trial=a_trial(started_s=100 * i, duration_s=10))
    assert outlook.left_s == pytest.approx(55)


def test_a_benchmark_that_ended_early_or_never_measured_takes_no_more_time():
    outlook = Outlook({"a": 10, "skipped": 10, "b": 10})
    outlook.began("a")
    trials(outlook, "a", start_s=0, each_s=2, count=2)
    outlook.over("skipped")
    outlook.began("b")
    assert outlook.left_s == pytest.approx(10 * 2)
    assert (outlook.place, outlook.total) == (3, 3)


def test_a_benchmark_that_nobody_planned_is_counted():
    outlook = Outlook({})
    outlook.began("a")
    trials(outlook, "a", start_s=0, each_s=2, count=2)
    assert (outlook.place, outlook.total, outlook.left) == (1, 1, "about 16 s left")
    trials(outlook, "a", start_s=4, each_s=2, count=10)
    assert outlook.left == ""


@pytest.mark.parametrize(
    ("each_s", "said"),
    [(0.01, "1 s"), (11, "99 s"), (20, "3 min"), (700, "105 min"), (1200, "3.0 h")],
)
def test_seconds_minutes_and_hours(each_s, said):
    outlook = Outlook({"a": 10})
    trials(outlook, "a", start_s=0, each_s=each_s, count=1)
    assert outlook.left == f"about {said} left"
