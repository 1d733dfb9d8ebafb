"""energygate: an energy-regression gate for CI. Joules per request and per token, judged by statistics.

The names below load what they need when they are used, so that importing the package costs next to nothing.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from energygate.api import compare as compare
    from energygate.api import measure as measure
    from energygate.api import open_meters as open_meters
    from energygate.errors import EnergyGateError as EnergyGateError
    from energygate.errors import MeasurementInvalid as MeasurementInvalid
    from energygate.errors import MeterUnavailable as MeterUnavailable
    from energygate.model import GateReport as GateReport
    from energygate.model import Run as Run
    from energygate.policy import Policy as Policy

_HOMES = {
    "compare": "energygate.api",
    "measure": "energygate.api",
    "open_meters": "energygate.api",
    "EnergyGateError": "energygate.errors",
    "MeasurementInvalid": "energygate.errors",
    "MeterUnavailable": "energygate.errors",
    "Policy": "energygate.policy",
    "GateReport": "energygate.model",
    "Run": "energygate.model",
}
__all__ = list(_HOMES)


class _Package(ModuleType):
    """Keeps `measure` and `compare` the public functions when the modules of those names are imported (ADR 12)."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  lazy: this file is on pytest's start-up path

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
