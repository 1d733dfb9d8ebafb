"""Whether two ways of reading the same counters agree, and what pyRAPL does to an environment: for `doctor`."""

import importlib.metadata
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from energygate.meters.base import Meter, Reading, Window
from energygate.units import format_change

TOLERANCE: Final = 0.005  # each end of the 2 s may miss one refresh of 1 ms: 0.1 %
_PYRAPL: Final = "pyRAPL"
_TESTS: Final = "tests/__init__.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What two meters said of the same seconds.

    Attributes
    ----------
    first, second : str
        The meters.
    ratios : mapping of domain to float
        Power by the second meter over that by the first; infinite or NaN where a domain is missing or has no energy.
    """

    first: str
    second: str
    ratios: Mapping[str, float]

    @property
    def agrees(self) -> bool:
        """Whether no domain is more than 0.5 % apart."""
        return all(abs(ratio - 1) <= TOLERANCE for ratio in self.ratios.values())

    @property
    def sentence(self) -> str:
        """What a person is told, with what to do if they don't agree."""
        if self.agrees:
            furthest = max(self.ratios.values(), key=lambda ratio: abs(ratio - 1))
            return f"{self.second} agrees with {self.first}: {format_change(furthest)} where they are furthest apart."
        apart = ", ".join(
            f"{domain} {_told(ratio)}" for domain, ratio in self.ratios.items() if not abs(ratio - 1) <= TOLERANCE
        )
        return (
            f"{self.second} does not agree with {self.first} over the same seconds: {apart}. One of them does not "
            f"read this machine's counters right. Measure with neither until it is known which; {self.first} shows "
            "the files that it reads in `energygate doctor`."
        )


def cross_check(
    first: Meter,
    second: Meter,
    *,
    seconds: float = 2.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Agreement:
    """Measure the same seconds by both, each closed before and after.

    The second one ends when the first has looked whether its counters still move, a few milliseconds later: so powers
    are compared.

    Raises
    ------
    MeterUnavailable
        One of them cannot measure here.
    MeasurementInvalid
        One of them had a fault in these seconds.
    """
    with ExitStack() as opened:
        for meter in (first, second):
            meter.open()
            opened.callback(meter.close)
        starts = first.begin(Window()), second.begin(Window())
        sleep(seconds)
        one_w, other_w = (_power_w(*each, clock=clock) for each in zip((first, second), starts, strict=True))
    domains = dict.fromkeys([*one_w, *other_w])
    ratios = {domain: _ratio(one_w.get(domain), other_w.get(domain)) for domain in domains}
    return Agreement(first=first.name, second=second.name, ratios=ratios)


def shadowed_tests() -> str | None:
    """Say that pyRAPL's top-level package `tests` is installed in this environment, and the fix; None if it is not."""
    try:
        files = importlib.metadata.files(_PYRAPL) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    installed = next((Path(file.locate()) for file in files if file.as_posix() == _TESTS), None)
    if installed is None or not installed.exists():
        return None
    return (
        f"pyRAPL has installed a package `tests` ({installed.parent}), which Python may find instead of your own: "
        "`from tests import helpers` then fails. Delete that folder; or `pip uninstall pyRAPL` and measure with rapl."
    )


def _power_w(meter: Meter, start: Reading, *, clock: Callable[[], float]) -> dict[str, float]:
    elapsed_s = clock() - start.at_s  # counters are read at once, and then looked at
    return {domain: used_j / elapsed_s for domain, used_j in meter.end(start).energy_j.items()}


def _ratio(one_w: float | None, other_w: float | None) -> float:
    if one_w is None or other_w is None:
        return math.nan
    return other_w / one_w if one_w else math.inf


def _told(ratio: float) -> str:
    if math.isnan(ratio):
        return "only by one of them"
    return format_change(ratio) if math.isfinite(ratio) else "no energy by the first"
