"""The only place that converts or formats a quantity (ADR 1)."""

import math
import re
from typing import Final

MINUS: Final = "\N{MINUS SIGN}"
_PREFIXES: Final = ((1e-5, "\N{MICRO SIGN}", 1e6), (1e-2, "m", 1e3), (math.inf, "", 1.0))
_MOST_RATIO: Final = 1e6  # shown as a percentage
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def uj_to_j(energy_uj: float) -> float:
    """Microjoules to joules."""
    return energy_uj / 1e6


def mj_to_uj(energy_mj: int) -> int:
    """Millijoules to microjoules, exactly."""
    return energy_mj * 1000


def j_to_kwh(energy_j: float) -> float:
    """Joules to kilowatt-hours."""
    return energy_j / 3.6e6


def lb_per_mwh_to_g_per_kwh(lb_per_mwh: float) -> float:
    """Pounds for a megawatt-hour to grams for a kilowatt-hour; a pound is 453.59237 g by definition."""
    return lb_per_mwh * 0.45359237


def parse_percent(text: object) -> float:
    """Read a percentage written ``5%`` as the fraction 0.05.

    Raises
    ------
    ValueError
        For anything else, a bare number included: ``5`` could mean 5 % or 500 %.
    """
    match = _PERCENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"expected a percentage such as 5%, got {text!r}")
    return float(match[1]) / 100


def format_quantity(value: float, unit: str, *, like: float | None = None) -> str:
    """Three significant digits and the unit: ``3.42 J/token``; small values in thousandths: ``4.36 mJ``.

    Parameters
    ----------
    like : float, optional
        A value whose thousandths to use, so that two that are compared have one unit.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    prefix, factor = _prefix(like or value)
    rounded = float(f"{value * factor:.2e}")
    return f"{_written(rounded, _decimals(rounded))}".replace("-", MINUS) + f" {prefix}{unit}"


def shown_unit(size: float, unit: str) -> tuple[str, float]:
    """Give the unit in which a value of that size is shown, and how many of it are one: ``("mJ", 1000.0)``."""
    prefix, factor = _prefix(size)
    return f"{prefix}{unit}", factor


def format_energy(energy_kwh: float) -> str:
    """Energy as an electricity bill has it: ``1.07 Wh``, from a thousand of them on ``2.41 kWh``."""
    return format_quantity(energy_kwh, "kWh") if energy_kwh >= 1 else format_quantity(energy_kwh * 1e3, "Wh")


def format_carbon(mass_g: float) -> str:
    """Mass of CO2 equivalents: ``5.12 mg CO2e``, ``0.412 g CO2e``, ``1.21 kg CO2e``."""
    return format_quantity(mass_g / 1e3, "kg CO2e") if mass_g >= 1e3 else format_quantity(mass_g, "g CO2e")


def format_money(amount: float, currency: str) -> str:
    """Three significant digits and no prefix, which no currency has: ``0.000256 EUR``."""
    if amount == 0 or not math.isfinite(amount):
        return f"{amount:g} {currency}"
    rounded = float(f"{amount:.2e}")
    return f"{_written(rounded, _decimals(rounded))} {currency}"


def format_uncertainty(uncertainty: float, unit: str, *, of: float, like: float | None = None) -> str:
    """As many decimals as `of` is shown with, and its unit: ``0.05 J/request`` of ``3.20 J/request``.

    Parameters
    ----------
    of : float
        The value that is uncertain by so much.
    like : float, optional
        As in `format_quantity`.
    """
    prefix, factor = _prefix(like or of)
    decimals = _decimals(float(f"{of * factor:.2e}"))
    last_digit = 10.0**-decimals
    if uncertainty * factor < last_digit:
        return f"less than {_written(last_digit, decimals)} {prefix}{unit}"
    return f"{_written(uncertainty * factor, decimals)} {prefix}{unit}"


def _prefix(size: float) -> tuple[str, float]:
    """The prefix of the unit in which a value of that size is shown, and how many of it are one."""
    return next((prefix, factor) for below, prefix, factor in _PREFIXES if abs(size) < below or below == math.inf)


def _written(value: float, decimals: int) -> str:
    """With as many decimals, unless that would be a line of zeros."""
    if value and not 1e-9 < abs(value) < 1e15:
        return f"{value:.2e}"
    return f"{value:.{max(decimals, 0)}f}"


def _decimals(rounded: float) -> int:
    """How many decimals three significant digits have; fewer than none for large values, two for nothing at all."""
    return 2 - math.floor(math.log10(abs(rounded))) if rounded else 2


def format_change(ratio: float) -> str:
    """Render a ratio as a signed percentage with one decimal: ``+4.1 %``; beyond all percentages as a factor."""
    if _MOST_RATIO <= ratio < math.inf:
        return f"\N{MULTIPLICATION SIGN} {ratio:.3g}"
    percent = round((ratio - 1) * 100, 1)
    if percent == 0:
        return "0.0 %"
    return f"{percent:+.1f} %".replace("-", MINUS)


def accepted_size(ratio: float | None) -> str:
    """Say what somebody accepts: `increase of 4.1 %`; `new level` where there is no step, or none is known."""
    change = "0.0 %" if ratio is None else format_change(ratio)
    if change.startswith("\N{MULTIPLICATION SIGN}"):
        return f"increase {change}"
    word = {"+": "increase of ", MINUS: "decrease of "}.get(change[0], "")
    return f"{word}{change[1:]}" if word else "new level"


def format_percent(fraction: float) -> str:
    """Render a fraction as a percentage in the shortest form: ``5 %``, ``2.5 %``."""
    return f"{fraction * 100:.3g} %"


def format_p(p_value: float) -> str:
    """Render a p-value in three significant digits: ``0.164``, ``0.0503``, ``< 0.001``."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3g}"
