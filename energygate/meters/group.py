"""Several meters as one: what measures a trial."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import combinations
from types import TracebackType
from typing import NamedTuple, Self

from energygate.errors import ConfigError, MeasurementInvalid
from energygate.meters.base import Domain, Hardware, Measured, Meter, Reading, Window
from energygate.meters.suspension import Suspension
from energygate.model import MeterInfo


class Begun(NamedTuple):
    """The start of a window on every meter of a group, and how many seconds the machine had slept until then."""

    slept_s: float
    readings: Sequence[Reading]


class MeterGroup:
    """Open meters whose energies may be added to each other.

    Parameters
    ----------
    meters : sequence of Meter
        Already open; the group closes them.
    suspension : Suspension, optional
        Notices a machine that sleeps in a window; where windows are replayed, that is no matter.

    Attributes
    ----------
    is_replay : bool
        Whether windows are played back, so that nothing need run long.

    Raises
    ------
    ConfigError
        Two of them count the same energy.
    """

    def __init__(self, meters: Sequence[Meter], *, suspension: Suspension | None = None) -> None:
        self.meters = tuple(meters)
        self._suspension = suspension or Suspension()
        for first, second in combinations(self.meters, 2):
            _refuse_double_counting(first, second)
        # RAPL is read last and first: its reading is exact to a millisecond, others wait for theirs.
        self._by_begin = tuple(
            sorted(self.meters, key=lambda meter: (meter.name == "rapl", -_update_interval_s(meter)))
        )
        self._by_end = self._by_begin[::-1]
        self.is_replay = any(meter.kind == "replay" for meter in self.meters)

    @property
    def infos(self) -> tuple[MeterInfo, ...]:
        """Which meters measure, and how finely, as a Run stores it."""
        return tuple(describe(meter) for meter in self.meters)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The domains of all meters."""
        return tuple(domain for meter in self.meters for domain in meter.domains)

    @property
    def hardware(self) -> Hardware:
        """What the meters know of the hardware."""
        known = [meter.hardware for meter in self.meters]
        return Hardware(
            hard={key: value for each in known for key, value in each.hard.items()},
            soft={key: value for each in known for key, value in each.soft.items()},
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of what was found when the meters were opened."""
        return tuple(f"{meter.name}: {note}" for meter in self.meters for note in meter.notes)

    @property
    def counts_the_machine(self) -> bool:
        """Whether a domain holds what every process of the machine uses, so that foreign load is in the number."""
        shared = {"counter", "scraped"}
        return any(m.kind in shared and domain.part != "gpu" for m in self.meters for domain in m.domains)

    def begin(self, window: Window) -> Begun:
        """Begin a window on each meter, the slowest first."""
        slept_s = self._suspension.begin()
        return Begun(slept_s, [meter.begin(window) for meter in self._by_begin])

    def end(self, start: Begun) -> Measured:
        """End the window in the reverse order: joules of all domains. Raises MeasurementInvalid."""
        pairs = zip(self._by_end, reversed(start.readings), strict=True)
        try:
            ended = [meter.end(reading) for meter, reading in pairs]
        except MeasurementInvalid as fault:
            if slept := self._suspended(start):
                raise slept from fault
            raise
        measured = ended[0] if len(ended) == 1 else _together(ended)
        slept = self._suspended(start)
        return measured if slept is None else measured._replace(fault=slept)

    def _suspended(self, start: Begun) -> MeasurementInvalid | None:
        return None if self.is_replay else self._suspension.fault(start.slept_s)

    def close(self) -> None:
        """Close every meter, whatever happens to another."""
        with ExitStack() as closing:
            for meter in self.meters:
                closing.callback(meter.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def describe(meter: Meter) -> MeterInfo:
    """Say which meter it is and how finely it measures, by its coarsest domain."""
    return MeterInfo(
        name=meter.name,
        kind=meter.kind,
        domains=tuple(domain.name for domain in meter.domains),
        update_interval_s=_update_interval_s(meter),
        resolution_j=max((domain.resolution_j for domain in meter.domains), default=0.0),
        detail=", ".join(f"{domain.name}: {domain.detail}" for domain in meter.domains if domain.detail),
    )


def _together(ended: Sequence[Measured]) -> Measured:
    return Measured(
        energy_j={domain: used_j for each in ended for domain, used_j in each.energy_j.items()},
        duration_s=next((each.duration_s for each in ended if each.duration_s is not None), None),
        conditions={domain: found for each in ended for domain, found in each.conditions.items()},
        fault=next((each.fault for each in ended if each.fault is not None), None),
        notes=tuple(note for each in ended for note in each.notes),
    )


def _update_interval_s(meter: Meter) -> float:
    return max((domain.update_interval_s for domain in meter.domains), default=0.0)


def _refuse_double_counting(first: Meter, second: Meter) -> None:
    shared = {domain.name for domain in first.domains} & {domain.name for domain in second.domains}
    if shared:
        raise ConfigError(
            f"{first.name} and {second.name} both measure {', '.join(sorted(shared))}.",
            why="Their energy would be counted twice.",
            fix="Name one of them in --energy-meters.",
        )
    parts = {domain.part for domain in first.domains} & {domain.part for domain in second.domains}
    if parts and "estimate" in {first.kind, second.kind}:
        raise ConfigError(
            f"{first.name} and {second.name} both count the energy of: {', '.join(sorted(parts))}.",
            why="An estimate beside a counter of the same part counts it twice.",
            fix="Name one of them in --energy-meters. To compare them, measure with one after the other: "
            "--energy-mode=measure.",
        )
