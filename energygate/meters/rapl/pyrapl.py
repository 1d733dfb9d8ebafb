"""RAPL through pyRAPL: `pyrapl`, for whoever wants that library's reading. The only importer of pyRAPL.

Only `pyRAPL.Sensor` and its `energy` are called. What pyRAPL makes of two readings loses windows: it knows no
wrap-around (docs/measuring.md).
"""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.counters import Counter, CounterBank
from energygate.meters.host import Host
from energygate.meters.keep_alive import KeepAlive
from energygate.meters.options import RaplOptions
from energygate.meters.rapl.energy_files import EnergyFile
from energygate.meters.rapl.powercap import Powercap
from energygate.meters.rapl.zones import Zone, find_zones
from energygate.model import MeterKind

_SYS: Final = Path("/sys")


class PyRapl:
    """Package and DRAM energy of every socket, read by pyRAPL.

    Its slots are paired with the zones that `rapl` finds, so that ranges, bounds and domains are the same.

    Parameters
    ----------
    sysfs : Path
        `/sys`: pyRAPL knows no other place.
    options : RaplOptions, optional
        Which doubtful counters are put up with.
    host : Host, optional
        Facts about the machine, for the error messages.
    clock : callable
        Monotonic seconds.
    """

    name = "pyrapl"
    kind: MeterKind = "counter"

    def __init__(
        self,
        sysfs: Path = _SYS,
        *,
        options: RaplOptions | None = None,
        host: Host | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sysfs = sysfs
        self._clock = clock
        self._rapl = Powercap(sysfs, options=options, host=host, clock=clock)
        self._resources = ExitStack()
        self._domains: tuple[Domain, ...] = ()
        self._bank: CounterBank = CounterBank((), clock=clock)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`package-0`, `dram-0`, and so on by socket."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Those of `rapl`."""
        return self._rapl.constants

    @property
    def hardware(self) -> Hardware:
        """That of `rapl`."""
        return self._rapl.hardware

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of `rapl`."""
        return self._rapl.notes

    def open(self) -> None:
        """Let `rapl` find the counters, pair pyRAPL's slots with them, start the keep-alive thread.

        Raises
        ------
        MeterUnavailable
            `rapl` cannot read the counters either, pyRAPL is not installed, or it reads others than it should.
        """
        self.close()
        if self._sysfs.resolve() != _SYS:
            raise MeterUnavailable(
                f"pyRAPL reads /sys alone, not {self._sysfs}.",
                why="Its paths are fixed, so it would read other counters than those asked for.",
                fix="Use --energy-meters=rapl, or leave --energy-sysfs out.",
            )
        pyrapl = _import_pyrapl()
        self._rapl.open()  # what nobody can read is refused with the reason and the fix
        self._rapl.close()
        zones = find_zones(self._sysfs)
        with ExitStack() as resources:
            resources.callback(self._let_go)
            self._bank = CounterBank(_watch(pyrapl, zones, at_s=self._clock()), clock=self._clock)
            self._domains = self._rapl.domains
            resources.enter_context(KeepAlive(self._bank.refresh, every_s=self._bank.keep_alive_s, name=self.name))
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Read every slot."""
        return self._bank.begin(window)

    def end(self, start: Reading) -> Measured:
        """Read every slot: joules by domain since `start`. Raises MeasurementInvalid."""
        return self._bank.end(start)

    def close(self) -> None:
        """Stop the thread and let go of the sensor, which gives its descriptors back."""
        self._resources.close()

    def _let_go(self) -> None:
        with _quietly():
            self._bank = CounterBank((), clock=self._clock)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what pyRAPL says from the user: invalid escapes, files that it does not close, libraries that it lacks."""
    kept = logging.root.handlers[:]
    logging.root.handlers[:] = [logging.NullHandler()]  # with a handler there, it adds none of its own
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.handlers[:] = kept


def _import_pyrapl() -> Any:
    try:
        with _quietly():
            import pyRAPL  # noqa: PLC0415  only where it is asked for
    except ImportError as error:
        raise MeterUnavailable(
            f"pyRAPL cannot be imported: {error}.",
            why="The meter pyrapl reads the counters through it.",
            fix="pip install 'energygate[pyrapl]'; or use --energy-meters=rapl, which needs nothing.",
        ) from error
    return pyRAPL


def _watch(pyrapl: Any, zones: Sequence[Zone], *, at_s: float) -> list[Counter]:
    """Give a counter for each zone, or refuse: nothing of an exception outlives the quiet, where its files close."""
    with _quietly():
        try:
            return _counters(pyrapl.Sensor(), zones, at_s=at_s)
        except pyrapl.PyRAPLException:
            found = ", ".join(zone.folder.name for zone in zones if zone.part == "cpu")
            refusal = _refused(f"it wants one zone for each socket, numbered without gaps, and there are {found}.")
        except OSError as error:
            refusal = _refused(f"{error.filename}: {error.strerror}.")
        except MeasurementInvalid as error:
            refusal = _refused(error.sentence)
    raise refusal


def _refused(reason: str) -> MeterUnavailable:
    return MeterUnavailable(
        f"pyRAPL does not read these counters: {reason}",
        why="It would leave energy out, or give other energy than that of these processors.",
        fix="Use --energy-meters=rapl, which reads them.",
    )


def _counters(sensor: Any, zones: Sequence[Zone], *, at_s: float) -> list[Counter]:
    """Pair slots with zones. Raises MeasurementInvalid where there are others, or others are counted in them."""
    wanted = {_slot(zone): zone for zone in zones}
    found = [slot for slot, energy_uj in enumerate(_energy_uj(sensor)) if energy_uj >= 0]  # -1 is an absent one
    if found != sorted(wanted):
        _mismatch(f"it reads {_listed(found)}, and there are {_listed(sorted(wanted))}.")
    for slot, zone in wanted.items():
        _require_same(sensor, slot, zone)
    return [Counter(zone.spec, partial(_slot_uj, sensor, slot), at_s=at_s) for slot, zone in wanted.items()]


def _slot(zone: Zone) -> int:
    """Where the zone's energy stands in pyRAPL's flat list: package 0, DRAM 0, package 1, DRAM 1, and so on."""
    return 2 * zone.package + (zone.part == "dram")


def _listed(slots: Sequence[int]) -> str:
    return ", ".join(f"{'dram' if slot % 2 else 'package'}-{slot // 2}" for slot in slots)


def _require_same(sensor: Any, slot: int, zone: Zone) -> None:
    """Read the zone, the slot, and the zone again: the slot's value must lie between."""
    with closing(EnergyFile(zone)) as file:
        before_uj, value_uj, after_uj = file.read_uj(), _slot_uj(sensor, slot), file.read_uj()
    wrapped = after_uj < before_uj
    inside = (value_uj >= before_uj or value_uj <= after_uj) if wrapped else before_uj <= value_uj <= after_uj
    if not inside:
        _mismatch(f"its {zone.domain} is not what {zone.folder / 'energy_uj'} counts.")


def _mismatch(reason: str) -> NoReturn:
    raise MeasurementInvalid(InvalidCode.READ_ERROR, reason)


def _slot_uj(sensor: Any, slot: int) -> int:
    return _energy_uj(sensor)[slot]


def _energy_uj(sensor: Any) -> list[int]:
    """All slots in microjoules, whatever pyRAPL's documentation says. Raises MeasurementInvalid."""
    try:
        return [int(energy_uj) for energy_uj in sensor.energy()]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no number"
        raise MeasurementInvalid(
            InvalidCode.READ_ERROR, f"pyRAPL cannot read a counter: {reason}. Package energy is unknown."
        ) from error
