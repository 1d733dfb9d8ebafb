"""Several meters as one: what measures a trial."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import combinations
from types import TracebackType
from typing import Self

from energygate.errors import ConfigError
from energygate.meters.base import Domain, Measured, Meter, Reading, Window
from energygate.model import MeterInfo


class MeterGroup:
    """Open meters whose energies may be added to each other.

    Parameters
    ----------
    meters : sequence of Meter
        Already open; the group closes them.

    Raises
    ------
    ConfigError
        Two of them count the same energy.
    """

    def __init__(self, meters: Sequence[Meter]) -> None:
        self.meters = tuple(meters)
        for first, second in combinations(self.meters, 2):
            _refuse_double_counting(first, second)
        # RAPL is read last and first: its reading is exact to a millisecond, others wait for theirs.
        self._by_begin = tuple(
            sorted(self.meters, key=lambda meter: (meter.name == "rapl", -_update_interval_s(meter)))
        )

    @property
    def infos(self) -> tuple[MeterInfo, ...]:
        """Which meters measure, and how finely, as a Run stores it."""
        return tuple(describe(meter) for meter in self.meters)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The domains of all meters."""
        return tuple(domain for meter in self.meters for domain in meter.domains)

    @property
    def is_replay(self) -> bool:
        """Whether windows are played back, so that nothing need run long."""
        return any(meter.kind == "replay" for meter in self.meters)

    def begin(self, window: Window) -> tuple[Reading, ...]:
        """Begin a window on each meter, the slowest first."""
        return tuple([meter.begin(window) for meter in self._by_begin])

    def end(self, starts: tuple[Reading, ...]) -> Measured:
        """End the window in the reverse order: joules of all domains. Raises MeasurementInvalid."""
        energy_j: dict[str, float] = {}
        duration_s = None
        for meter, start in zip(reversed(self._by_begin), reversed(starts), strict=True):
            measured = meter.end(start)
            energy_j.update(measured.energy_j)
            duration_s = measured.duration_s if duration_s is None else duration_s
        return Measured(energy_j, duration_s)

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
            fix="Name one of them in --energy-meters.",
        )
