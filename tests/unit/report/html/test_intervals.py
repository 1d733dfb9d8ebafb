import pytest
from fakes import a_row

from energygate.report.html.intervals import Scale, interval_of, scale_for

MINUS = "\N{MINUS SIGN}"


def test_a_scale_shows_the_budget_inside_and_one_large_change_does_not_press_all_others_together():
    small, large = (
        a_row(ratio=1.001, ratio_low=0.999, ratio_high=1.002),
        a_row(ratio=4.0, ratio_low=3.9, ratio_high=4.1),
    )
    assert scale_for([small], 0.05).reach == pytest.approx(0.10)
    assert scale_for([a_row(ratio_high=1.2)], 0.05).reach == pytest.approx(0.20)
    assert scale_for([small, large], 0.05).reach == pytest.approx(0.30)
    assert scale_for([], 0.05).ends == (f"{MINUS}10.0 %", "+10.0 %")


def test_an_interval_is_drawn_against_its_budget_and_said_in_words():
    found = interval_of(a_row(ratio=1.05, ratio_low=1.0, ratio_high=1.1), Scale(reach=0.1), 0.05)
    assert (found.zero, found.budget, found.low, found.at, found.high) == (60.0, 87.0, 60.0, 87.0, 114.0)
    assert (found.beyond_low, found.beyond_high) == (False, False)
    assert found.words == "+5.0 % (90 % CI 0.0 … +10.0), budget 5 %"


def test_what_lies_beyond_the_scale_stands_at_its_edge_and_says_so():
    found = interval_of(a_row(ratio=0.5, ratio_low=0.4, ratio_high=0.6), Scale(reach=0.1), 0.05)
    assert (found.at, found.low, found.high, found.beyond_low, found.beyond_high) == (6.0, 6.0, 6.0, True, False)


def test_a_limit_has_no_budget_above_it_and_what_was_not_compared_is_not_drawn():
    assert interval_of(a_row(how="limit"), Scale(reach=0.1), 0.05).budget == 60.0
    assert interval_of(a_row(ratio=None), Scale(reach=0.1), 0.05) is None
