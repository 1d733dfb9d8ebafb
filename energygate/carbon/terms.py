"""Settings -> the terms of a report: whatever has to be asked for is asked here, and what is not known says why."""

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from energygate.carbon import electricity_maps, watttime
from energygate.carbon.client import CarbonClient, Transport
from energygate.carbon.factors import yearly
from energygate.carbon.held import Held, HeldAnswers
from energygate.carbon.options import (
    ElectricityMapsCarbon,
    EmbodiedOptions,
    StaticCarbon,
    TermsOptions,
    WattTimeCarbon,
    amount,
)
from energygate.carbon.sci import years_to_s
from energygate.errors import IntensityUnknown
from energygate.model import Embodied, Intensity, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a live figure needs of the outside.

    Attributes
    ----------
    environ : mapping of str to str
        Holds the keys.
    now : datetime
    held : HeldAnswers
        Answers that may still hold.
    transport : Transport, optional
        What carries the questions.
    timeout_s : float
        How long each answer may take.
    """

    environ: Mapping[str, str]
    now: dt.datetime
    held: HeldAnswers
    transport: Transport | None = None
    timeout_s: float = 5.0


def terms_of(options: TermsOptions, outside: Outside) -> Terms:
    """Give what a report shows energy by. A service that gives no figure leaves the carbon unknown: nothing fails."""
    price, _, currency = (options.price or "").partition("/")[0].partition(" ")
    intensity, unknown = None, ""
    if options.carbon is not None:
        try:
            intensity = _intensity(options.carbon, outside)
        except IntensityUnknown as error:
            unknown = str(error)
    return Terms(
        price_per_kwh=float(price) if price else None,
        currency=currency,
        pue=options.pue,
        intensity=intensity,
        unknown=unknown,
        embodied=None if options.embodied is None else _embodied(options.embodied),
    )


def _embodied(options: EmbodiedOptions) -> Embodied:
    return Embodied(
        total_g_co2e=options.total_kg * 1000,
        lifespan_s=years_to_s(options.lifespan_years),
        share=float(options.share),
        source=options.reference,
    )


def _intensity(carbon: StaticCarbon | ElectricityMapsCarbon | WattTimeCarbon, outside: Outside) -> Intensity:
    match carbon:
        case StaticCarbon():
            return _static(carbon)
        case ElectricityMapsCarbon():
            token = _variable(electricity_maps.TOKEN, outside)
            ask = partial(electricity_maps.latest, zone=carbon.zone, token=token)
            return _live(carbon, electricity_maps.NAME, electricity_maps.TOKEN, ask, outside)
        case WattTimeCarbon():
            user, password = _variable(watttime.USER, outside), _variable(watttime.PASSWORD, outside)
            ask = partial(watttime.current, zone=carbon.zone, user=user, password=password)
            return _live(carbon, watttime.NAME, f"{watttime.USER} and {watttime.PASSWORD}", ask, outside)


def _static(carbon: StaticCarbon) -> Intensity:
    if carbon.intensity is None or carbon.reference is None:
        return yearly(carbon.zone or "")
    return Intensity(
        g_co2e_per_kwh=amount(carbon.intensity),
        source=carbon.reference,
        zone=carbon.zone or "",
        year=carbon.year,
        kind=carbon.kind or "",
    )


def _live(
    carbon: ElectricityMapsCarbon | WattTimeCarbon,
    name: str,
    credentials: str,
    ask: Callable[[CarbonClient], Held],
    outside: Outside,
) -> Intensity:
    question = f"{name} {carbon.url} {carbon.zone}"
    if (known := outside.held.get(question, now=outside.now)) is not None:
        return known
    client = CarbonClient(
        name=name,
        url=carbon.url,
        credentials=credentials,
        now=outside.now,
        timeout_s=outside.timeout_s,
        transport=outside.transport,
    )
    with closing(client):
        held = ask(client)
    outside.held.put(question, held, now=outside.now)
    return held.intensity


def _variable(name: str, outside: Outside) -> str:
    value = outside.environ.get(name, "").strip()
    if not value:
        raise IntensityUnknown(f"{name} is not set.", fix="Give the job its key, in the environment alone.")
    if not (value.isascii() and value.isprintable()):
        raise IntensityUnknown(f"{name} holds characters that no key has.", fix="Set it anew.")
    return value
