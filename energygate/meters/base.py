"""What every meter is: cumulative energy by domain, read at both ends of a window.

A meter never answers 0 for "unknown": it raises `MeterUnavailable` when it is opened, or `MeasurementInvalid`
when a window ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol

from energygate.errors import MeasurementInvalid
from energygate.model import MeterKind

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_INTERVALS: Final = 100  # an edge error of one refresh interval is then at most 1 % (docs/measuring.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A part of the machine whose energy is counted once.

    Attributes
    ----------
    name : str
        `package-0`, `dram-0`, `gpu-0`, `cpu-estimate`.
    update_interval_s : float
        How often the source refreshes its counter, in seconds; 0 if each read is exact.
    resolution_j : float
        The counter's smallest step, in joules.
    shortest_window_s : float or None
        The shortest window in seconds that the source can tell; None is 100 refresh intervals.
    detail : str
        What tells this domain apart for a person: a GPU's model and UUID, say.
    """

    name: str
    part: Literal["cpu", "dram", "gpu"]
    update_interval_s: float = 0.0
    resolution_j: float = 0.0
    shortest_window_s: float | None = None
    detail: str = ""

    @property
    def least_window_s(self) -> float:
        """How long a window must be in seconds for this domain to be told well."""
        return _INTERVALS * self.update_interval_s if self.shortest_window_s is None else self.shortest_window_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is about to be measured.

    Attributes
    ----------
    benchmark : str
        Its name; a replay picks its line by it.
    warm_up : bool
        Whether the reading will be thrown away; a replay spends no line on it.
    pids : tuple of int
        Processes outside our own process tree that do the work; the estimate counts their CPU seconds too.
    unknown_processes : bool
        Whether processes that nobody named do the work, so that their load can't be told from that of others.
    """

    benchmark: str = ""
    warm_up: bool = False
    pids: tuple[int, ...] = ()
    unknown_processes: bool = False


class Reading(NamedTuple):
    """The start of a window: monotonic seconds, and each domain's total and epoch in the meter's own order.

    A fault raises a domain's epoch, so exactly the windows whose ends differ in epoch are invalid. `before` is what the
    meter itself wants to know again at the end: the state of a GPU, say. `opening` is what it held open
    (`energygate.meters.opening`): a window that ends in another is invalid.
    """

    window: Window
    at_s: float
    totals_uj: tuple[int, ...] = ()
    epochs: tuple[int, ...] = ()
    before: Any = None
    opening: object = None


class Measured(NamedTuple):
    """What a window used, and under which conditions.

    Attributes
    ----------
    energy_j : mapping of domain to joules
        Of every domain of the meter.
    duration_s : float or None
        The window's seconds, where the meter knows them better than a clock (replay).
    conditions : mapping
        What a Run stores beside the energy, by domain: clocks and temperature of a GPU, say.
    fault : MeasurementInvalid or None
        Why the window does not count although it was read right: the GPU was throttled, say.
    notes : tuple of str
        What a person should know of the window; it counts all the same.
    """

    energy_j: Mapping[str, float] = _NOTHING
    duration_s: float | None = None
    conditions: Mapping[str, Any] = _NOTHING
    fault: MeasurementInvalid | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a meter knows of the hardware that it reads, as keys of the machine (docs/measuring.md).

    Attributes
    ----------
    hard, soft : mapping
        Where runs differ in a hard key they are not compared; a soft one is noted.
    """

    hard: Mapping[str, Any] = field(default_factory=dict)
    soft: Mapping[str, Any] = field(default_factory=dict)


class Meter(Protocol):
    """A source of energy. `domains` is fixed once `open` has returned."""

    name: str
    kind: MeterKind

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Only domains that may be added to each other."""
        ...

    @property
    def constants(self) -> Mapping[str, object]:
        """What else must agree for two readings to be comparable: part of the machine's hard keys."""
        ...

    @property
    def hardware(self) -> Hardware:
        """What it knows of the hardware once it is open."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of what `open` found: a counter that was left out, say."""
        ...

    def open(self) -> None:
        """Discover, read once, start keep-alive reads. Raises MeterUnavailable."""
        ...

    def begin(self, window: Window) -> Reading:
        """Align if the source needs it, then read."""
        ...

    def end(self, start: Reading) -> Measured:
        """Read at once. Raises MeasurementInvalid, also where it was closed or opened anew since the start."""
        ...

    def close(self) -> None:
        """Release threads, descriptors and libraries; safe to call twice."""
        ...
