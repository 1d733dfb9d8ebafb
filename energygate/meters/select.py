"""From the names that a user gives to open meters."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Meter, Window
from energygate.meters.estimate import Estimate, EstimateConstants
from energygate.meters.group import MeterGroup, describe
from energygate.meters.host import Host
from energygate.meters.nvml import Nvml
from energygate.meters.powercap import Powercap
from energygate.meters.replay import Replay
from energygate.model import MeterInfo

_REPLAY: Final = "replay:"
_WAY_ON: Final = (
    "Mend one of those below, run on bare metal, or accept numbers by model: --energy-allow-estimates with "
    "--energy-meters=estimate."
)
_ALLOWED: Final = "auto, rapl, nvml, estimate, replay:FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterOptions:
    """What meters need to know.

    Attributes
    ----------
    sysfs : Path
        Where sysfs is mounted.
    estimate : EstimateConstants
        The estimate's model.
    clock : callable
        Monotonic seconds.
    host : Host
        Facts about the machine.
    """

    sysfs: Path = Path("/sys")
    estimate: EstimateConstants = field(default_factory=EstimateConstants)
    clock: Callable[[], float] = time.monotonic
    host: Host = field(default_factory=Host)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMeters:
    """The meters that will measure, and one plain sentence for each decision on the way to them."""

    group: MeterGroup
    notes: tuple[str, ...] = ()


class NoCounter(MeterUnavailable):
    """`auto` found no hardware counter; `refusals` says why, by meter."""

    def __init__(self, refusals: Mapping[str, MeterUnavailable]) -> None:
        super().__init__(
            "No hardware energy counter can be used here.",
            why="Without one nothing is measured.",
            fix="\n".join([_WAY_ON, *(f"{name}: {refusal}" for name, refusal in refusals.items())]),
        )
        self.refusals = refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Whether one hardware counter can be used here.

    Attributes
    ----------
    infos : tuple of MeterInfo
        The meter; empty if it cannot be opened.
    power_w : mapping of domain to watts
        A live reading; empty if there is none.
    what, why, fix : str
        The reason it cannot be used, empty if it can.
    """

    name: str
    infos: tuple[MeterInfo, ...] = ()
    power_w: Mapping[str, float] = field(default_factory=dict)
    what: str = ""
    why: str = ""
    fix: str = ""

    @property
    def usable(self) -> bool:
        """Whether it gave a reading."""
        return not self.what


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
    meters = [_make(name, options) for name in names]
    with ExitStack() as opened:
        for meter in meters:
            meter.open()
            opened.callback(meter.close)
        group = MeterGroup(meters)
        opened.pop_all()
    return OpenedMeters(group=group)


def probe(
    options: MeterOptions, *, seconds: float = 1.0, sleep: Callable[[float], None] = time.sleep
) -> tuple[Probe, ...]:
    """Try each hardware counter, with a live reading over `seconds`."""
    return tuple(_probe(meter, options.clock, seconds=seconds, sleep=sleep) for meter in _hardware(options))


def _hardware(options: MeterOptions) -> tuple[Meter, ...]:
    return Powercap(options.sysfs, host=options.host, clock=options.clock), Nvml(clock=options.clock)


def _make(name: str, options: MeterOptions) -> Meter:
    if name.startswith(_REPLAY):
        return Replay(Path(name.removeprefix(_REPLAY)), clock=options.clock)
    if name == "estimate":
        return Estimate(options.estimate, clock=options.clock)
    found = next((meter for meter in _hardware(options) if meter.name == name), None)
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> ConfigError:
    return ConfigError(
        f"--energy-meters names {name!r}.",
        why="There is no such meter to be had alone or beside others.",
        fix=f"Allowed: {_ALLOWED}; auto and replay:FILE stand alone.",
    )


def _open_auto(options: MeterOptions) -> OpenedMeters:
    meters: list[Meter] = []
    refusals: dict[str, MeterUnavailable] = {}
    with ExitStack() as opened:
        for meter in _hardware(options):
            try:
                meter.open()
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
    return OpenedMeters(group=group, notes=(*used, *not_used(refusals)))


def not_used(refusals: Mapping[str, MeterUnavailable]) -> tuple[str, ...]:
    """One sentence for each meter that `auto` could not take."""
    return tuple(f"{name}: not used: {refusal.what}" for name, refusal in refusals.items())


def _probe(meter: Meter, clock: Callable[[], float], *, seconds: float, sleep: Callable[[float], None]) -> Probe:
    with ExitStack() as opened:
        try:
            meter.open()
            opened.callback(meter.close)
            start = meter.begin(Window())
            sleep(seconds)
            energy_j = meter.end(start).energy_j
        except MeterUnavailable as refusal:
            return Probe(name=meter.name, what=refusal.what, why=refusal.why, fix=refusal.fix)
        except MeasurementInvalid as fault:
            why, fix = "A trial would be invalid for the same reason.", "See docs/measuring.md."
            return Probe(name=meter.name, infos=(describe(meter),), what=fault.sentence, why=why, fix=fix)
        elapsed_s = clock() - start.at_s
        power_w = {domain: used_j / elapsed_s for domain, used_j in energy_j.items()}
        return Probe(name=meter.name, infos=(describe(meter),), power_w=power_w)
