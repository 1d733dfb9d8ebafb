"""The latest carbon intensity of a zone, from Electricity Maps: `GET /v3/carbon-intensity/latest`.

Average emissions of the electricity that is consumed in the zone, imports included
(https://portal.electricitymaps.com/developer-hub/api/reference).
"""

import datetime as dt
from typing import Final, Literal

from msgspec import Struct

from energygate.carbon.client import CarbonClient
from energygate.carbon.held import Held
from energygate.model import GramsPerKwh, Intensity, Time

TOKEN: Final = "ENERGYGATE_ELECTRICITYMAPS_TOKEN"  # noqa: S105  the name of the variable
NAME: Final = "Electricity Maps"
_HOLDS: Final = dt.timedelta(hours=1)  # figures are of an hour each


class _Latest(Struct, frozen=True, rename="camel"):
    zone: str
    carbon_intensity: GramsPerKwh
    datetime: Time
    emission_factor_type: Literal["lifecycle", "direct", ""] = ""
    is_estimated: bool = False


def latest(client: CarbonClient, *, zone: str, token: str) -> Held:
    """Ask for the latest figure. Raises IntensityUnknown."""
    answer = client.ask("/v3/carbon-intensity/latest", _Latest, params={"zone": zone}, headers={"auth-token": token})
    if answer.zone != zone:  # a zone that it does not know becomes the one where the question seems to come from
        raise client.malformed(f"it is of another zone than {zone}")
    at = client.moment(answer.datetime)
    intensity = Intensity(
        g_co2e_per_kwh=answer.carbon_intensity,
        source=NAME,
        zone=zone,
        at=at,
        kind="average",
        scope=answer.emission_factor_type,
        estimated=answer.is_estimated,
    )
    return Held(intensity=intensity, until=at + _HOLDS)
