"""What every meter must do, whatever it reads. Each check opens the closed meter that it is given."""

import json
import math
from typing import get_args

from energygate.errors import MeasurementInvalid
from energygate.meters.base import Window
from energygate.model import MeterKind

WINDOW = Window(benchmark="b")


def names(meter):
    return [domain.name for domain in meter.domains]


def check_window(meter):
    energy_j = meter.end(meter.begin(WINDOW)).energy_j
    assert sorted(energy_j) == sorted(names(meter))
    assert all(isinstance(used_j, float) and math.isfinite(used_j) and used_j >= 0 for used_j in energy_j.values())


def refusal(meter, start):
    """Why a window is invalid. Nothing of the exception is kept: its traceback would hold what the meter lets go."""
    try:
        return f"it has {meter.end(start)}"
    except MeasurementInvalid as error:
        return str(error)


def a_window_has_the_energy_of_every_domain(meter):
    meter.open()
    assert meter.domains
    check_window(meter)


def domains_are_fixed_once_it_is_open(meter):
    meter.open()
    before = meter.domains
    check_window(meter)
    assert meter.domains == before
    assert len(set(names(meter))) == len(before)


def windows_may_overlap(meter):
    meter.open()
    outer, inner = meter.begin(WINDOW), meter.begin(WINDOW)
    assert sorted(meter.end(inner).energy_j) == sorted(meter.end(outer).energy_j) == sorted(names(meter))


def a_start_knows_its_window(meter):
    meter.open()
    start = meter.begin(WINDOW)
    assert start.window == WINDOW
    assert meter.begin(WINDOW).at_s >= start.at_s


def opening_twice_is_opening_once(meter):
    meter.open()
    found = names(meter)
    meter.open()
    assert names(meter) == found
    check_window(meter)


def closing_is_safe_at_any_time(meter):
    meter.close()
    meter.open()
    meter.close()
    meter.close()


def it_can_be_opened_again(meter):
    meter.open()
    meter.close()
    meter.open()
    check_window(meter)


def a_window_closed_or_opened_anew_inside_is_invalid(meter):
    for interrupted in ([meter.close], [meter.close, meter.open], [meter.open]):
        meter.open()
        start = meter.begin(WINDOW)
        for step in interrupted:
            step()
        assert refusal(meter, start) == "unwatched: The meter was closed or opened anew inside the window."
    check_window(meter)


def it_says_what_it_is(meter):
    assert meter.name
    assert meter.kind in get_args(MeterKind)
    assert json.loads(json.dumps(dict(meter.constants))) == dict(meter.constants)


CHECKS = {
    check.__name__: check
    for check in (
        a_window_has_the_energy_of_every_domain,
        domains_are_fixed_once_it_is_open,
        windows_may_overlap,
        a_start_knows_its_window,
        opening_twice_is_opening_once,
        closing_is_safe_at_any_time,
        it_can_be_opened_again,
        a_window_closed_or_opened_anew_inside_is_invalid,
        it_says_what_it_is,
    )
}
