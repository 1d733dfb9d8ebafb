"""What a reader of one counter could see of a window, and so what it may say of it.

The rules are those of docs/measuring.md, written a second time and from the other side: here the truth is known.
"""

from dataclasses import dataclass
from itertools import pairwise

from rig.zone import Zone

BOUND_W = {"package": 1000.0, "dram": 400.0}  # more power than that is a broken counter
SLACK_S = 0.012  # two refresh intervals, and as long as a clock and a counter may be read apart
STILL_S = 0.2  # no processor uses nothing for so long
EDGE = 1e-3  # so near to a limit either answer is right


def bound_w(zone: Zone) -> float:
    return BOUND_W[zone.name.partition("-")[0]]


@dataclass(frozen=True)
class Seen:
    """One reading: the hardware's count, or None where there was no number; what is true; how late the count may be."""

    at_s: float
    count: int | None
    true_j: float
    late_j: float


@dataclass(frozen=True)
class Step:
    """What happened between two readings."""

    readable: bool
    elapsed_s: float
    seen_j: float
    true_j: float
    late_j: float
    wrapped: bool
    watch_s: float
    bound_w: float

    @property
    def limit_j(self) -> float:
        return self.bound_w * (self.elapsed_s + SLACK_S)

    @property
    def still(self) -> bool:
        return self.seen_j == 0 and self.elapsed_s > STILL_S

    @property
    def must_fail(self) -> bool:
        return not self.readable or self.seen_j > self.limit_j * (1 + EDGE)

    @property
    def visible(self) -> bool:
        """Whether a reader can know that something may be wrong."""
        return self.must_fail or self.still or self.elapsed_s > self.watch_s * (1 + EDGE)

    @property
    def may_fail(self) -> bool:
        near = self.seen_j > self.limit_j * (1 - EDGE) or self.elapsed_s > self.watch_s * (1 - EDGE)
        return self.visible or near or abs(self.seen_j - self.true_j) > self.late_j


class Ledger:
    """The readings of one zone in one window."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self._seen: list[Seen] = []

    def clear(self) -> None:
        self._seen.clear()

    def note(self, at_s: float, *, readable: bool) -> None:
        """The meter has read now."""
        zone = self.zone
        count = -(-zone.raw_uj(at_s) * 1000 // zone.unit_nj) if readable else None
        late_j = zone.power_w * zone.period_s + 2 * self._unit_j
        self._seen.append(Seen(at_s, count, zone.true_j(at_s), late_j))

    @property
    def must_fail(self) -> bool:
        return self._ends_still or any(step.must_fail for step in self.steps)

    @property
    def may_fail(self) -> bool:
        return self._ends_still or any(step.may_fail for step in self.steps)

    @property
    def _ends_still(self) -> bool:
        """Whether the counter stands when a window ends that is long enough to tell."""
        return self.zone.frozen_count is not None and self._seen[-1].at_s - self._seen[0].at_s > STILL_S

    @property
    def true_j(self) -> float:
        return self._seen[-1].true_j - self._seen[0].true_j

    @property
    def tolerance_j(self) -> float:
        """How far from the truth a valid window may be: late counts, rounded wraps, and what no reader can see."""
        steps = self.steps
        wraps_j = self._unit_j * sum(step.wrapped for step in steps)
        late_j = self._seen[0].late_j + self._seen[-1].late_j + wraps_j
        if any(step.visible for step in steps):
            return late_j
        hidden_j = abs(sum(step.seen_j - step.true_j for step in steps))
        return max(late_j, hidden_j + self._unit_j * len(steps) + wraps_j)

    @property
    def steps(self) -> list[Step]:
        return [self._step(a, b) for a, b in pairwise(self._seen)]

    def _step(self, a: Seen, b: Seen) -> Step:
        readable = a.count is not None and b.count is not None
        return Step(
            readable=readable,
            elapsed_s=b.at_s - a.at_s,
            seen_j=(b.count - a.count) % 2**self.zone.bits * self._unit_j if readable else 0.0,
            true_j=b.true_j - a.true_j,
            late_j=a.late_j + b.late_j,
            wrapped=readable and b.count < a.count,
            watch_s=self.zone.modulus_j / bound_w(self.zone),
            bound_w=bound_w(self.zone),
        )

    @property
    def _unit_j(self) -> float:
        return self.zone.unit_nj / 1e9
