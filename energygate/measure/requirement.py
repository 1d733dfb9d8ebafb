"""How many trials are asked for, and how long each must be so that its meters can resolve it."""

from dataclasses import dataclass
from typing import Final, Self

from energygate.meters.base import Domain

_INTERVALS_PER_TRIAL: Final = 100  # an edge error of one refresh interval is then at most 1 % (docs/measuring.md)
_STEPS_PER_TRIAL: Final = 1000


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
    setting : str
        Which setting asks for that many seconds; empty where a meter does, and no setting can lower them.
    domain : str
        Which domain asks for them; empty where a setting does.
    """

    duration_s: float = 0.0
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
        needed_s, name = max(((_shortest_s(domain), domain.name) for domain in domains), default=(0.0, ""))
        return cls(
            duration_s=max(set_s, needed_s),
            energy_j=_STEPS_PER_TRIAL * coarsest_j,
            setting=setting if set_s > needed_s else "",
            domain="" if set_s > needed_s else name,
        )

    @property
    def asker(self) -> str:
        """Who needs that many seconds, up to the verb."""
        return f"{self.domain} needs" if self.domain else "these meters need"


def _shortest_s(domain: Domain) -> float:
    """The shortest window that this domain's counter can tell."""
    if domain.shortest_window_s is not None:
        return domain.shortest_window_s
    return _INTERVALS_PER_TRIAL * domain.update_interval_s
