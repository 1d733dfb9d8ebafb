"""RAPL through the kernel's powercap tree: `rapl`."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from energygate.errors import MeasurementInvalid
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.counters import Counter, CounterBank, CounterSpec
from energygate.meters.host import Host
from energygate.meters.keep_alive import KeepAlive
from energygate.meters.options import RaplOptions
from energygate.meters.rapl import faults
from energygate.meters.rapl.energy_files import EnergyFile, open_files, repeated
from energygate.meters.rapl.zones import UPDATE_INTERVAL_S, Zone, control_type, find_zones, zone_names
from energygate.model import MeterKind
from energygate.units import format_quantity


class Powercap:
    """Package and DRAM energy of every socket.

    Parameters
    ----------
    sysfs : Path
        Where sysfs is mounted: `/sys`, a container's `/host/sys`, a simulated tree.
    options : RaplOptions, optional
        Which doubtful counters are put up with.
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
        options: RaplOptions | None = None,
        host: Host | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sysfs = sysfs
        self._options = options or RaplOptions()
        self._host = host or Host()
        self._clock = clock
        self._sleep = sleep
        self._resources = ExitStack()
        self._domains: tuple[Domain, ...] = ()
        self._notes: list[str] = []
        self._bank = CounterBank((), clock=clock)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`package-0`, `dram-0`, and so on by socket."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Which doubtful counters are put up with: readings with and without them are not comparable."""
        choices = {"virtual": self._options.virtual, "filtered": self._options.filtered}
        return {name: choice for name, choice in choices.items() if choice == "allow"}

    @property
    def hardware(self) -> Hardware:
        """Nothing that the machine does not say itself."""
        return Hardware()

    @property
    def notes(self) -> tuple[str, ...]:
        """Counters that are left out, and what is doubtful of the others."""
        return tuple(self._notes)

    def open(self) -> None:
        """Find the zones, read each once, start the keep-alive thread. Raises MeterUnavailable."""
        self.close()
        self._notes = []
        with ExitStack() as resources:
            try:
                files = self._without_repetition(open_files(self._find_zones(), resources))
                at_s = self._clock()
                counters = [Counter(file.zone.spec, file.read_uj, at_s=at_s) for file in files]
            except OSError as error:
                raise faults.unreadable(error, self._host) from error
            except MeasurementInvalid as error:
                raise faults.not_counting(error.sentence) from error
            for counter in counters:
                _require_watchable(counter.spec)
            self._domains = _domains([file.zone for file in files])
            self._bank = CounterBank(counters, clock=self._clock, sleep=self._sleep)
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
        folder = control_type(self._sysfs)
        if not names or folder is None:
            raise faults.no_zones(self._sysfs, self._host)
        if self._host.owns(folder):
            self._require_true_counters()
        zones = find_zones(self._sysfs)
        if not zones:
            raise faults.no_package(self._sysfs, names)
        return self._lowest_dies(zones) if self._host.mirrors_dies else zones

    def _require_true_counters(self) -> None:
        """Refuse this machine's own counters where they are not its energy, or note why they are doubtful."""
        if machine := self._host.virtual_machine:
            if self._options.virtual == "refuse":
                raise faults.emulated(machine)
            self._notes.append(f"this virtual machine ({machine}) shows counters that are emulated or the host's.")
        energy_filter = self._host.energy_filter
        if energy_filter == "on":
            if self._options.filtered == "refuse":
                raise faults.filtered()
            self._notes.append("energy filtering is on (bit 0 of MSR 0xBC): readings may be wrong by up to 50 %.")
        elif energy_filter == "possible":
            self._notes.append(
                "this processor has SGX switched on, so its counters may be randomised by up to 50 % "
                f"(INTEL-SA-00389), and {self._host.msr} does not say. Switch SGX off in the firmware."
            )

    def _lowest_dies(self, zones: tuple[Zone, ...]) -> tuple[Zone, ...]:
        """One zone a domain: AMD's and Hygon's dies each show the package's counter (linux/drivers/powercap)."""
        kept: list[Zone] = []
        for zone in zones:
            if kept and kept[-1].domain == zone.domain:
                self._note_repetition(zone, kept[-1])
            else:
                kept.append(zone)
        return tuple(kept)

    def _without_repetition(self, files: list[EnergyFile]) -> list[EnergyFile]:
        """One file a counter, whatever the vendor says."""
        twins = dict(repeated(files, sleep=self._sleep))
        for file, twin in twins.items():
            self._note_repetition(file.zone, twin.zone)
        return [file for file in files if file not in twins]

    def _note_repetition(self, zone: Zone, kept: Zone) -> None:
        self._notes.append(f"{zone.folder.name} repeats {kept.folder.name}, so {zone.domain} is counted once.")


def _domains(zones: list[Zone]) -> tuple[Domain, ...]:
    return tuple(_domain(list(group)) for _, group in groupby(zones, lambda zone: zone.domain))


def _domain(zones: list[Zone]) -> Domain:
    return Domain(
        name=zones[0].domain,
        part=zones[0].part,
        update_interval_s=UPDATE_INTERVAL_S,
        resolution_j=max(zone.resolution_j for zone in zones),
        detail=" + ".join(zone.folder.name for zone in zones),
    )


def _require_watchable(spec: CounterSpec) -> None:
    """Refuse a counter that may wrap between two keep-alive readings: every longer window would be invalid."""
    if spec.watch_s < spec.keep_alive_s:
        raise faults.not_counting(
            f"{spec.source} may wrap every {format_quantity(spec.watch_s, 's')}, more often than it can be read."
        )
