"""From the names that a user gives to open meters."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError, MeterUnavailable
from energygate.meters.base import Meter
from energygate.meters.estimate import Estimate
from energygate.meters.group import MeterGroup
from energygate.meters.host import Host
from energygate.meters.nvidia.nvml import Nvml
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.refusals import NoGpuForThisMeter
from energygate.meters.options import EstimateOptions, NvmlOptions, PrometheusOptions, RaplOptions
from energygate.meters.rapl.powercap import Powercap
from energygate.meters.replay import Replay

_REPLAY: Final = "replay:"
_POWER: Final = "nvml-power"
_WAY_ON: Final = (
    "Mend one of those below, run on bare metal, or accept numbers by model: --energy-allow-estimates with "
    "--energy-meters=estimate."
)
_WITHOUT_HARDWARE: Final = frozenset({"estimate", "replay"})
METER_NAMES: Final = ("auto", "rapl", "nvml", "pyrapl", "prometheus", "codecarbon", "estimate")
_ALLOWED: Final = f"{', '.join(METER_NAMES)}, replay:FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterOptions:
    """What meters need to know.

    Attributes
    ----------
    sysfs : Path
        Where sysfs is mounted.
    rapl, nvml, prometheus, estimate : RaplOptions, NvmlOptions, PrometheusOptions or None, EstimateOptions
        What the configuration says of each.
    machine : str
        Fingerprint of this machine without meters: an estimate is as good as its calibration on it.
    clock, sleep : callable
        Monotonic seconds; waits for seconds.
    played : int
        Windows of each benchmark that a replay has played before.
    host : Host
        Facts about the machine.
    environ : mapping
        The workload's environment: `CUDA_VISIBLE_DEVICES` picks GPUs.
    kinship : Kinship
        Whose processes may be on them.
    """

    sysfs: Path = Path("/sys")
    rapl: RaplOptions = field(default_factory=RaplOptions)
    nvml: NvmlOptions = field(default_factory=NvmlOptions)
    prometheus: PrometheusOptions | None = None
    estimate: EstimateOptions = field(default_factory=EstimateOptions)
    machine: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    kinship: Kinship = field(default_factory=Kinship)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    played: int = 0
    host: Host = field(default_factory=Host)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMeters:
    """The meters that will measure, and one plain sentence for each decision on the way to them."""

    group: MeterGroup
    notes: tuple[str, ...] = ()


def reads_hardware(names: Iterable[str]) -> bool:
    """Whether one of these meters reads, or may come to read, what other jobs on the machine use too."""
    return any(name.partition(":")[0] not in _WITHOUT_HARDWARE for name in names)


class NoCounter(MeterUnavailable):
    """`auto` found no hardware counter; `refusals` says why, by meter."""

    def __init__(self, refusals: Mapping[str, MeterUnavailable]) -> None:
        super().__init__(
            "No hardware energy counter can be used here.",
            why="Without one nothing is measured.",
            fix="\n".join([_WAY_ON, *(f"{name}: {refusal}" for name, refusal in refusals.items())]),
        )
        self.refusals = refusals


def open_meters(names: Sequence[str], options: MeterOptions) -> OpenedMeters:
    """Open the meters that are named, or every hardware counter that opens if that is `auto`.

    Raises
    ------
    ConfigError
        A name is not known, or two meters do not go together.
    MeterUnavailable
        A named meter cannot measure here, or no hardware counter can.
    """
    if tuple(names) == ("auto",):
        return _open_auto(options)
    if not names:
        raise _unknown("")
    if len(names) > 1 and any(name.startswith(_REPLAY) for name in names):
        raise ConfigError(
            f"--energy-meters={','.join(names)} mixes a replay with other meters.",
            why="Recorded and live energy are not of the same window.",
            fix="Let replay:FILE stand alone.",
        )
    if _POWER in names:
        raise _unknown(_POWER)
    meters: list[Meter] = []
    with ExitStack() as opened:
        for meter in [make_meter(name, options) for name in with_power(names, options)]:
            with suppress(NoGpuForThisMeter):  # the other one of nvml and nvml-power has them all
                meter.open()
                opened.callback(meter.close)
                meters.append(meter)
        group = MeterGroup(meters)
        opened.pop_all()
    return OpenedMeters(group=group, notes=group.notes)


def _hardware(options: MeterOptions) -> tuple[Meter, ...]:
    return tuple(make_meter(name, options) for name in with_power(("rapl", "nvml"), options))


def with_power(names: Sequence[str], options: MeterOptions) -> tuple[str, ...]:
    """Beside `nvml`, what sums up the power of GPUs without a counter, where that is allowed."""
    return (*names, *([_POWER] if options.nvml.integrate_power and "nvml" in names else []))


def make_meter(name: str, options: MeterOptions) -> Meter:
    """Give the closed meter of that name. Raises ConfigError where there is none, or its configuration is missing."""
    if name.startswith(_REPLAY):
        return Replay(Path(name.removeprefix(_REPLAY)), clock=options.clock, played=options.played)
    if name not in _MAKERS:
        raise _unknown(name)
    return _MAKERS[name](options)


def _nvml_power(options: MeterOptions) -> Meter:
    from energygate.meters.nvidia.integrated import NvmlPower  # noqa: PLC0415  seldom used

    return NvmlPower(options.nvml, environ=options.environ, kinship=options.kinship, clock=options.clock)


def _pyrapl(options: MeterOptions) -> Meter:
    from energygate.meters.rapl.pyrapl import PyRapl  # noqa: PLC0415  seldom used

    return PyRapl(options.sysfs, options=options.rapl, host=options.host, clock=options.clock)


def _prometheus(options: MeterOptions) -> Meter:
    from energygate.meters.scraped.prometheus import Prometheus  # noqa: PLC0415  seldom used

    return Prometheus(_require_block(options.prometheus), environ=options.environ, clock=options.clock)


def _codecarbon(options: MeterOptions) -> Meter:
    from energygate.meters.codecarbon import CodeCarbon  # noqa: PLC0415  seldom used

    return CodeCarbon(clock=options.clock)


_MAKERS: Final[Mapping[str, Callable[[MeterOptions], Meter]]] = {
    "rapl": lambda options: Powercap(
        options.sysfs, options=options.rapl, host=options.host, clock=options.clock, sleep=options.sleep
    ),
    "nvml": lambda options: Nvml(options.nvml, environ=options.environ, kinship=options.kinship, clock=options.clock),
    _POWER: _nvml_power,
    "pyrapl": _pyrapl,
    "prometheus": _prometheus,
    "codecarbon": _codecarbon,
    "estimate": lambda options: Estimate(options.estimate, machine=options.machine, clock=options.clock),
}


def _require_block(options: PrometheusOptions | None) -> PrometheusOptions:
    if options is None:
        raise ConfigError(
            "The meter prometheus is asked for, and nothing says where it is.",
            why="Without an address and a preset there is nothing to scrape.",
            fix='Add to energygate.yml: prometheus: {url: "http://127.0.0.1:9090", preset: node_exporter}. '
            "From Python, give open_meters the same: prometheus={...}.",
        )
    return options


def _unknown(name: str) -> ConfigError:
    return ConfigError(
        f"--energy-meters names {name!r}.",
        why="There is no such meter to be had alone or beside others.",
        fix=f"Allowed: {_ALLOWED}; auto and replay:FILE stand alone.",
    )


def finds_counter(options: MeterOptions) -> bool:
    """Whether `auto` would measure. The first counter that opens answers, and RAPL's are opened at once."""
    for meter in _hardware(options):
        with suppress(MeterUnavailable):
            meter.open()
            meter.close()
            return True
    return False


def _open_auto(options: MeterOptions) -> OpenedMeters:
    meters: list[Meter] = []
    refusals: dict[str, MeterUnavailable] = {}
    with ExitStack() as opened:
        for meter in _hardware(options):
            try:
                meter.open()
            except NoGpuForThisMeter:
                continue  # the other one of nvml and nvml-power has them all
            except MeterUnavailable as refusal:
                refusals[meter.name] = refusal
            else:
                opened.callback(meter.close)
                meters.append(meter)
        if not meters:
            raise NoCounter(refusals)
        group = MeterGroup(meters)
        opened.pop_all()
    used = [f"{info.name}: measures {', '.join(info.domains)}." for info in group.infos]
    return OpenedMeters(group=group, notes=(*used, *group.notes, *not_used(refusals)))


def not_used(refusals: Mapping[str, MeterUnavailable]) -> tuple[str, ...]:
    """One sentence for each meter that `auto` could not take."""
    return tuple(f"{name}: not used: {refusal.what}" for name, refusal in refusals.items())
