"""One RAPL counter whose true energy is known.

What a reader sees is quantised and wrapped as the kernel does it: the hardware counts to 2**bits in units of `unit_nj`
nanojoules, refreshed every `period_s`; `energy_uj` is count * unit_nj // 1000 and `max_energy_range_uj` is
(2**bits - 1) * unit_nj // 1000.
"""

from dataclasses import dataclass


@dataclass(kw_only=True)
class Zone:
    """A counter at constant power, with more for each busy core.

    What the counter shows is `offset_j` more than the energy used: to put it elsewhere changes no truth. `mirrors` is
    the path of the zone whose counter it repeats; `error` and `range_error` are the errno that a reader gets, or 0.
    """

    path: str
    name: str
    power_w: float
    core_w: float = 0.0
    unit_nj: int = 61035
    bits: int = 32
    period_s: float = 0.000976
    offset_j: float = 1000.0
    used_j: float = 0.0
    since_s: float = 0.0
    since_busy_s: float = 0.0
    frozen_count: int | None = None
    error: int = 0
    range_error: int = 0
    mode: int = 0o400
    mirrors: str | None = None

    @property
    def key(self) -> str:
        """The last part of its path: `intel-rapl:0`."""
        return self.path.rpartition("/")[2]

    @property
    def range_uj(self) -> int:
        return (2**self.bits - 1) * self.unit_nj // 1000

    @property
    def modulus_j(self) -> float:
        return 2**self.bits * self.unit_nj / 1e9

    def true_j(self, at_s: float, busy_s: float = 0.0) -> float:
        """The energy used so far, with `busy_s` core seconds of work until now."""
        idle_j = self.power_w * (at_s - self.since_s)
        return self.used_j + idle_j + (self.core_w * (busy_s - self.since_busy_s) if self.core_w else 0.0)

    def raw_uj(self, at_s: float, busy_s: float = 0.0) -> int:
        """What `energy_uj` shows: the energy at the last refresh, in units."""
        return self._count(at_s, busy_s) % 2**self.bits * self.unit_nj // 1000

    def run_at(self, power_w: float, at_s: float, *, core_w: float = 0.0, busy_s: float = 0.0) -> None:
        self.used_j, self.since_s, self.since_busy_s = self.true_j(at_s, busy_s), at_s, busy_s
        self.power_w, self.core_w = power_w, core_w

    def add(self, energy_j: float) -> None:
        """Use that much at once."""
        self.used_j += energy_j

    def wrap_in(self, seconds: float, at_s: float, busy_s: float = 0.0) -> None:
        """Put the counter where it wraps in that time at the present power, without work."""
        self._put(self.modulus_j - self.power_w * seconds, at_s, busy_s)

    def put(self, energy_uj: int, at_s: float, busy_s: float = 0.0) -> None:
        """Let the counter show this value, rounded up to its unit: a lower one looks like a reset."""
        count = -(-energy_uj * 1000 // self.unit_nj)
        self._put((count + 0.5) * self.unit_nj / 1e9, at_s, busy_s)

    def freeze(self, at_s: float, busy_s: float = 0.0) -> None:
        """Let the counter stand still; the truth goes on, and a thawed counter has caught up with it."""
        self.frozen_count = self._count(at_s, busy_s)

    def thaw(self) -> None:
        self.frozen_count = None

    def _put(self, counter_j: float, at_s: float, busy_s: float) -> None:
        self.run_at(self.power_w, at_s, core_w=self.core_w, busy_s=busy_s)  # it shows the new place at once
        self.offset_j = counter_j - self.used_j
        if self.frozen_count is not None:
            self.thaw()
            self.freeze(at_s, busy_s)

    def _count(self, at_s: float, busy_s: float) -> int:
        if self.frozen_count is not None:
            return self.frozen_count
        refreshed_s = at_s - at_s % self.period_s if self.period_s else at_s
        counter_j = self.offset_j + self.true_j(max(refreshed_s, self.since_s), busy_s)
        return int(counter_j * 1e9 / self.unit_nj)
