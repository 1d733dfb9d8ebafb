"""The Python interface: `energygate.open_meters`, `energygate.measure`, `energygate.compare`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from energygate.clock import SystemClock
from energygate.conversion import convert
from energygate.judging import judge_given
from energygate.measure.open_trial import OpenTrial
from energygate.measure.requirement import Requirement, TrialSettings
from energygate.meters import select
from energygate.meters.base import Window
from energygate.meters.group import MeterGroup
from energygate.meters.options import PrometheusOptions
from energygate.model import GateReport, Run
from energygate.policy import Policy


def open_meters(
    meters: str = "auto", *, sysfs: str | Path = "/sys", prometheus: Mapping[str, object] | None = None
) -> MeterGroup:
    """Open the meters to measure with; close them with `close()` or use them as a context manager.

    No `energygate.yml` is read.

    Parameters
    ----------
    meters : str
        Comma list of `rapl`, `nvml`, `pyrapl`, `prometheus`, `codecarbon`, `estimate`, `replay:FILE`; `auto` takes
        `rapl` and `nvml`, whichever can be used.
    prometheus : mapping, optional
        What stands below `prometheus:` in an `energygate.yml`: where the meter of that name finds its counters.
        ``{"url": "http://127.0.0.1:9090", "preset": "node_exporter"}``

    Raises
    ------
    MeterUnavailable
        With the reason and the fix; an estimate is never taken unasked.
    EnergyGateError
        There is no such meter, or its options are missing or impossible.
    """
    names = [name.strip() for name in meters.split(",")]
    scraped = None if prometheus is None else convert(dict(prometheus), PrometheusOptions, origin="prometheus=")
    return select.open_meters(names, select.MeterOptions(sysfs=Path(sysfs), prometheus=scraped)).group


@contextmanager
def measure(meter: MeterGroup, *, sync: Callable[[], object] | None = None) -> Iterator[OpenTrial]:
    """Measure one window: the body of the `with` block.

    Parameters
    ----------
    sync : callable, optional
        Waits until queued work is done, before both readings; what PyTorch has queued on CUDA is waited for unasked.

    Yields
    ------
    OpenTrial
        Count work with `add`; afterwards `energy_j` is joules by domain, `total_j` their sum. Both raise
        MeasurementInvalid where the window cannot be told, a window that is too short for the counters' steps included.
    """
    trial = OpenTrial(meters=meter, window=Window(), clock=SystemClock())
    if sync is not None:
        trial.sync = sync
    with trial:
        yield trial
    need = Requirement.of(meter.domains, TrialSettings())
    if trial.measured is not None and (little := need.too_little(trial.measured)):
        trial.reject(little)


def compare(*, baseline: Sequence[Run], head: Run, policy: Policy | None = None) -> GateReport:
    """Compare a run with stored runs, each of them one session, or with one base that was measured in turns with it."""
    return judge_given(baseline, head, policy or Policy())
