"""A machine with RAPL counters whose true energy is known: the zones of one layout, on one clock.

It takes commands, one a line; ZONE is the last part of a zone's path, such as intel-rapl:0, or `all`:

    power ZONE WATTS [CORE_WATTS]   constant power, and more for each busy core
    add ZONE JOULES                 use that much energy at once
    wrap_in ZONE SECONDS            the next wrap-around comes in that time, if no core is busy
    set ZONE UJ                     put the counter at this value; a lower one looks like a reset
    bits ZONE N                     narrow the counter: 24 bits of 61 uJ wrap every 1024 J
    freeze ZONE 0|1                 the counter stands still, the truth goes on
    error ZONE EIO|none             reading energy_uj fails; range_error: the same for max_energy_range_uj
    period ZONE SECONDS             how often the counter is refreshed; 0: each reading is exact
    mode ZONE OCTAL                 who may read energy_uj

`wrap_in`, `set`, `bits` make the counter jump, so they belong between windows; none of them changes the truth.
"""

import errno
import time
from collections.abc import Callable

from rig.busy import busy_cores
from rig.layouts import LAYOUTS
from rig.zone import Zone


class Machine:
    """Zones and their truth."""

    def __init__(
        self,
        layout: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        period_s: float = 0.000976,
        busy: Callable[[], float] | None = None,
    ) -> None:
        self.zones = LAYOUTS[layout]()
        self.clock = clock
        self._busy = busy or busy_cores()
        for i, zone in enumerate(self.zones):
            zone.offset_j += 137.0 * i  # separate counters stand at separate values
            zone.since_s = clock()
            zone.period_s = period_s
        self._by_path = {zone.path: zone for zone in self.zones}

    def raw_uj(self, zone: Zone) -> int:
        source = self.source(zone)
        return source.raw_uj(self.clock(), self._busy_s(source))

    def range_uj(self, zone: Zone) -> int:
        return self.source(zone).range_uj

    def truth(self) -> dict:
        """Joules used by each zone until the moment `at_s`: `{"at_s":, "busy_s":, "used_j": {"intel-rapl:0":}}`."""
        busy_s, at_s = self._busy(), self.clock()
        return {
            "at_s": at_s,
            "busy_s": busy_s,
            "used_j": {zone.key: self.source(zone).true_j(at_s, busy_s) for zone in self.zones},
        }

    def source(self, zone: Zone) -> Zone:
        """The zone whose counter it shows: itself, unless it mirrors another."""
        return self._by_path[zone.mirrors or zone.path]

    def zone(self, key: str) -> Zone:
        """By the last part of its path: `intel-rapl:0`."""
        return next(zone for zone in self.zones if zone.key == key)

    def obey(self, line: str) -> None:
        """Carry out one command. Raises ValueError where it cannot."""
        word, key, *values = line.split()
        zones = self.zones if key == "all" else [zone for zone in self.zones if zone.key == key]
        if word not in _COMMANDS or not zones:
            raise ValueError(f"unknown command {line!r}")
        for zone in zones:
            _COMMANDS[word](self, zone, *values)

    def _busy_s(self, zone: Zone) -> float:
        return self._busy() if zone.core_w else 0.0

    def _now(self, zone: Zone) -> tuple[float, float]:
        return self.clock(), self._busy_s(zone)

    def _power(self, zone: Zone, power_w: str, core_w: str = "0") -> None:
        # Work costs from now on: where it cost nothing until now, no core second was counted.
        zone.run_at(float(power_w), self.clock(), core_w=float(core_w), busy_s=self._busy())

    def _add(self, zone: Zone, energy_j: str) -> None:
        zone.add(float(energy_j))

    def _wrap_in(self, zone: Zone, seconds: str) -> None:
        zone.wrap_in(float(seconds), *self._now(zone))

    def _set(self, zone: Zone, energy_uj: str) -> None:
        zone.put(int(energy_uj), *self._now(zone))

    def _bits(self, zone: Zone, bits: str) -> None:
        zone.bits = int(bits)

    def _freeze(self, zone: Zone, on: str) -> None:
        if int(on):
            zone.freeze(*self._now(zone))
        else:
            zone.thaw()

    def _error(self, zone: Zone, name: str) -> None:
        zone.error = _errno(name)

    def _range_error(self, zone: Zone, name: str) -> None:
        zone.range_error = _errno(name)

    def _period(self, zone: Zone, seconds: str) -> None:
        zone.period_s = float(seconds)

    def _mode(self, zone: Zone, octal: str) -> None:
        zone.mode = int(octal, 8)


def _errno(name: str) -> int:
    return 0 if name == "none" else next(code for code, known in errno.errorcode.items() if known == name)


_COMMANDS: dict[str, Callable[..., None]] = {
    "power": Machine._power,  # noqa: SLF001  its own commands
    "add": Machine._add,  # noqa: SLF001
    "wrap_in": Machine._wrap_in,  # noqa: SLF001
    "set": Machine._set,  # noqa: SLF001
    "bits": Machine._bits,  # noqa: SLF001
    "freeze": Machine._freeze,  # noqa: SLF001
    "error": Machine._error,  # noqa: SLF001
    "range_error": Machine._range_error,  # noqa: SLF001
    "period": Machine._period,  # noqa: SLF001
    "mode": Machine._mode,  # noqa: SLF001
}
