"""The arithmetic over samples that a server scraped from a counter.

A window has samples only near its ends. So it is bracketed: from the last sample before its start to the first one that
certainly counts all of it, less what the machine uses while it is quiet for the time that is outside of the window.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from statistics import median
from typing import Final, Literal

from energygate.errors import MeasurementInvalid
from energygate.meters.counters import Counter, CounterSpec
from energygate.model import MOST_J
from energygate.units import format_quantity, uj_to_j

Unit = Literal["J", "mJ", "uJ"]
UJ_PER: Final[dict[Unit, int]] = {"J": 1_000_000, "mJ": 1_000, "uJ": 1}
_MOST_UJ: Final = MOST_J * UJ_PER["J"]
QUIET: Final = 3  # changes before the start, without work between them: two intervals that tell the idle power
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")  # `float` takes 1_0 and other digits too
_FEWEST_CHANGES: Final = 4
_MIRROR_S: Final = 0.01  # how far apart an exporter reads two counters


class Unscrapable(Exception):  # noqa: N818  reads as the state it is
    """The samples do not tell an energy. Whoever asks makes an error of it that says for which meter or window."""

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(f"{what} {fix}")
        self.what = what
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Samples:
    """Raw values of one counter in microjoules, and when they were scraped, in seconds of the server's clock."""

    at_s: tuple[float, ...]
    raw_uj: tuple[int, ...]

    @property
    def changes(self) -> tuple[int, ...]:
        """Where the value differs from the one before: each time the exporter has read its counter in between."""
        return tuple(i for i in range(1, len(self.raw_uj)) if self.raw_uj[i] != self.raw_uj[i - 1])

    def at_or_after(self, at_s: float, *, prompt: bool) -> int | None:
        """Find the first change that certainly counts everything until `at_s`.

        Parameters
        ----------
        prompt : bool
            Whether the exporter reads its counter when it is scraped. One that reads on its own shows values of any
            age; that a value is new since the scrape before is then all that is known of it.
        """
        return next((i for i in self.changes if self.at_s[i if prompt else i - 1] >= at_s), None)

    def last_until(self, at_s: float) -> int | None:
        """Find the last change that was scraped by `at_s`."""
        return next((i for i in reversed(self.changes) if self.at_s[i] <= at_s), None)

    def quiet(self, since_s: float, *, prompt: bool) -> int:
        """Count the changes of which each counts everything until `since_s`."""
        first = self.at_or_after(since_s, prompt=prompt)
        return 0 if first is None else sum(i >= first for i in self.changes)


def samples_of(values: list[tuple[float, str]], unit: Unit) -> Samples:
    """Turn scraped texts into microjoules. Raises Unscrapable."""
    numbers = [(at_s, _raw_uj(text, unit)) for at_s, text in values]
    if not numbers:
        raise Unscrapable("The server gives it without samples.", fix="Mend the server that answers.")
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(numbers)):
        raise Unscrapable("Its samples are not in the order of time.", fix="Mend the server that answers.")
    return Samples(tuple(at_s for at_s, _ in numbers), tuple(raw_uj for _, raw_uj in numbers))


