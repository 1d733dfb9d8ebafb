"""The Software Carbon Intensity: SCI = ((E x I) + M) per R. Pure arithmetic.

Names and definitions are those of the Green Software Foundation's specification, version 1.1
(https://sci.greensoftware.foundation; as a standard, ISO/IEC 21031).
"""

from typing import Final

_S_PER_YEAR: Final = 365 * 24 * 3600.0  # the specification's own examples have years of 365 days


def years_to_s(years: float) -> float:
    """Years of 365 days to seconds, as the specification reckons a lifespan."""
    return years * _S_PER_YEAR


def operational_g_co2e(*, energy_kwh: float, intensity_g_co2e_per_kwh: float, pue: float = 1.0) -> float:
    """Carbon of the energy that was used: O = E x I.

    Parameters
    ----------
    energy_kwh : float
        E, as it was measured at the hardware.
    intensity_g_co2e_per_kwh : float
        I, of the grid that supplies it.
    pue : float
        What the data centre draws for each kilowatt-hour that reaches the hardware: it multiplies E.

    Returns
    -------
    float
        Grams of CO2 equivalents.
    """
    return energy_kwh * pue * intensity_g_co2e_per_kwh


def embodied_g_co2e(*, total_g_co2e: float, reserved_s: float, lifespan_s: float, share: float) -> float:
    """Share of what making the hardware emitted: M = TE x (TiR / EL) x (RR / ToR).

    Parameters
    ----------
    total_g_co2e : float
        TE, of all hardware that was reserved.
    reserved_s : float
        TiR, how long it was reserved.
    lifespan_s : float
        EL, how long it is expected to be in use.
    share : float
        RR / ToR, the fraction of it that was reserved.

    Returns
    -------
    float
        Grams of CO2 equivalents.
    """
    return total_g_co2e * (reserved_s / lifespan_s) * share


def sci_g_co2e(*, operational_g: float, embodied_g: float, units: float) -> float:
    """Carbon for each functional unit: ((E x I) + M) per R.

    Parameters
    ----------
    units : float
        R, how many requests or iterations both parts are of.
    """
    return (operational_g + embodied_g) / units
