"""What it takes to find an increase, and what today's settings find: on a terminal and as one JSON document."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from rich.text import Text

from energygate.history.plan import BenchmarkPlan
from energygate.report.table import sentence
from energygate.report.terminal import to_text
from energygate.units import format_change, format_percent

_INDENT: Final = 4


def render_plan(
    plans: Sequence[BenchmarkPlan], *, machine: str, power: float, color: bool, width: int | None = None
) -> str:
    """Render the plans of one machine as text, ANSI-coloured if `color`.

    Parameters
    ----------
    width : int or None
        As in `render_terminal`.
    """
    return to_text(_lines(plans, machine, power, width), color=color)


def plan_document(plans: Sequence[BenchmarkPlan], *, machine: str, fingerprint: str) -> dict[str, Any]:
    """Give the plans of one machine as a JSON value."""
    return {"machine": machine, "fingerprint": fingerprint, "benchmarks": msgspec.to_builtins(list(plans))}


def _lines(plans: Sequence[BenchmarkPlan], machine: str, power: float, width: int | None) -> Iterator[Text]:
    effect = plans[0].effect
    yield sentence(
        f"to find {format_change(1 + effect)} in {format_percent(power)} of cases on {machine}; every figure is about, "
        "from the noise of the stored runs",
        width=width,
    )
    for each in plans:
        yield Text(each.benchmark, style="bold")
        for said in (
            _noise(each),
            f"interleaved: {_blocks(each)}; as it is set, {_found(each.detectable_interleaved)}",
            f"stored: {_sessions(each)}; {_stored_today(each)}",
        ):
            yield sentence(said, width=width, indent=_INDENT)
        trials = f"{each.useful_trials} trial{'' if each.useful_trials == 1 else 's'}"
        finer = f"beyond about {trials} a session, more of them make no stored comparison finer"
        yield sentence(finer, width=width, style="dim", indent=_INDENT)
    lower = [each for each in plans if each.budget > effect]
    if lower:
        name = "gate.budget" if len(lower) == len(plans) else f"the budget of {len(lower)} of these benchmarks"
        yield sentence(
            f"set {name} to {format_percent(effect)} or less: an increase proven smaller than the budget passes",
            width=width,
            style="yellow",
        )


def _noise(each: BenchmarkPlan) -> str:
    trials = f"trials differ by {format_percent(each.trial_sd)}"
    if each.session_sd is None:
        return f"{trials}; one session does not say how much sessions differ"
    return f"{trials}, {each.found_sessions} sessions by {format_percent(each.session_sd)}"


def _blocks(each: BenchmarkPlan) -> str:
    return "not this way, 400 blocks are too few" if each.blocks is None else f"about {each.blocks} blocks"


def _sessions(each: BenchmarkPlan) -> str:
    return "not this way, 50 sessions are too few" if each.sessions is None else f"about {each.sessions} sessions"


def _stored_today(each: BenchmarkPlan) -> str:
    if each.detectable_stored is None:
        return "fewer than 3 sessions can fail nothing"
    return f"with the {each.found_sessions} that count today, {_found(each.detectable_stored)}"


def _found(ratio: float) -> str:
    return f"{format_change(ratio)} is found"