def _raw_uj(text: str, unit: Unit) -> int:
    value_uj = float(text) * UJ_PER[unit] if _NUMBER.fullmatch(text) else -1.0
    if not 0 <= value_uj <= _MOST_UJ:
        raise Unscrapable(
            f"One of its samples is no number from 0 to {MOST_J:g} J.",
            fix="Mend the exporter: its own /metrics shows it too.",
        )
    return round(value_uj)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often a counter is scraped and refreshed, in seconds, and its smallest step in joules."""

    scrape_s: float
    refresh_s: float
    resolution_j: float

    @property
    def longest_gap_s(self) -> float:
        """Two refreshes; half a scrape because nothing is on time to the millisecond."""
        return 2 * self.refresh_s + self.scrape_s / 2


def rhythm_of(samples: Samples) -> Rhythm:
    """Learn it: an exporter may be slower than its scrapes, so it is told by changes of value. Raises Unscrapable."""
    changes = samples.changes
    if len(samples.at_s) < _FEWEST_CHANGES:
        raise Unscrapable(
            f"It has {len(samples.at_s)} samples in the last 10 min, and how often it is refreshed can't be told from "
            f"fewer than {_FEWEST_CHANGES}.",
            fix="Wait until it has been scraped more often, or lower scrape_interval.",
        )
    if len(changes) < _FEWEST_CHANGES:
        raise Unscrapable(
            f"It changed {len(changes)} times in {len(samples.at_s)} samples of the last 10 min, fewer than "
            f"{_FEWEST_CHANGES}: it stands still, or it is refreshed too seldom.",
            fix="Look at it in the exporter's own /metrics.",
        )
    steps_uj = [samples.raw_uj[i] - samples.raw_uj[i - 1] for i in changes]
    return Rhythm(
        scrape_s=_median_gap_s(samples.at_s),
        refresh_s=_median_gap_s(tuple(samples.at_s[i] for i in changes)),
        resolution_j=uj_to_j(gcd(*steps_uj)),
    )


def _median_gap_s(at_s: tuple[float, ...]) -> float:
    return round(median(later - earlier for earlier, later in pairwise(at_s)), 3)  # a server dates to a millisecond


def mirror(samples: Samples, other: Samples) -> bool:
    """Whether two counters are one that is shown twice: they differ by no more than it counts between two reads.

    The median, because a wrap-around or a busy machine may come between the two reads now and then.
    """
    others = dict(zip(other.at_s, other.raw_uj, strict=True))
    both = [abs(raw - others[at_s]) for at_s, raw in zip(samples.at_s, samples.raw_uj, strict=True) if at_s in others]
    steps = [abs(later - earlier) for earlier, later in pairwise(samples.raw_uj)]
    if not both or not steps:
        return False
    return median(both) <= median(steps) / _median_gap_s(samples.at_s) * _MIRROR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A window in seconds of the server's clock.

    Attributes
    ----------
    quiet_s, start_s, end_s, now_s : float
        Since when the machine is quiet, the window itself, and now; each on the safe side of what the clock may be off.
    duration_s : float
        How long it was, by our own clock.
    """

    quiet_s: float
    start_s: float
    end_s: float
    now_s: float
    duration_s: float


def used_j(samples: Samples, spec: CounterSpec, span: Span, rhythm: Rhythm, *, prompt: bool) -> float:
    """Tell the energy of a window, in joules, from one counter.

    Raises
    ------
    Unscrapable
        There are too few samples, or a gap is among them.
    MeasurementInvalid
        The counter was set back, or is broken.
    """
    before, start, end = _bracket(samples, span, prompt=prompt)
    _refuse_gaps(samples, before, end, rhythm)
    total_uj = _unwrapped(samples, spec, before, end)
    idle_w = uj_to_j(total_uj[start]) / (samples.at_s[start] - samples.at_s[before])
    outside_s = samples.at_s[end] - samples.at_s[start] - span.duration_s
    return uj_to_j(total_uj[end] - total_uj[start]) - idle_w * outside_s


def _bracket(samples: Samples, span: Span, *, prompt: bool) -> tuple[int, int, int]:
    """Positions of b', b and e: the idle power is told between the first two, the energy between the others."""
    changes = samples.changes
    quiet = samples.at_or_after(span.quiet_s, prompt=prompt)
    start = samples.last_until(span.start_s)
    end = samples.at_or_after(span.end_s, prompt=prompt)
    if quiet is None or start is None or changes.index(start) - changes.index(quiet) + 1 < QUIET:
        raise Unscrapable(
            f"It has fewer than {QUIET} new samples between the end of other work and the start of the window.",
            fix="Look whether the server scrapes as often as it should.",
        )
    if end is None:
        raise Unscrapable(
            "It has no new sample after the end of the window.", fix="Look whether the server still scrapes it."
        )
    return changes[changes.index(start) - QUIET + 1], start, end


def _refuse_gaps(samples: Samples, first: int, last: int, rhythm: Rhythm) -> None:
    at_s = [samples.at_s[i] for i in samples.changes if first <= i <= last]
    longest_s = max(later - earlier for earlier, later in pairwise(at_s))
    if longest_s > rhythm.longest_gap_s:
        raise Unscrapable(
            f"It has no new sample for {format_quantity(longest_s, 's')} inside the window, though it is refreshed "
            f"every {format_quantity(rhythm.refresh_s, 's')}.",
            fix="Look at `up` and `scrape_duration_seconds` of its target.",
        )


def _unwrapped(samples: Samples, spec: CounterSpec, first: int, last: int) -> dict[int, int]:
    """Microjoules since position `first`, by position."""
    counter = Counter(spec, lambda: samples.raw_uj[first], at_s=samples.at_s[first])
    totals_uj = {first: 0}
    for i in range(first + 1, last + 1):
        counter.advance(samples.raw_uj[i], samples.at_s[i])
        totals_uj[i] = counter.total_uj
    if counter.faults:
        raise MeasurementInvalid(counter.faults[0].code, counter.faults[0].sentence)
    return totals_uj
