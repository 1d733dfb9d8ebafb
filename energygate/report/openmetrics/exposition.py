"""One text that two formats read: OpenMetrics 1.0, and Prometheus's text format 0.0.4.

Where they differ, this is what both allow: gauges only, because a counter's name ends in `_total` in one metadata line
and not in the other, and 0.0.4 knows neither `info` nor `stateset`; no time stamps, which count seconds in one and
milliseconds in the other, and which the textfile collector and the Pushgateway refuse; help texts without quotes, which
only one of them escapes. `# UNIT` and `# EOF` are comments in 0.0.4.
https://prometheus.io/docs/specs/om/open_metrics_spec/
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric: a gauge.

    Attributes
    ----------
    name : str
        Ends with the unit, if it has one.
    labels : tuple of str
        Which its samples may have.
    help : str
        One sentence, without quotes, backslashes and line breaks.
    unit : str
        In base units; empty where a number has none.
    """

    name: str
    labels: tuple[str, ...] = ()
    help: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number. A label whose value is empty is a label that is not there."""

    value: float
    labels: Mapping[str, str]


def written(families: Iterable[tuple[Family, Sequence[Sample]]]) -> str:
    """Give the whole text. A family without samples is left out, with what describes it."""
    lines = [line for family, samples in families for line in _family(family, samples)]
    return "\n".join([*lines, "# EOF", ""])


def _family(family: Family, samples: Iterable[Sample]) -> Iterator[str]:
    # A second sample with the same labels would make a server refuse them all.
    series: dict[str, str] = {}
    for sample in samples:
        if math.isfinite(sample.value):
            series.setdefault(_labels(family, sample), _number(sample.value))
    if series:
        yield f"# HELP {family.name} {family.help}"
        yield f"# TYPE {family.name} gauge"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}"
        yield from (f"{family.name}{labels} {value}" for labels, value in series.items())


def _labels(family: Family, sample: Sample) -> str:
    found = [
        f'{name}="{value.translate(_ESCAPED)}"' for name in family.labels if (value := sample.labels.get(name, ""))
    ]
    return f"{{{','.join(found)}}}" if found else ""


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
