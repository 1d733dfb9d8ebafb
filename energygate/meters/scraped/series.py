"""The series that are measured: their samples, how often they are refreshed, and which of them are left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Domain
from energygate.meters.options import PrometheusOptions
from energygate.meters.scraped.api import PrometheusApi
from energygate.meters.scraped.scrapes import Rhythm, Samples, Span, Unscrapable, mirror, rhythm_of, samples_of, used_j
from energygate.meters.scraped.source import Labels, Source, domain_of
from energygate.meters.scraped.sources import find_sources, preset_of, selectors

LEARNED_S: Final = 600.0
_NO_RANGE: Final = (
    "If it only wrapped: the exporter does not say where it wraps, `preset: custom` with range_j does "
    "(/sys/class/powercap/intel-rapl:0/max_energy_range_uj)."
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A series that is measured."""

    source: Source
    rhythm: Rhythm
    prompt: bool

    def used_j(self, found: Mapping[Labels, Samples], span: Span) -> float:
        """Tell the joules of a window. Raises Unscrapable and MeasurementInvalid."""
        samples = samples_in(found, self.source)
        try:
            return used_j(samples, self.source.spec(self.rhythm), span, self.rhythm, prompt=self.prompt)
        except Unscrapable as refusal:
            raise _named(self.source, refusal) from refusal
        except MeasurementInvalid as fault:
            if fault.code is not InvalidCode.COUNTER_RESET or self.source.range_j is not None:
                raise
            raise MeasurementInvalid(fault.code, f"{fault.sentence} {_NO_RANGE}") from fault

    def due_s(self, found: Mapping[Labels, Samples], now_s: float) -> float:
        """Seconds until its next sample should be there; a tenth of that long if it is late."""
        known = found.get(self.source.labels)
        due_s = known.at_s[-1] + self.rhythm.scrape_s - now_s if known else 0.0
        return due_s if due_s > 0 else self.rhythm.scrape_s / 10

    def has(self, found: Mapping[Labels, Samples], enough: Callable[[Samples], bool]) -> bool:
        """Whether it was found, with samples enough."""
        known = found.get(self.source.labels)
        return known is not None and enough(known)


@dataclass(frozen=True, slots=True)
class Learned:
    """All series that are measured, sorted by domain, and one sentence for each that is left out."""

    watched: tuple[Watched, ...]
    notes: tuple[str, ...]

    @property
    def by_domain(self) -> tuple[tuple[Watched, ...], ...]:
        """The shares of each domain."""
        return tuple(tuple(group) for _, group in groupby(self.watched, key=lambda each: each.source.domain))

    def domains(self, *, min_scrapes: int) -> tuple[Domain, ...]:
        """Sum each domain up."""
        return tuple(
            domain_of([each.source for each in shares], [each.rhythm for each in shares], min_scrapes=min_scrapes)
            for shares in self.by_domain
        )


def learn(options: PrometheusOptions, api: PrometheusApi, *, until_s: float) -> Learned:
    """Find the series, and look at what they did in the last 10 min. Raises Unscrapable."""
    sources = find_sources(options, [api.series(selector) for selector in selectors(options)])
    found = samples_of_all(options, api, sources, until_s=until_s, span_s=LEARNED_S)
    notes: list[str] = []
    counting = list(sources) if options.preset == "custom" else _without_zeros(sources, found, notes)
    kept = _without_mirrors(counting, found, notes)
    preset = preset_of(options)
    watched = tuple(Watched(each, _rhythm(each, found, slow=preset.slow), preset.prompt) for each in kept)
    return Learned(watched, tuple(notes))


def samples_of_all(
    options: PrometheusOptions, api: PrometheusApi, sources: Sequence[Source], *, until_s: float, span_s: float
) -> dict[Labels, Samples]:
    """Samples of the `span_s` seconds until `until_s`, of those series that have any. Raises Unscrapable."""
    values: dict[Labels, list[tuple[float, str]]] = {}
    for selector in selectors(options):
        values |= api.samples(selector, span_s=span_s, at_s=until_s)
    return {source.labels: _converted(source, values[source.labels]) for source in sources if source.labels in values}


def samples_in(found: Mapping[Labels, Samples], source: Source) -> Samples:
    """Samples of one series. Raises Unscrapable where it has none."""
    if source.labels not in found:
        raise Unscrapable(f"{source.text} has no samples any more.", fix="Look whether its target is up.")
    return found[source.labels]


def _without_zeros(sources: Sequence[Source], found: Mapping[Labels, Samples], notes: list[str]) -> list[Source]:
    """Leave out domains that the exporter shows as 0 because it cannot count them."""
    counting = [source for source in sources if any(samples_in(found, source).raw_uj)]
    domains = {source.domain for source in counting}
    for source in sources:
        if source not in counting and source.domain in domains:
            raise Unscrapable(
                f"{source.text} has been 0 for 10 min, and without it the energy of {source.domain} is not whole.",
                fix="Look at it in the exporter's own /metrics.",
            )
    notes.extend(
        f"{domain}: its counter has been 0 for 10 min, so it is not measured."
        for domain in dict.fromkeys(source.domain for source in sources if source.domain not in domains)
    )
    if not counting:
        raise Unscrapable(
            "All its energy counters have been 0 for 10 min.", fix="Let the exporter run where it can read them."
        )
    return counting


def _without_mirrors(sources: Sequence[Source], found: Mapping[Labels, Samples], notes: list[str]) -> list[Source]:
    """Leave out dies that show another one's counter, as AMD's do."""
    kept: list[Source] = []
    for source in sources:
        first = next((other for other in kept if _mirrors(source, other, found)), None)
        if first is None:
            kept.append(source)
        else:
            notes.append(f"{source.domain}: {source.share} repeats the counter of {first.share} and is left out.")
    return kept


def _mirrors(source: Source, other: Source, found: Mapping[Labels, Samples]) -> bool:
    dies = source.share.startswith("die ") and other.share.startswith("die ")
    return dies and source.domain == other.domain and mirror(samples_in(found, source), samples_in(found, other))


def _rhythm(source: Source, found: Mapping[Labels, Samples], *, slow: str) -> Rhythm:
    try:
        return rhythm_of(samples_in(found, source))
    except Unscrapable as refusal:
        raise Unscrapable(f"{source.text}: {refusal.what}", fix=f"{refusal.fix} {slow}".rstrip()) from refusal


def _converted(source: Source, values: list[tuple[float, str]]) -> Samples:
    try:
        return samples_of(values, source.unit)
    except Unscrapable as refusal:
        raise _named(source, refusal) from refusal


def _named(source: Source, refusal: Unscrapable) -> Unscrapable:
    return Unscrapable(f"{source.text}: {refusal.what}", fix=refusal.fix)
