import re

import pytest

from energygate.errors import ConfigError
from energygate.model import Metric, Outcome
from energygate.policy import FAILABLE, Anchor, Confirm, Policy, Rules


def test_everything_but_a_proven_pass_may_fail_a_build():
    assert set(Outcome) - set(FAILABLE) == {Outcome.PASS, Outcome.IMPROVED}
    assert len(FAILABLE) == len(set(FAILABLE))


def test_the_defaults_fail_on_what_is_established_or_unusable():
    assert Policy().fail_on == (Outcome.REGRESSED, Outcome.OVER_LIMIT, Outcome.INVALID)


def test_a_benchmark_without_rules_of_its_own_has_those_of_the_policy():
    policy = Policy(budget=0.1, min_effect=0.03, rules={"other": Rules(budget=0.2)})
    assert policy.rules_for("bench") == Rules(budget=0.1, min_effect=0.03)
    assert policy.rules_for("other") == Rules(budget=0.2)


def test_limits_are_listed_by_benchmark():
    limited = Rules(limits={Metric.ENERGY_J: 12.0})
    assert Policy(rules={"a": limited, "b": Rules()}).limits == {"a": {Metric.ENERGY_J: 12.0}}


@pytest.mark.parametrize("kind", [Rules, Policy])
@pytest.mark.parametrize(
    ("min_effect", "budget", "shown"),
    [
        (0.06, 0.05, "min_effect 6 %, budget 5 %"),
        (0.0, 0.05, "min_effect 0 %, budget 5 %"),
        (-0.01, 0.05, "min_effect -1 %, budget 5 %"),
        (0.02, 1.5, "min_effect 2 %, budget 150 %"),
        (float("nan"), 0.05, "min_effect nan %, budget 5 %"),
    ],
)
def test_an_increase_must_be_able_to_pass_before_it_can_fail(kind, min_effect, budget, shown):
    message = (
        f"gate: {shown}: an increase must be able to pass before it can fail. "
        "Choose 0 % < min_effect \N{LESS-THAN OR EQUAL TO} budget \N{LESS-THAN OR EQUAL TO} 100 %."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        kind(min_effect=min_effect, budget=budget)


def test_the_widest_and_the_narrowest_rules_are_allowed():
    assert Rules(min_effect=1.0, budget=1.0).budget == 1
    assert Rules(min_effect=1e-9, budget=1e-9).min_effect == 1e-9


def test_fewer_than_three_sessions_may_never_fail_a_build():
    message = "gate.min_sessions: 2: with fewer than 3 sessions one odd day would fail the build. Give 3 or more."
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Policy(min_sessions=2)
    assert Policy(min_sessions=3).min_sessions == 3


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"confidence": 0.05}, "gate: confidence must be above 50 % and below 100 %, got 5 %."),
        ({"false_alarms": 0.0}, "gate: false_alarms must be above 0 % and below 100 %, got 0 %."),
        ({"power": 1.0}, "gate: power must be above 50 % and below 100 %, got 100 %."),
        ({"session_sd": 0.0}, "gate: session_sd must be above 0 % and below 100 %, got 0 %."),
    ],
)
def test_shares_that_would_turn_a_bound_round_or_prove_nothing_are_refused(shares, message):
    with pytest.raises(ConfigError) as refused:
        Policy(**shares)
    assert str(refused.value) == message


def test_a_window_too_small_to_ever_fail_is_refused():
    with pytest.raises(ConfigError) as refused:
        Policy(window=2)
    assert str(refused.value) == (
        "gate.window: 2 sessions at most, but gate.min_sessions needs 3: no increase could ever fail. "
        "Raise window, or lower min_sessions."
    )


def test_ten_to_thirty_blocks_are_measured_of_what_is_suspect():
    assert Policy().confirm == Confirm(which="suspects", min_blocks=10, max_blocks=30, max_minutes=None)
    assert Confirm(min_blocks=6, max_blocks=6, max_minutes=0.5).min_blocks == 6


@pytest.mark.parametrize(("least", "most"), [(5, 30), (4, 30), (10, 8), (10, 31), (7, 30), (10, 202), (0, 0)])
def test_blocks_must_balance_both_orders_and_give_an_interval(least, most):
    message = (
        "confirm: min_blocks and max_blocks must be even, with 6 \N{LESS-THAN OR EQUAL TO} min_blocks "
        f"\N{LESS-THAN OR EQUAL TO} max_blocks \N{LESS-THAN OR EQUAL TO} 200, got {least} and {most}."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Confirm(min_blocks=least, max_blocks=most)


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_no_time_at_all_measures_nothing(minutes):
    with pytest.raises(ConfigError, match=rf"^confirm: max_minutes must be positive, got {minutes:g}\.$"):
        Confirm(max_minutes=minutes)


@pytest.mark.parametrize(("budget", "shown"), [(0.0, "0 %"), (-0.1, "-10 %"), (float("nan"), "nan %")])
def test_an_anchor_says_how_much_may_have_been_added(budget, shown):
    message = (
        f"anchors: v1: budget {shown}: an anchor says how much may have been added since. Give a budget above 0 %."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Anchor(name="v1", commit="0" * 40, budget=budget)


def test_two_anchors_of_one_name_are_refused():
    anchors = tuple(Anchor(name="v1", commit=digit * 40, budget=0.1) for digit in "01")
    with pytest.raises(ConfigError, match=r"^anchors: two are called 'v1': a report names them\. Rename one\.$"):
        Policy(anchors=anchors)
