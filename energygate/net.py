"""Energy without the idle power. Pure, and shown beside the gross values alone: they decide.

Net values are noisier: with idle shares of 60 % and 90 % their noise is 2.5 and 10 times that of the gross ones. So
they are shown only where the idle power held still and enough is left (docs/measuring.md).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from energygate.model import Benchmark, Idle, MeterInfo, Metric, Net, Row, Run, Trial
from energygate.stats.location import location
from energygate.units import format_percent, format_quantity

_SMALLEST_SHARE: Final = 0.25
_MOST_DRIFT_OF_IDLE: Final = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class NetValues:
    """A metric of each trial without the idle power, or why there is none.

    Attributes
    ----------
    values : tuple of float
        In the metric's unit, positive.
    uncertainty : float
        Of their mean, in the same unit: what is not known of the idle power is not known of any of them.
    refused : str
        Why they are not shown; empty where they are.
    """

    values: tuple[float, ...] = ()
    uncertainty: float = 0.0
    refused: str = ""


def net_values(run: Run, benchmark: Benchmark, metric: Metric) -> NetValues | None:
    """Subtract the idle power from one benchmark's trials; None where that or they are not known.

    Notes
    -----
    ``net_j = energy_j - P * duration_s`` with `P` the mean of both idle windows and the uncertainty
    ``max(|before - after| / 2, tau * P / (sqrt(6) * T))``: half its drift, or the edge error of an idle window of `T`
    seconds on counters that are refreshed every `tau`.
    """
    if run.idle is None:
        return None
    gross = [(trial, value) for trial in benchmark.valid if (value := trial.value(metric)) and trial.total_j > 0]
    if not gross:
        return None
    if refused := _refusal(run.idle, [trial for trial, _ in gross]):
        return NetValues(refused=refused)
    unsure_w = _uncertainty_w(run.idle, run.meters)
    return NetValues(
        values=tuple(value * _net_j(trial, run.idle) / trial.total_j for trial, value in gross),
        uncertainty=math.fsum(value * unsure_w * trial.duration_s / trial.total_j for trial, value in gross)
        / len(gross),
    )


def with_net(rows: Sequence[Row], head: Run, sessions: Mapping[str, Sequence[Run]]) -> tuple[Row, ...]:
    """Give each row its net values; nothing else of it changes.

    Parameters
    ----------
    sessions : mapping of benchmark name to runs
        The stored runs that it was compared with. Those without idle power, or with too little left, are passed over.
    """
    return tuple(_with_net(row, head, sessions.get(row.benchmark, ())) for row in rows)


def idle_warning(idle: Idle) -> str | None:
    """Say that idle power moved much while a session ran, or None where it did not."""
    if not _drifted(idle):
        return None
    return f"{_drift(idle)} while this session ran: something else ran there, or the machine was not in a steady state"


def _with_net(row: Row, head: Run, sessions: Sequence[Run]) -> Row:
    benchmark = head.benchmark(row.benchmark)
    if benchmark is None or row.how != "stored" or row.head is None:
        return row
    mine = net_values(head, benchmark, row.metric)
    if mine is None or head.idle is None:
        return row
    net = Net(idle_w=head.idle.power_w, refused=mine.refused)
    if not mine.refused:
        stored = (_of_session(run, row) for run in sessions)
        base = [logs for logs in stored if logs is not None]
        net = Net(
            idle_w=head.idle.power_w,
            base=math.exp(np.mean(base)) if base else None,
            head=math.exp(_typical_log(mine.values)),
            uncertainty=mine.uncertainty,
        )
    return Row(**{name: getattr(row, name) for name in Row.__struct_fields__} | {"net": net})


def _of_session(run: Run, row: Row) -> float | None:
    """Log of the typical net value of one stored run, if it can tell one."""
    benchmark = run.benchmark(row.benchmark)
    found = None if benchmark is None else net_values(run, benchmark, row.metric)
    return _typical_log(found.values) if found is not None and found.values else None


def _typical_log(values: Sequence[float]) -> float:
    """As the gross values are located, so that both say the same kind of typical."""
    return float(location(np.log(values)).value)


def _refusal(idle: Idle, trials: Sequence[Trial]) -> str:
    """Say which condition does not hold, or nothing."""
    others = next(
        (trial for trial in trials if not trial.energy_j.keys() == idle.before_w.keys() == idle.after_w.keys()), None
    )
    if others is not None:
        return f"idle power is known of {_listed(idle.before_w)}, and the trials' of {_listed(others.energy_j)}"
    if idle.duration_s <= 0:
        return "how long idle power was measured is not known"
    if _drifted(idle):
        return f"{_drift(idle)} (at most {format_percent(_MOST_DRIFT_OF_IDLE)})"
    net_j = [_net_j(trial, idle) for trial in trials]
    if below := sum(not each_j > 0 for each_j in net_j):
        return f"{below} of {len(trials)} trials used no more than the idle power of {_watts(idle.power_w)}"
    share = math.fsum(net_j) / math.fsum(trial.total_j for trial in trials)
    if share < _SMALLEST_SHARE:
        return f"only {format_percent(share)} is left of the energy (at least {format_percent(_SMALLEST_SHARE)})"
    return ""


def _net_j(trial: Trial, idle: Idle) -> float:
    return trial.total_j - idle.power_w * trial.duration_s


def _uncertainty_w(idle: Idle, meters: Sequence[MeterInfo]) -> float:
    slowest_s = max((meter.update_interval_s for meter in meters), default=0.0)
    return max(idle.drift_w / 2, slowest_s * abs(idle.power_w) / (math.sqrt(6) * idle.duration_s))


def _drifted(idle: Idle) -> bool:
    return not idle.drift_w <= _MOST_DRIFT_OF_IDLE * abs(idle.power_w)


def _drift(idle: Idle) -> str:
    share = f", {format_percent(idle.drift_w / abs(idle.power_w))} of it," if idle.power_w else ""
    totals = f"from {_watts(idle.total_before_w)} to {_watts(idle.total_after_w)} in all"
    return f"idle power moved by {_watts(idle.drift_w)} ({totals}){share}".rstrip(",")


def _watts(power_w: float) -> str:
    return format_quantity(power_w, "W")


def _listed(domains: Mapping[str, float]) -> str:
    return ", ".join(sorted(domains)) or "nothing"
