"""Held `energy_uj` files, and which of one domain repeat each other."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.rapl import faults
from energygate.meters.rapl.zones import Zone

_LOOKS: Final = 3  # at two counters that may be one
_BETWEEN_LOOKS_S: Final = 0.01
_UNDERSCORE: Final = ord("_")  # int() takes 1_000


class EnergyFile:
    """One held `energy_uj`: the kernel makes a new text for each read at offset 0."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.path = zone.folder / "energy_uj"
        self._largest_uj = sys.maxsize if zone.range_uj is None else zone.range_uj
        self._fd = os.open(self.path, os.O_RDONLY)

    def read_uj(self) -> int:
        """The counter in microjoules. Raises MeasurementInvalid."""
        try:
            text = os.pread(self._fd, 32, 0)
        except OSError as error:
            raise self._invalid(faults.cannot_read(self.path, error)) from error
        try:
            energy_uj = int(text)
        except ValueError as error:
            raise self._invalid(faults.no_number(self.path)) from error
        if not 0 <= energy_uj <= self._largest_uj or _UNDERSCORE in text:
            raise self._invalid(faults.out_of_range(self.path, text, self._largest_uj))
        return energy_uj

    def _invalid(self, sentence: str) -> MeasurementInvalid:
        return MeasurementInvalid(InvalidCode.READ_ERROR, f"{sentence} The energy of {self.zone.domain} is unknown.")

    def repeats(self, other: "EnergyFile", *, sleep: Callable[[float], None]) -> bool:
        """Whether it lies between two readings of `other` around it, three times in a row."""
        modulus_uj = other.zone.spec.modulus_uj or 1 << 64
        for _ in range(_LOOKS):
            before_uj, value_uj, after_uj = other.read_uj(), self.read_uj(), other.read_uj()
            if (value_uj - before_uj) % modulus_uj > (after_uj - before_uj) % modulus_uj:
                return False
            sleep(_BETWEEN_LOOKS_S)
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)


def open_files(zones: Iterable[Zone], resources: ExitStack) -> list[EnergyFile]:
    """Open the zones' counters; `resources` closes them. Raises OSError."""
    files = []
    for zone in zones:
        files.append(EnergyFile(zone))
        resources.callback(files[-1].close)
    return files


def repeated(files: Iterable[EnergyFile], *, sleep: Callable[[float], None]) -> Iterator[tuple[EnergyFile, EnergyFile]]:
    """Each file that repeats an earlier one of its domain, and that one. Raises MeasurementInvalid."""
    for _, group in groupby(files, lambda file: file.zone.domain):
        kept: list[EnergyFile] = []
        for file in group:
            twin = next((other for other in kept if file.repeats(other, sleep=sleep)), None)
            if twin is None:
                kept.append(file)
            else:
                yield file, twin
