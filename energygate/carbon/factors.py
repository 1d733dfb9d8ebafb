"""Grid intensities of a few countries for a whole year: for whoever has neither a figure nor a key.

Lifecycle emissions of all electricity generated in the country in 2025, without imports. From the energy data set of
Our World in Data (https://github.com/owid/energy-data, column `carbon_intensity_elec` of `owid-energy-data.csv` at
commit e7897aed55b514b8d16e0a3d8f1518789ac3de31), whose source is Ember's Yearly Electricity Data (2026); both are
published under CC BY 4.0. A figure is added here only from that file, with its year.
"""

from collections.abc import Mapping
from typing import Final

from energygate.model import Intensity

SOURCE: Final = "Ember via Our World in Data"
_YEAR: Final = 2025
_G_CO2E_PER_KWH: Final[Mapping[str, float]] = {"DE": 329.65, "FR": 41.44, "GB": 217.41, "US": 384.4}
ZONES: Final = tuple(_G_CO2E_PER_KWH)


def yearly(zone: str) -> Intensity:
    """Give the intensity of one of `ZONES`."""
    return Intensity(
        g_co2e_per_kwh=_G_CO2E_PER_KWH[zone], source=SOURCE, zone=zone, year=_YEAR, kind="average", scope="lifecycle"
    )
