"""From the configuration to the series that are measured, and what is refused among them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from energygate.meters.options import PrometheusOptions, ScrapedDomain
from energygate.meters.scraped.exporters import PRESETS, Preset
from energygate.meters.scraped.scrapes import Unscrapable
from energygate.meters.scraped.shown import shown
from energygate.meters.scraped.source import SOCKETS, Labels, Source, bound_w, part_of, series_text

_CUSTOM: Final = Preset(metrics="", find=lambda _: (), prompt=False, slow="")


def preset_of(options: PrometheusOptions) -> Preset:
    """What is known of the exporter; of a custom one, nothing."""
    return PRESETS.get(options.preset, _CUSTOM)


def selectors(options: PrometheusOptions) -> tuple[str, ...]:
    """Instant vectors that hold every series of the meter; of a custom one, one for each domain."""
    if options.preset == "custom":
        return tuple(domain.select for domain in options.domains.values())
    labels = [f'__name__=~"{PRESETS[options.preset].metrics}"', options.selector.strip().strip(",")]
    return ("{" + ",".join(label for label in labels if label) + "}",)


def find_sources(options: PrometheusOptions, answers: Sequence[Sequence[Labels]]) -> tuple[Source, ...]:
    """Pick what is measured from the series that each of `selectors` found, sorted by domain and share.

    Raises
    ------
    Unscrapable
        There is none, there are two of the same, or a share is missing.
    """
    if options.preset == "custom":
        found = [_custom(name, domain, of) for (name, domain), of in zip(options.domains.items(), answers, strict=True)]
    else:
        found = list(PRESETS[options.preset].find([labels for of in answers for labels in of]))
        _refuse_several_instances(found)
    if not found:
        raise Unscrapable(
            f"The server has no energy counter of {options.preset}"
            f"{f' with {shown(options.selector)}' if options.selector else ''}.",
            fix="Look at its page of targets, and at prometheus.preset and prometheus.selector.",
        )
    _refuse_twins(found)
    _refuse_halves(found, preset_of(options).shares)
    return tuple(sorted(found, key=lambda source: (source.domain, source.share)))


def _custom(name: str, domain: ScrapedDomain, found: Sequence[Labels]) -> Source:
    if len(found) != 1:
        listed = f": {', '.join(series_text(labels) for labels in found[:3])}" if found else ""
        raise Unscrapable(
            f"prometheus.domains.{shown(name)}.select finds {len(found)} series{listed}.",
            fix="Write a selector of exactly one counter.",
        )
    # Without a range it never wraps, so it may be what an exporter has added up over sockets.
    part, sockets = part_of(name), 1 if domain.range_j else SOCKETS
    return Source(
        domain=name,
        part=part,
        labels=found[0],
        unit=domain.unit,
        bound_w=bound_w(part, sockets=sockets),
        detail=shown(domain.select),
        range_j=domain.range_j,
    )


def _refuse_several_instances(found: Iterable[Source]) -> None:
    targets = sorted({tuple(dict(source.labels).get(name, "") for name in ("job", "instance")) for source in found})
    if len(targets) > 1:
        listed = ", ".join(shown(f'job="{job}",instance="{instance}"') for job, instance in targets[:3])
        raise Unscrapable(
            f"The energy counters of {len(targets)} targets match: {listed}{', …' if len(targets) > 3 else ''}.",
            fix=f"Pick the one of this machine: prometheus: {{selector: 'instance=\"{shown(targets[0][1])}\"'}}.",
        )


def _refuse_twins(found: Sequence[Source]) -> None:
    names = Counter((source.domain, source.share) for source in found)
    series = Counter(source.labels for source in found)
    for source in found:
        if names[source.domain, source.share] > 1 or series[source.labels] > 1:
            twins = [o.text for o in found if (o.domain, o.share) == (source.domain, source.share)]
            raise Unscrapable(
                f"More than one series counts {source.domain}: {', '.join(twins[:3])}."
                if len(twins) > 1
                else f"Several domains count {source.text}.",
                fix="Pick one with prometheus.selector; with custom, give each domain a counter of its own.",
            )


def _refuse_halves(found: Iterable[Source], both: frozenset[str]) -> None:
    if not both:
        return
    cpu = sorted((s for s in found if s.share or s.part != "gpu"), key=lambda source: source.domain)
    for domain, sources in groupby(cpu, key=lambda source: source.domain):
        shares = {source.share for source in sources}
        if shares != both:
            raise Unscrapable(
                f"Of {domain} the server has {', '.join(sorted(shares)) or 'no share'}, and its energy is "
                f"{' + '.join(sorted(both))}.",
                fix="Let the exporter export both.",
            )
