"""The current marginal carbon intensity of a region, from WattTime: `GET /login`, then `GET /v3/forecast`.

The first point of a forecast is of the current period (https://docs.watttime.org). Its signal `co2_moer` is the
emissions of the plants that answer a change of demand, in pounds of CO2 for a megawatt-hour: not comparable with an
average, and of CO2 alone.
"""

import datetime as dt
from typing import Annotated, Final

from msgspec import Meta, Struct

from energygate.carbon.client import CarbonClient
from energygate.carbon.held import Held
from energygate.model import GramsPerKwh, Intensity, Time
from energygate.units import lb_per_mwh_to_g_per_kwh

USER: Final = "ENERGYGATE_WATTTIME_USER"
PASSWORD: Final = "ENERGYGATE_WATTTIME_PASSWORD"  # noqa: S105  the name of the variable
NAME: Final = "WattTime"
_SIGNAL: Final = "co2_moer"
_UNITS: Final = "lbs_co2_per_mwh"


class _Login(Struct, frozen=True):
    token: str


class _Point(Struct, frozen=True):
    point_time: Time
    value: GramsPerKwh  # pounds for a megawatt-hour are of the same size


class _Meta(Struct, frozen=True):
    region: str
    units: str
    signal_type: str
    data_point_period_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 300.0


class _Forecast(Struct, frozen=True):
    data: tuple[_Point, ...]
    meta: _Meta


def current(client: CarbonClient, *, zone: str, user: str, password: str) -> Held:
    """Ask for the current figure. Raises IntensityUnknown."""
    token = client.ask("/login", _Login, login=(user, password)).token
    if not (token.isascii() and token.isprintable() and token):
        raise client.malformed("its token can be none")
    forecast = client.ask(
        "/v3/forecast",
        _Forecast,
        params={"region": zone, "signal_type": _SIGNAL},
        headers={"Authorization": f"Bearer {token}"},
    )
    meta = forecast.meta
    if (meta.region, meta.signal_type) != (zone, _SIGNAL):
        raise client.malformed(f"it is of another zone than {zone}, or of another signal than {_SIGNAL}")
    if meta.units != _UNITS:
        raise client.malformed(f"its unit is not {_UNITS}")
    if not forecast.data:
        raise client.malformed("it has no figure")
    first = forecast.data[0]
    at = client.moment(first.point_time)
    intensity = Intensity(
        g_co2e_per_kwh=lb_per_mwh_to_g_per_kwh(first.value),
        source=f"{NAME}, CO2 alone",
        zone=zone,
        at=at,
        kind="marginal",
    )
    return Held(intensity=intensity, until=at + dt.timedelta(seconds=meta.data_point_period_seconds))
