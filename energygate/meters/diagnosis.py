"""What `energygate doctor` found out, as values: what can be measured, how well, and what is to be mended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from energygate.meters.base import Domain
from energygate.model import Machine, MeterKind

_AUTO: Final = ("rapl", "nvml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that makes measuring impossible or worse.

    Attributes
    ----------
    what, why : str
        What was found, with the value, and why it matters.
    fix : str
        What to do about it; empty where `what` says so. A line that is to be typed stands alone, without a full stop.
    blocks : bool
        Whether nothing can be measured until then.
    """

    what: str
    why: str
    fix: str
    blocks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Whether one meter can be used here.

    Attributes
    ----------
    domains : tuple of Domain
        What it measures; empty if it cannot be opened.
    power_w : mapping of domain to watts
        A live reading; empty if there is none.
    conditions : mapping
        What the live reading says beside the energy, by domain: a GPU's power limit, say.
    notes : tuple of str
        What a person should know of what was found.
    refusal : Finding or None
        The reason it cannot be used, None if it can.
    absent : str
        Why there is nothing here that it could measure, where that is nothing to be mended: no GPU, say.
    """

    name: str
    kind: MeterKind
    domains: tuple[Domain, ...] = ()
    power_w: Mapping[str, float] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    refusal: Finding | None = None
    absent: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can be opened, and gave a reading where one was asked for."""
        return self.refusal is None and not self.absent

    @property
    def counts_the_machine(self) -> bool:
        """Whether it is a usable counter that holds what every process of the machine uses."""
        return self.decides and any(domain.part != "gpu" for domain in self.domains)

    @property
    def decides(self) -> bool:
        """Whether it is a usable counter: its numbers decide without `allow_estimates`."""
        return self.usable and self.kind in {"counter", "scraped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What to expect of one trial with one meter.

    Attributes
    ----------
    trial_s : float
        How long a trial will be, in seconds: what is set, or what the meter needs if that is more.
    edge_error : float
        What refreshes alone cost, as a fraction of the trial's energy: the standard deviation, or a bound where the
        meter waits for refreshes.
    at_most : bool
        Whether it is a bound.
    """

    trial_s: float
    edge_error: float
    at_most: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that `energygate doctor` shows.

    Attributes
    ----------
    load : mapping
        What others do with the processors now, as shares of the machine: foreign, pressure, steal.
    meters : tuple of (Probe, Accuracy or None)
        Each meter that was tried, and what to expect of it where it can be used.
    estimate : str
        The estimate's model, and how good it is.
    wanted : tuple of str
        The meters that a run would open, as configured.
    allows_estimates : bool
        Whether numbers that are no measurement decide, as configured.
    findings : tuple of Finding
        What else is to be mended: of the machine, of the readings, of the installation.
    """

    machine: Machine
    virtual_machine: str | None
    container: str | None
    clock: str
    load_average: float | None
    load: Mapping[str, float | None]
    meters: tuple[tuple[Probe, Accuracy | None], ...]
    estimate: str
    wanted: tuple[str, ...] = ("auto",)
    allows_estimates: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def decides(self) -> tuple[str, ...]:
        """The counters that can be used."""
        return tuple(probe.name for probe, _ in self.meters if probe.decides)

    @property
    def lacking(self) -> tuple[str, ...]:
        """The meters that the configuration names and that cannot be used: a run would stop."""
        names = (probe.name for probe, _ in self.meters if not probe.usable and self.would_open(probe.name))
        return tuple(dict.fromkeys(name.removesuffix("-power") for name in names)) if self._by_name else ()

    @property
    def opened(self) -> tuple[Probe, ...]:
        """The usable meters that a run would measure with, as configured."""
        return tuple(probe for probe, _ in self.meters if probe.usable and self.would_open(probe.name))

    @property
    def can_gate(self) -> bool:
        """Whether a run would measure, and its numbers decide without `allow_estimates`."""
        return not self.lacking and bool(self.opened) and all(probe.decides for probe in self.opened)

    def would_open(self, name: str) -> bool:
        """Whether a run would try that meter, as configured. A replay tries none: it is told what `auto` finds."""
        names = self.wanted if self._by_name else _AUTO
        return name.removesuffix("-power") in names

    @property
    def _by_name(self) -> bool:
        return not any(name == "auto" or name.startswith("replay:") for name in self.wanted)
