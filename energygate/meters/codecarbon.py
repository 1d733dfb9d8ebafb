"""Energy as CodeCarbon estimates it: `codecarbon`, for comparison. The only importer of codecarbon.

An estimate whatever it reads: where a counter cannot be read CodeCarbon goes on with a model of the load and says so
in its log alone, and its own work is in the window. Its energy of memory is a constant, so it is left out.
"""

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.opening import Opening
from energygate.model import MeterKind

_J_PER_KWH: Final = 3.6e6
_STALE_S: Final = 0.05  # CodeCarbon leaves its last reading out where the one before is younger
_GPU_INTERVAL_S: Final = 0.1  # of NVML's counters on current data-centre GPUs
_LONGEST_REASON: Final = 300
_LOGGER: Final = "codecarbon"
_WHY: Final = "Without it there is no estimate."
_FIX: Final = "Use --energy-meters=estimate, which needs nothing; or rapl and nvml, which measure."
_WAYS: Final = {
    "CPU(Intel Rapl)": "CodeCarbon's reading of RAPL",
    "CPU(Cpu Load)": "CodeCarbon's model of the load, no counter",
}
# A user's own configuration of CodeCarbon may not change the number (a PUE multiplies it), send it anywhere, or write
# it to a file, so what could is set here.
_SETTINGS: Final[Mapping[str, Any]] = {
    "country_iso_code": "USA",
    "region": None,
    "cloud_provider": None,
    "cloud_region": None,
    "output_methods": [],
    "output_handlers": [],
    "emissions_endpoint": None,
    "electricitymaps_api_token": None,
    "force_carbon_intensity_g_co2e_kwh": 0.0,  # asks nobody for the grid's
    "log_level": "warning",
    "allow_multiple_runs": True,
    "measure_power_secs": 15.0,
    "tracking_mode": "machine",
    "pue": 1.0,
    "wue": 0.0,
    "gpu_ids": None,
    "force_cpu_power": None,
    "force_ram_power": None,
    "force_mode_cpu_load": False,
    "rapl_include_dram": False,
    "rapl_prefer_psys": False,
}


class CodeCarbon:
    """CPU and GPU energy by CodeCarbon's offline tracker, a new one for each window.

    What a user has configured for CodeCarbon does not change the numbers: a PUE would multiply them, say.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    name = "codecarbon"
    kind: MeterKind = "estimate"
    _new_tracker: Callable[[], Any]

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._log = _Log()
        self._resources = ExitStack()
        self._opening = Opening()
        self._running: list[Any] = []
        self._domains: tuple[Domain, ...] = ()
        self._version = ""

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`cpu-codecarbon`, and `gpu-codecarbon` for all GPUs together where it finds any."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Its version, and how it tells the energy of each domain: another way is another number."""
        return {"version": self._version, **{domain.name: domain.detail for domain in self._domains}}

    @property
    def hardware(self) -> Hardware:
        """Nothing that the machine does not say itself."""
        return Hardware()

    @property
    def notes(self) -> tuple[str, ...]:
        """How it tells the energy of each domain."""
        return tuple(f"{domain.name} is {domain.detail}." for domain in self._domains)

    def open(self) -> None:
        """Let it find its hardware in a first window, which is thrown away. Raises MeterUnavailable."""
        self.close()
        with ExitStack() as resources:
            resources.enter_context(self._log)
            self._new_tracker = partial(_import_tracker(), **_SETTINGS)
            tracker = self._start()
            emissions = self._stop(tracker)
            if emissions is None:
                raise MeterUnavailable(f"CodeCarbon does not start: {self._log.reason}", why=_WHY, fix=_FIX)
            self._domains = tuple(_domains(tracker, emissions))
            self._version = str(emissions.codecarbon_version)
            resources.callback(self._stop_all)
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Start a tracker, which takes tens of milliseconds."""
        tracker = self._start()
        return Reading(window, self._clock(), before=tracker, opening=self._opening)

    def end(self, start: Reading) -> Measured:
        """Stop the tracker. Raises MeasurementInvalid: 0 kWh is what it says of what it cannot read."""
        self._opening.require_whole(start)
        emissions = self._stop(start.before)
        if emissions is None:
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR, f"CodeCarbon gives no energy: {self._log.reason} The energy is unknown."
            )
        kwh = {"cpu": emissions.cpu_energy, "gpu": emissions.gpu_energy}
        return Measured({domain.name: _energy_j(domain, kwh[domain.part]) for domain in self._domains})

    def close(self) -> None:
        """Stop what runs, and let CodeCarbon's log go where it went before."""
        self._resources.close()
        self._opening = Opening()

    def _start(self) -> Any:
        self._log.forget()
        with _no_warnings():
            tracker = self._new_tracker()
            tracker.start()
        self._running.append(tracker)
        return tracker

    def _stop(self, tracker: Any) -> Any:
        """Give what it says in the end, or None: it logs its errors instead of raising them."""
        self._running.remove(tracker)
        with _no_warnings():
            tracker.stop()
        return getattr(tracker, "final_emissions_data", None)

    def _stop_all(self) -> None:
        for tracker in tuple(self._running):
            self._stop(tracker)


