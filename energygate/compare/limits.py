"""The head against absolute limits."""

import math
from collections.abc import Iterator, Mapping, Sequence

from energygate.compare.places import Places
from energygate.compare.values import LimitCheck
from energygate.history.sessions import FEWEST_TRIALS
from energygate.model import Metric, Trial
from energygate.stats.stored import Prior, limit


def limit_checks(
    limits: Mapping[Metric, float], usable: Sequence[Trial], places: Places, position: int, prior: Prior
) -> Iterator[LimitCheck]:
    """Check the limits of the benchmark at one position, whose metrics all trials give."""
    if len(usable) < FEWEST_TRIALS:
        return
    for metric, bound in limits.items():
        place = places.head_of(position, metric)
        if place is not None:
            yield LimitCheck(
                metric=metric,
                limit=bound,
                head=math.exp(place.value),
                mean=_mean([trial.value(metric) or 0.0 for trial in usable]),
                estimate=limit(place, math.log(bound), places.sessions_of(position, metric), prior=prior),
            )


def _mean(values: Sequence[float]) -> float:
    # Divided before it is summed: the sum of large energies may overflow, their mean does not.
    return math.fsum(value / len(values) for value in values)
