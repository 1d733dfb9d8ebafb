"""RAPL through the kernel's powercap tree: `rapl`."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters import powercap_faults as faults
from energygate.meters.base import Domain, Measured, Reading, Window
from energygate.meters.counters import Counter, CounterBank, KeepAlive
from energygate.meters.host import Host
from energygate.meters.zones import UPDATE_INTERVAL_S, Zone, find_zones, zone_names
from energygate.model import MeterKind


class EnergyFile:
    """One held `energy_uj`: the kernel makes a new text for each read at offset 0."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self._fd = os.open(zone.folder / "energy_uj", os.O_RDONLY)

    def read_uj(self) -> int:
        """The counter in microjoules. Raises MeasurementInvalid."""
        try:
            return int(os.pread(self._fd, 32, 0))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds no number"
            path = self.zone.folder / "energy_uj"
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR,
                f"{path} exists and cannot be read: {reason}. The energy of {self.zone.domain} is unknown.",
            ) from error

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)


class Powercap:
    """Package and DRAM energy of every socket.

    Parameters
    ----------
    sysfs : Path
        Where sysfs is mounted: `/sys`, a container's `/host/sys`, a simulated tree.
    host : Host, optional
        Facts about the machine, for the error messages and for dies.
    clock, sleep : callable
        Monotonic seconds; waits for seconds.
    """

    name = "rapl"
    kind: MeterKind = "counter"

    def __init__(
        self,
        sysfs: Path = Path("/sys"),
        *,
        host: Host | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sysfs = sysfs
        self._host = host or Host()
        self._clock = clock
        self._sleep = sleep
        self._resources = ExitStack()
        self._domains: tuple[Domain, ...] = ()
        self._bank = CounterBank((), clock=clock)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`package-0`, `dram-0`, and so on by socket."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Nothing: two RAPL readings of one machine are comparable."""
        return {}

    def open(self) -> None:
        """Find the zones, read each once, start the keep-alive thread. Raises MeterUnavailable."""
        self.close()
        with ExitStack() as resources:
            try:
                files = self._open_files(self._find_zones(), resources)
                kept = [self._one_of_mirrors(list(group)) for _, group in groupby(files, lambda f: f.zone.domain)]
                at_s = self._clock()
                counters = [Counter(f.zone.spec, f.read_uj, at_s=at_s) for group in kept for f in group]
            except OSError as error:
                raise faults.unreadable(error, self._host) from error
            except MeasurementInvalid as error:
                raise faults.not_counting(error.sentence) from error
            self._domains = tuple(_domain([f.zone for f in group]) for group in kept)
            self._bank = CounterBank(counters, clock=self._clock)
            resources.enter_context(KeepAlive(self._bank.refresh, every_s=self._bank.keep_alive_s, name=self.name))
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Read every zone."""
        return self._bank.begin(window)

    def end(self, start: Reading) -> Measured:
        """Read every zone: joules by domain since `start`. Raises MeasurementInvalid."""
        return self._bank.end(start)

    def close(self) -> None:
        """Stop the thread and give the descriptors back."""
        self._resources.close()
        self._bank = CounterBank((), clock=self._clock)  # a descriptor's number may soon be another file's

    def _find_zones(self) -> tuple[Zone, ...]:
        names = zone_names(self._sysfs)
        if not names:
            raise faults.no_zones(self._sysfs, self._host)
        own = self._sysfs.resolve() == self._host.sysfs.resolve()
        if own and (machine := self._host.virtual_machine):
            raise faults.emulated(machine)
        zones = find_zones(self._sysfs)
        if not zones:
            raise faults.no_package(self._sysfs, names)
        return self._lowest_dies(zones) if self._host.mirrors_dies else zones

    @staticmethod
    def _lowest_dies(zones: Iterable[Zone]) -> tuple[Zone, ...]:
        """One zone a domain: AMD's and Hygon's dies each show the package's counter (linux/drivers/powercap)."""
        return tuple(next(group) for _, group in groupby(zones, lambda zone: zone.domain))

    @staticmethod
    def _open_files(zones: Iterable[Zone], resources: ExitStack) -> list[EnergyFile]:
        files = []
        for zone in zones:
            files.append(EnergyFile(zone))
            resources.callback(files[-1].close)
        return files

    def _one_of_mirrors(self, files: list[EnergyFile]) -> list[EnergyFile]:
        """Files of one domain without those that repeat another, whatever the vendor says."""
        kept: list[EnergyFile] = []
        for file in files:
            if not any(self._mirror(file, other) for other in kept):
                kept.append(file)
        return kept

    def _mirror(self, file: EnergyFile, other: EnergyFile) -> bool:
        """Whether `file` lies between two readings of `other` around it, three times in a row."""
        for _ in range(3):
            before_uj, value_uj, after_uj = other.read_uj(), file.read_uj(), other.read_uj()
            if not before_uj <= value_uj <= after_uj:
                return False
            self._sleep(0.01)
        return True


def _domain(zones: list[Zone]) -> Domain:
    return Domain(
        name=zones[0].domain,
        part=zones[0].part,
        update_interval_s=UPDATE_INTERVAL_S,
        resolution_j=max(zone.resolution_j for zone in zones),
        detail=" + ".join(zone.folder.name for zone in zones),
    )
