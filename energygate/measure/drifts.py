"""Whether a benchmark's trials found the GPUs in one state, whoever measured them. It is noted, and decides nothing."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def drifts(conditions: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Say which trials of a benchmark found a GPU much hotter, cooler, faster or slower than the others did.

    Parameters
    ----------
    conditions : sequence of mapping
        The `conditions` of each valid trial.

    Returns
    -------
    tuple of str
        A sentence for each GPU and each quantity that drifted.
    """
    domains = sorted({domain for each in conditions for domain in each if domain.startswith("gpu-")})
    return tuple(
        sentence
        for domain in domains
        for sentence in _drifts_of(domain, [each[domain] for each in conditions if domain in each])
    )


def _drifts_of(domain: str, states: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    temps_c = [temperature for state in states if (temperature := _temperature_c(state)) is not None]
    if temps_c:
        usual_c = statistics.median(temps_c)
        far = sum(abs(temperature_c - usual_c) >= 10 for temperature_c in temps_c)
        if far:
            yield f"{domain}: {_trials(far, len(temps_c))} 10 °C or more from the usual {usual_c:.0f} °C."
    clocks_mhz = [state["sm_mhz"] for state in states if state.get("sm_mhz") is not None]
    if clocks_mhz:
        usual_mhz = statistics.median(clocks_mhz)
        far = sum(abs(clock_mhz - usual_mhz) >= 0.1 * usual_mhz for clock_mhz in clocks_mhz)
        if far:
            trials = _trials(far, len(clocks_mhz))
            yield f"{domain}: {trials} 10 % or more from the usual SM clock of {usual_mhz:.0f} MHz."


def _trials(far: int, trials: int) -> str:
    return f"{far} of {trials} trials ran"


def _temperature_c(state: Mapping[str, Any]) -> float | None:
    ends = [state[key] for key in ("temp_start_c", "temp_end_c") if state.get(key) is not None]
    return statistics.fmean(ends) if ends else None
