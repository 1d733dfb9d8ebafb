"""How many trials are asked for, and how long each must be so that its meters can resolve it."""

from dataclasses import dataclass
from typing import Final, Self

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Domain, Measured

_STEPS_PER_TRIAL: Final = 1000
_LEAST_SHARE: Final = 0.8  # of the wanted duration: how often work must be repeated is reckoned, not known


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """How many trials, and how long.

    Attributes
    ----------
    count, warmup : int
        Trials that count, and trials before them that are discarded; both fixed beforehand.
    min_time_s, min_time_gpu_s : float
        Shortest trial without and with a GPU among the domains, in seconds.
    cooldown_s : float
        Pause before each trial that counts, in seconds.
    max_invalid : float
        Share of invalid trials above which the benchmark is invalid.
    """

    count: int = 10
    warmup: int = 1
    min_time_s: float = 1.0
    min_time_gpu_s: float = 10.0
    cooldown_s: float = 0.0
    max_invalid: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a trial needs so that its meters can resolve it: seconds and joules.

    Attributes
    ----------
    duration_s : float
        What to aim at.
    shortest_s : float
        Below it a trial is invalid: four fifths of that, and never less than a source says that it can tell.
    setting : str
        Which setting asks for that many seconds; empty where a meter does, and no setting can lower them.
    domain : str
        Which domain asks for them; empty where a setting does.
    """

    duration_s: float = 0.0
    shortest_s: float = 0.0
    energy_j: float = 0.0
    setting: str = ""
    domain: str = ""

    @classmethod
    def of(cls, domains: tuple[Domain, ...], settings: TrialSettings) -> Self:
        """Derive it from the slowest and the coarsest domain."""
        gpu = any(domain.part == "gpu" for domain in domains)
        coarsest_j = max((domain.resolution_j for domain in domains), default=0.0)
        set_s = settings.min_time_gpu_s if gpu else settings.min_time_s
        setting = "trials.min_time_gpu" if gpu else "trials.min_time"
        needed_s, name = max(((domain.least_window_s, domain.name) for domain in domains), default=(0.0, ""))
        duration_s = max(set_s, needed_s)
        return cls(
            duration_s=duration_s,
            shortest_s=max([_LEAST_SHARE * duration_s, *(domain.shortest_window_s or 0.0 for domain in domains)]),
            energy_j=_STEPS_PER_TRIAL * coarsest_j,
            setting=setting if set_s > needed_s else "",
            domain="" if set_s > needed_s else name,
        )

    @property
    def asker(self) -> str:
        """Who needs that many seconds, up to the verb."""
        return f"{self.domain} needs" if self.domain else "these meters need"

    def too_little(self, measured: Measured) -> MeasurementInvalid | None:
        """Say that a window held too few steps of its counters to be told, if it did."""
        energy_j = sum(measured.energy_j.values())
        if energy_j >= self.energy_j:
            return None
        return MeasurementInvalid(
            InvalidCode.TOO_LITTLE_ENERGY,
            f"{energy_j:.3g} J, but these meters need {self.energy_j:.3g} J (1000 of their steps). "
            "Put more work into the window.",
        )
