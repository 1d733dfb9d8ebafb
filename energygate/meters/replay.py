"""Recorded windows, played back: `replay:FILE`."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from energygate.errors import ConfigError, InvalidCode, MeasurementInvalid
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.opening import Opening
from energygate.model import Joules, MeterKind, Seconds


class RecordedWindow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: joules by domain and seconds of one window, of one benchmark or of whichever asks."""

    energy_j: Annotated[dict[str, Joules], Meta(min_length=1)]
    duration_s: Seconds
    benchmark: str | None = None


class Replay:
    """Plays a JSON Lines file, one measured window a line.

    A benchmark takes the lines with its own name first, then those without a name, each in file order. Warm-up windows
    take none.

    Parameters
    ----------
    path : Path
        The file.
    clock : callable
        Monotonic seconds; only the start of a window is told by it.
    played : int
        How many windows of each benchmark were played before, by processes that measured other blocks.
    """

    name = "replay"
    kind: MeterKind = "replay"

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic, played: int = 0) -> None:
        self._path = path
        self._played_before = played
        self._clock = clock
        self._opening = Opening()
        self._domains: tuple[Domain, ...] = ()
        self._lines: dict[str | None, deque[RecordedWindow]] = {}
        self._first: dict[str, RecordedWindow] = {}

    @property
    def domains(self) -> tuple[Domain, ...]:
        """All domains in the file, in the order of their first appearance."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Nothing: the kind must agree, not the file."""
        return {}

    @property
    def hardware(self) -> Hardware:
        """Nothing that the machine does not say itself."""
        return Hardware()

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def open(self) -> None:
        """Read and check the whole file. Raises ConfigError with file and line."""
        self.close()
        windows = read_windows(self._path)
        names = dict.fromkeys(name for window in windows for name in window.energy_j)
        self._domains = tuple(Domain(name=name, part=_part(name)) for name in names)
        self._lines, self._first = {}, {}
        for window in windows:
            self._lines.setdefault(window.benchmark, deque()).append(window)
        for lines in self._lines.values():
            for _ in range(min(self._played_before, len(lines))):
                lines.popleft()

    def begin(self, window: Window) -> Reading:
        """Nothing is read before the end."""
        return Reading(window, self._clock(), opening=self._opening)

    def end(self, start: Reading) -> Measured:
        """Take the next line of the window's benchmark. Raises MeasurementInvalid where there is none."""
        self._opening.require_whole(start)
        if start.window.warm_up:
            return Measured()
        benchmark = start.window.benchmark
        for key in (benchmark, None):
            if lines := self._lines.get(key):
                return self._played(lines.popleft(), benchmark)
        raise MeasurementInvalid(
            InvalidCode.REPLAY_EXHAUSTED,
            f"{self._path} has no line left for {benchmark or 'this window'}. Add a line for each trial, or ask for "
            "fewer with --energy-trials.",
        )

    def close(self) -> None:
        """Play to no window that is open: the file begins anew with the next `open`."""
        self._opening = Opening()

    def _played(self, line: RecordedWindow, benchmark: str) -> Measured:
        first = self._first.setdefault(benchmark, line)
        if line.energy_j.keys() != first.energy_j.keys():
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR,
                f"{self._path} gives {benchmark or 'this window'} the domains {_listed(line)} after {_listed(first)}: "
                "a missing domain is unknown energy.",
            )
        return Measured(line.energy_j, line.duration_s)


def read_windows(path: Path) -> tuple[RecordedWindow, ...]:
    """Read and check a file of recorded windows; empty lines are passed over.

    Raises
    ------
    ConfigError
        ``FILE:LINE: …`` for a line that is no recorded window, or has other domains than its benchmark's first.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(
            f"Cannot read {path}: {error.strerror}.",
            why="There is nothing to replay.",
            fix="Name a file of recorded windows: --energy-meters=replay:FILE.",
        ) from error
    windows = {number: _window(path, number, line) for number, line in enumerate(lines, 1) if line.strip()}
    if not windows:
        raise ConfigError(f"{path} is empty.", why="There is nothing to replay.", fix="Write one window a line.")
    _check_domains(path, windows)
    return tuple(windows.values())


def _window(path: Path, number: int, line: bytes) -> RecordedWindow:
    try:
        return msgspec.json.decode(line, type=RecordedWindow)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}:{number}: {error}.",
            why="A line that is not understood cannot stand for a measurement.",
            fix='Write {"energy_j": {"package-0": 101.2}, "duration_s": 3.2}, with "benchmark" if it serves one alone.',
        ) from error


def _check_domains(path: Path, windows: Mapping[int, RecordedWindow]) -> None:
    first: dict[str | None, tuple[int, RecordedWindow]] = {}
    for number, window in windows.items():
        first_number, first_window = first.setdefault(window.benchmark, (number, window))
        if window.energy_j.keys() != first_window.energy_j.keys():
            raise ConfigError(
                f"{path}:{number}: domains {_listed(window)}, but line {first_number} of the same benchmark has "
                f"{_listed(first_window)}.",
                why="A missing domain is unknown energy, not zero.",
                fix="Give every line of a benchmark the same domains.",
            )


def _listed(window: RecordedWindow) -> str:
    return ", ".join(sorted(window.energy_j))


def _part(name: str) -> Literal["cpu", "dram", "gpu"]:
    if name.startswith("dram"):
        return "dram"
    return "gpu" if name.startswith("gpu") else "cpu"
