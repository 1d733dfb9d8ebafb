"""Energy in terms people know, as every format shows it: kilowatt-hours, money, carbon. None of it decides (ADR 19).

All is of a thousand requests, or of a thousand iterations where requests are not counted, on the head's side.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Final

from energygate.carbon.sci import embodied_g_co2e, operational_g_co2e, sci_g_co2e, years_to_s
from energygate.model import Evidence, GateReport, Intensity, Metric, Row, Side, Terms
from energygate.report import rows
from energygate.units import format_carbon, format_energy, format_money, format_percent, format_quantity, j_to_kwh

UNKNOWN: Final = "carbon is unknown: "
_EACH: Final = 1000
_UNITS: Final = {Metric.J_PER_REQUEST: "requests", Metric.ENERGY_J: "iterations"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InTerms:
    """What a thousand of a benchmark's functional units take.

    Attributes
    ----------
    unit : str
        `requests` or `iterations`.
    energy_kwh : float
        As measured.
    cost : float or None
        In `currency`, of the energy times the PUE; None where no price is given.
    carbon_g : float or None
        SCI in grams of CO2 equivalents; None where the intensity is not known.
    embodied_g : float or None
        The part of it that making the machine emitted; None where that is not known.
    remark : str
        What the carbon lacks although it was asked for.
    """

    row: Row
    unit: str
    energy_kwh: float
    currency: str = ""
    cost: float | None = None
    carbon_g: float | None = None
    embodied_g: float | None = None
    remark: str = ""

    @property
    def per(self) -> str:
        """Of how many: `1,000 requests`."""
        return f"{_EACH:,} {self.unit}"

    @property
    def energy(self) -> str:
        """The energy with its unit; an estimate says so, as in the other two."""
        return f"{format_energy(self.energy_kwh)}{rows.label_of(self.row)}"

    @property
    def money(self) -> str:
        """The cost; empty where it is not known."""
        return "" if self.cost is None else f"{format_money(self.cost, self.currency)}{rows.label_of(self.row)}"

    @property
    def carbon(self) -> str:
        """The carbon; empty where it is not known."""
        if self.carbon_g is None:
            return ""
        return f"{format_carbon(self.carbon_g)}{rows.label_of(self.row)}{self.remark}"

    @property
    def sentence(self) -> str:
        """All of it: `per 1,000 requests: 1.07 Wh, 0.000307 EUR, 0.495 g CO2e`."""
        return f"per {self.per}: {', '.join(part for part in (self.energy, self.money, self.carbon) if part)}"


def in_terms(report: GateReport) -> tuple[InTerms, ...]:
    """Give each benchmark that was measured; nothing where the report has no terms."""
    if report.terms is None:
        return ()
    evidence = {each.benchmark: each for each in report.evidence}
    lines = (line.row for line in rows.lines(report))
    return tuple(
        _in_terms(row, row.head, report.terms, evidence)
        for row in lines
        if row.head is not None and row.metric in _UNITS and row.how not in {"limit", "anchor"}
    )


def assumptions(report: GateReport, *, quote: Callable[[str], str] = str) -> tuple[str, ...]:
    """Say what the figures rest on, with source and date, and what they do not count.

    Parameters
    ----------
    quote : callable
        Makes names fit for the format that is rendered.
    """
    return () if report.terms is None else tuple(_assumptions(report.terms, quote))


def _in_terms(row: Row, head: float, terms: Terms, evidence: Mapping[str, Evidence]) -> InTerms:
    energy_kwh = j_to_kwh(head * _EACH)
    pue = terms.pue or 1.0
    carbon_g, embodied_g, remark = None, None, ""
    if terms.intensity is not None:
        each_s = None if terms.embodied is None else _reserved_s(row, evidence.get(row.benchmark))
        if terms.embodied is not None and each_s is not None:
            embodied_g = embodied_g_co2e(
                total_g_co2e=terms.embodied.total_g_co2e,
                reserved_s=each_s * _EACH,
                lifespan_s=terms.embodied.lifespan_s,
                share=terms.embodied.share,
            )
        elif terms.embodied is not None:
            remark = " without making the machine, because the report does not say how long it took"
        operational_g = operational_g_co2e(
            energy_kwh=energy_kwh, intensity_g_co2e_per_kwh=terms.intensity.g_co2e_per_kwh, pue=pue
        )
        carbon_g = sci_g_co2e(operational_g=operational_g, embodied_g=embodied_g or 0.0, units=1)
    return InTerms(
        row=row,
        unit=_UNITS[row.metric],
        energy_kwh=energy_kwh,
        currency=terms.currency,
        cost=None if terms.price_per_kwh is None else energy_kwh * pue * terms.price_per_kwh,
        carbon_g=carbon_g,
        embodied_g=embodied_g,
        remark=remark,
    )


def _reserved_s(row: Row, evidence: Evidence | None) -> float | None:
    """How long the machine was busy with one request or iteration, in the trials that count; None where unknown."""
    side = None if evidence is None else _judged(row, evidence)
    points = [] if side is None else [point for point in side.points if point.invalid is None]
    counts = [point.iterations if row.metric is Metric.ENERGY_J else point.work.requests for point in points]
    total = sum(count or 0 for count in counts)
    return fsum(point.duration_s for point in points) / total if total and None not in counts else None


def _judged(row: Row, evidence: Evidence) -> Side | None:
    return evidence.turns[1] if row.how == "interleaved" and evidence.turns is not None else evidence.head


def _assumptions(terms: Terms, quote: Callable[[str], str]) -> Iterator[str]:
    times = "" if terms.pue is None else f", times PUE {terms.pue:g}"
    if terms.price_per_kwh is not None:
        yield f"cost: {terms.price_per_kwh:g} {terms.currency}/kWh{times}"
    if terms.intensity is not None:
        yield f"carbon: {_sourced(terms.intensity, quote)}{times}"
    elif terms.unknown:
        yield f"{UNKNOWN}{quote(terms.unknown)}"
    if terms.intensity is not None and terms.embodied is not None:
        made = terms.embodied
        years = made.lifespan_s / years_to_s(1)
        yield (
            f"carbon also holds making the machine: {format_carbon(made.total_g_co2e)} ({quote(made.source)}) over "
            f"{years:g} years, {format_percent(made.share)} of it reserved for as long as the trials took"
        )
    yield f"not counted: {', '.join(_not_counted(terms))}"


def _sourced(intensity: Intensity, quote: Callable[[str], str]) -> str:
    when = f"{intensity.at:%Y-%m-%d %H:%M %Z}" if intensity.at is not None else f"{intensity.year or 'no date'}"
    kind = [intensity.kind, intensity.scope, "estimated by its source" if intensity.estimated else ""]
    said = ", ".join(part for part in kind if part)
    named = [*([quote(intensity.zone)] if intensity.zone else []), quote(intensity.source), when]
    figure = format_quantity(intensity.g_co2e_per_kwh, "g CO2e/kWh")
    return f"{figure} ({', '.join(named)}{f'; {said}' if said else ''})"


def _not_counted(terms: Terms) -> Iterator[str]:
    yield "what no meter here covers"
    if terms.pue is None:
        yield "cooling and power supply of a data centre (no PUE given)"
    if terms.intensity is not None and terms.embodied is None:
        yield "making the machine"
