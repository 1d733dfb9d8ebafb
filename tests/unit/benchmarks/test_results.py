import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from characteristics.demands import Demand, Figure, Miss
from characteristics.real_data import SOURCES, joined, read
from characteristics.replay import replay
from characteristics.results import Size, measure
from characteristics.shares import Share
from operating_characteristics import settled

DATA = Path(__file__).parents[3] / "benchmarks" / "data"


def demand(relation, bound, value, *, se=0.0, errors=0.0, known=None):
    found = (Figure(value, se),)
    return Demand(
        what="alarms", where="here", relation=relation, bounds=(bound,), found=found, errors=errors, known=known
    )


@pytest.mark.parametrize(
    ("relation", "value", "kept"),
    [
        ("at most", 5.0, True),
        ("at most", 5.1, False),
        ("at least", 5.0, True),
        ("at least", 4.9, False),
        ("at most", nan, False),
        ("at least", nan, False),
    ],
)
def test_a_bound_is_kept_up_to_itself_and_never_by_what_is_not_known(relation, value, kept):
    assert demand(relation, 5.0, value).kept is kept


def test_a_bound_is_widened_by_standard_errors_where_asked():
    assert demand("at most", 5.0, 5.9, se=0.3, errors=3.0).kept
    assert not demand("at most", 5.0, 5.91, se=0.3, errors=3.0).kept


@pytest.mark.parametrize(
    ("value", "code", "state", "why"),
    [
        (5.0, 0, "kept  ", ""),
        (5.5, 0, "known ", ": missed, as documented: a reason"),
        (6.1, 1, "MISSED", ""),
        (nan, 1, "MISSED", ""),
    ],
)
def test_a_check_fails_for_a_figure_that_is_missed_by_more_than_is_known(capsys, value, code, state, why):
    known = demand("at most", 5.0, value, known=Miss(bounds=(6.0,), why="a reason"))
    assert settled([known], check=True) == code
    sentence = f"alarms, here: {value:.{1 if isnan(value) else 2}f} (\N{LESS-THAN OR EQUAL TO} 5 %)"
    assert capsys.readouterr().out == f"\nclaims\n  {state}  {sentence}{why}\n"


def test_a_missed_figure_fails_a_check_and_nothing_else():
    demands = [demand("at most", 5.0, 5.0), demand("at most", 5.0, 5.1)]
    assert [settled(demands, check=check) for check in (True, False)] == [1, 0]


def test_a_share_of_yes_and_no_has_the_binomial_standard_error():
    share = Share.of([1, 0, 0, 0])

    assert (share.value, share.se) == (0.25, pytest.approx(np.sqrt(0.25 * 0.75 / 4)))


def test_shares_of_parts_add_up_to_the_share_of_all():
    assert Share.of([3, 1], [10, 12]) + Share.of([5], [10]) == Share.of([3, 1, 5], [10, 12, 10])


def test_equal_shares_leave_no_doubt():
    assert Share.of([2, 4], [10, 20]).se == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("source", "cells", "trials"),
    [
        ("clbg2017", 382, 3850 - 22),
        ("energytrackr25", 1524, 28564),
        ("osmium2024", 491, 5919),
        ("pandaspolars", 54, 536),
        ("quantllm", 24, 240),
        ("vllm4090", 90, 900),
        ("greensmash", 20, 600),
    ],
)
def test_every_positive_trial_of_the_data_is_read(source, cells, trials):
    found = read(source, folder=DATA)

    assert (len(found), sum(cell.values.size for cell in found)) == (cells, trials)
    assert all((cell.values > 0).all() for cell in found)


def test_vllm_days_joined_hold_thirty_trials_of_each_cell():
    assert [cell.values.size for cell in joined(read("vllm4090", "J/token", folder=DATA))] == [30] * 30


def test_cells_of_unequal_length_are_replayed_together():
    cells = read("energytrackr25", folder=DATA)[:30]
    uneven = [*cells[:10], *(replace(cell, values=cell.values[:11]) for cell in cells[10:])]

    found = replay("some", uneven, 3, np.random.default_rng(2))

    assert found.cells == 30
    assert found.figures["alarms"].value == 0
    assert found.figures["fails at +10 %"].value == 1


def test_a_run_gives_every_rule_a_row_and_every_demand_a_line():
    size = Size("tiny", {1: 2, 20: 2, 200: 1}, replayed=2, errors=3.0)

    results = measure(size, seed=1, folder=DATA, compute=map)

    text = results.text()
    assert text.count("| **energygate, two stages** |") == 2
    assert text.count("| Bencher, t-test 0.99 |") == 2
    assert re.search(
        r"Where sessions vary by 2 %, [\d.]+ / [\d.]+ / [\d.]+ % of unchanged pull requests are queued ", text
    )
    assert [each.source for each in results.replays] == list(SOURCES)
    assert len(json.loads(results.json())["demands"]) == len(results.demands)
    labels = [node.text for node in ET.fromstring(results.picture()).iter("{http://www.w3.org/2000/svg}text")]
    assert {"energygate, two stages", "pyperf compare_to", "Bencher, t-test 0.99"} <= set(labels)
