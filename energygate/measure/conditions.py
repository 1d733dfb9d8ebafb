"""What else the machine does while a trial runs, and when that is too much for the trial to count.

Pure: `measure.watch` reads the machine. The limits were chosen, not measured.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.load import Load
from energygate.units import format_percent

Kind = Literal["foreign", "pressure", "steal"]
_WORDS: Final[dict[Kind, str]] = {
    "foreign": "other processes used {share} of the machine's CPU time",
    "pressure": "tasks waited for a processor {share} of the time while other processes ran",
    "steal": "the hypervisor gave {share} of the machine's CPU time to others",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseLimits:
    """Shares of the machine above which a trial is `noisy`; 1 never is.

    Attributes
    ----------
    foreign : float
        CPU time of processes that are not ours.
    pressure : float
        Time in which a task waited for a processor (PSI `some`).
    steal : float
        CPU time that the hypervisor gave to others.
    """

    foreign: float = 0.10
    pressure: float = 0.20
    steal: float = 0.02

    @classmethod
    def none(cls) -> Self:
        """Limits that nothing exceeds: where no meter counts the whole machine, its load is in no number."""
        return cls(foreign=1.0, pressure=1.0, steal=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """A share of the machine that others had during a trial, and the limit that it exceeds."""

    kind: Kind
    share: float
    limit: float

    @property
    def fault(self) -> MeasurementInvalid:
        """What makes the trial invalid as long as few are."""
        said = _WORDS[self.kind].format(share=format_percent(self.share))
        limit = f"(limit {format_percent(self.limit)}, noise.{self.kind})"
        return MeasurementInvalid(InvalidCode.NOISY, f"{said} {limit}.")


def noise_in(load: Load, limits: NoiseLimits) -> Noise | None:
    """The first limit that a load exceeds, or None.

    Notes
    -----
    What the kernel counts in ticks counts only beyond what a tick on every processor may be wrong by. Threads that wait
    for a processor may be waiting for each other: pressure is noise only where foreign load is at least half its own
    limit. Where foreign load is unknown, neither of the two says anything; what the hypervisor took is known all the
    same.
    """
    beyond = None if load.foreign is None else load.foreign - load.tick_error
    if beyond is not None and _exceeds(beyond, limits.foreign):
        return Noise(kind="foreign", share=load.foreign or 0.0, limit=limits.foreign)
    if load.steal is not None and _exceeds(load.steal - load.tick_error, limits.steal):
        return Noise(kind="steal", share=load.steal, limit=limits.steal)
    crowded = beyond is not None and beyond >= limits.foreign / 2
    if crowded and load.pressure is not None and _exceeds(load.pressure, limits.pressure):
        return Noise(kind="pressure", share=load.pressure, limit=limits.pressure)
    return None


def noisy_throughout(found: Sequence[Noise], *, trials: int, pids_setting: str = "") -> str:
    """Say why no verdict can rest on a benchmark: so many of its trials were noisy that dropping them would choose.

    Parameters
    ----------
    found : sequence of Noise
        One for each noisy trial.
    trials : int
        How many were measured.
    pids_setting : str
        Where the processes that do the work can be named, if they are outside of our process tree.
    """
    kind = Counter(noise.kind for noise in found).most_common(1)[0][0]
    shares = sorted(noise.share for noise in found if noise.kind == kind)
    lowest, highest = format_percent(shares[0]), format_percent(shares[-1])
    said = _WORDS[kind].format(share=lowest if lowest == highest else f"{lowest} to {highest}")
    limit = next(noise.limit for noise in found if noise.kind == kind)
    can_be_ours = pids_setting and kind != "steal"
    named = f" name the processes that do its work elsewhere ({pids_setting})," if can_be_ours else ""
    return (
        f"{len(found)} of {trials} trials are noisy: {said} (limit {format_percent(limit)}), and the counters hold "
        f"that too. Measure on a runner that does nothing else,{named} or raise noise.{kind}."
    )


def _exceeds(share: float, limit: float) -> bool:
    return limit < 1 and share > limit