class _Log(logging.Filter):
    """Keeps what CodeCarbon logs from the terminal, and remembers why it fails; use it with `with`."""

    def __init__(self) -> None:
        super().__init__()
        self._reason = ""

    @property
    def reason(self) -> str:
        """The first exception since `forget`, as a sentence: what follows it is only its consequence."""
        return self._reason or "it does not say why."

    def forget(self) -> None:
        """A new window begins."""
        self._reason = ""

    def __enter__(self) -> Self:
        logging.getLogger(_LOGGER).addFilter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger(_LOGGER).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let nothing through. An exception that CodeCarbon caught says more than the words around it."""
        if record.exc_info and record.exc_info[1] and not self._reason:
            error = record.exc_info[1]
            self._reason = _sentence(f"{type(error).__name__}: {error}")
        return False


@contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _import_tracker() -> Any:
    try:
        with _no_warnings():
            from codecarbon import OfflineEmissionsTracker  # noqa: PLC0415  seconds, only where it is asked for
    except ImportError as error:
        raise MeterUnavailable(
            f"CodeCarbon cannot be imported: {error}.",
            why="The meter codecarbon is its estimate.",
            fix=f"pip install 'energygate[codecarbon]'. {_FIX}",
        ) from error
    return OfflineEmissionsTracker


def _domains(tracker: Any, emissions: Any) -> Iterator[Domain]:
    # No public name tells by what it measures, and that decides what the number means.
    ways = [repr(part) for part in getattr(tracker, "_hardware", ())]
    cpu = next((way for way in ways if way.startswith("CPU(")), None)
    if cpu is None:
        raise MeterUnavailable("CodeCarbon does not say how it tells the processor's energy.", why=_WHY, fix=_FIX)
    yield Domain(
        name="cpu-codecarbon", part="cpu", update_interval_s=_STALE_S, detail=_WAYS.get(cpu, "a constant, no counter")
    )
    if emissions.gpu_count:
        yield Domain(
            name="gpu-codecarbon", part="gpu", update_interval_s=_GPU_INTERVAL_S, detail="CodeCarbon's reading of NVML"
        )


def _energy_j(domain: Domain, energy_kwh: float | None) -> float:
    if energy_kwh is None or not math.isfinite(energy_kwh) or energy_kwh <= 0:
        raise MeasurementInvalid(
            InvalidCode.READ_ERROR,
            f"CodeCarbon says {energy_kwh} kWh for {domain.name}, as it does for what it cannot read: the energy is "
            "unknown.",
        )
    return energy_kwh * _J_PER_KWH


def _sentence(text: str) -> str:
    """One printable line, bounded, with a full stop."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"{line[:_LONGEST_REASON].rstrip(' .')}."
