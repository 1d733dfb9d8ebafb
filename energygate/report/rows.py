"""What every rendering shows of a row, in words: one place, so that a terminal and a comment agree."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from energygate.model import (
    AcceptedLevel,
    GateReport,
    Label,
    MeterInfo,
    Metric,
    Net,
    Outcome,
    Row,
    Times,
    count_outcomes,
)
from energygate.units import MINUS, accepted_size, format_change, format_p, format_quantity, format_uncertainty
from energygate.workloads.text import printable

SIGNS: Final = {
    Outcome.OVER_LIMIT: "\N{CROSS MARK}",
    Outcome.REGRESSED: "\N{CROSS MARK}",
    Outcome.INVALID: "\N{CROSS MARK}",
    Outcome.MISSING: "\N{CROSS MARK}",
    Outcome.SUSPECT: "\N{WHITE QUESTION MARK ORNAMENT}",
    Outcome.INCONCLUSIVE: "\N{WHITE QUESTION MARK ORNAMENT}",
    Outcome.INCOMPARABLE: "\N{WHITE LARGE SQUARE}",
    Outcome.NO_BASELINE: "\N{WHITE LARGE SQUARE}",
    Outcome.IMPROVED: "\N{WHITE HEAVY CHECK MARK}",
    Outcome.PASS: "\N{HEAVY MINUS SIGN}",
}
WORDS: Final = {outcome: outcome.value.replace("_", " ") for outcome in Outcome}
_IN_WORDS: Final = {
    Metric.J_PER_REQUEST: "joules per request",
    Metric.J_PER_OUTPUT_TOKEN: "joules per output token",
    Metric.J_PER_TOTAL_TOKEN: "joules per token",
    Metric.ENERGY_J: "joules",
    Metric.DURATION_S: "seconds",
}
TIMES: Final = {
    "ttft_s": "median time to first token",
    "request_s": "median request",
    "output_tokens_per_s": "output tokens",
    "prefill_s": "mean prefill",
    "decode_s": "mean decode",
}
_OTHER_WORK: Final = "work changed: "
_ABSENT: Final = "\N{EN DASH}"
_FINE: Final = frozenset({Outcome.PASS, Outcome.IMPROVED})
_NOT_MEASURED: Final = frozenset({Outcome.INVALID, Outcome.MISSING})
_NOT_JUDGED: Final = _NOT_MEASURED | {Outcome.INCOMPARABLE, Outcome.NO_BASELINE}
_NOTHING_RAN: Final = "no benchmark ran"
_TITLE: Final = 120  # what a check run's title may have
_TITLE_NAME: Final = 60
DOUBTFUL: Final[dict[Label, str]] = {
    "estimate": "estimates by model, not measurements",
    "integrated power": "integrated power, not measured energy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A benchmark's deciding row, with its joules per output token beside it where tokens are counted."""

    row: Row
    per_token: Row | None = None


def lines(report: GateReport) -> Iterator[Line]:
    """Pair the rows: what decides, and what stands beside it."""
    beside = {row.benchmark: row for row in report.comparisons if _is_beside(row)}
    for row in report.comparisons:
        if not _is_beside(row):
            yield Line(row=row, per_token=None if _is_absolute(row) else beside.get(row.benchmark))


def _is_beside(row: Row) -> bool:
    return row.metric is Metric.J_PER_OUTPUT_TOKEN and not _is_absolute(row)


def _is_absolute(row: Row) -> bool:
    return row.how in {"limit", "anchor"}


def kind(row: Row) -> str:
    """What a row is besides a benchmark's comparison: ` (limit)`, ` (anchor v1)`; empty where it is that."""
    return {"limit": " (limit)", "anchor": f" (anchor {row.anchor})"}.get(row.how, "")


def typical(value: float | None, row: Row) -> str:
    """A side's typical value with its unit; an estimate says so."""
    if value is None:
        return _ABSENT
    label = "" if _is_limit_itself(value, row) else label_of(row)
    return f"{format_quantity(value, row.metric.unit, like=row.base)}{label}"


def label_of(row: Row) -> str:
    """What stands beside a number that is no measurement, in brackets; empty where it is one."""
    return f" ({row.label or 'estimate'})" if row.estimated else ""


def _is_limit_itself(value: float, row: Row) -> bool:
    return row.how == "limit" and value == row.base


def change(row: Row) -> str:
    """The change in percent, against the limit where that is the base."""
    return _ABSENT if row.ratio is None else format_change(row.ratio)


def interval(row: Row) -> str:
    """The ends of the 90 % interval, or nothing."""
    if row.ratio_low is None or row.ratio_high is None:
        return ""
    low, high = (format_change(end).removesuffix(" %") for end in (row.ratio_low, row.ratio_high))
    return f"{low} \N{HORIZONTAL ELLIPSIS} {high}"


def reason(row: Row) -> str:
    """Why it was judged so; empty where a pass has figures that say it all, because its work did not change."""
    return row.reason if row.outcome is not Outcome.PASS or row.reason.startswith(_OTHER_WORK) else ""


def size(row: Row) -> str:
    """How much evidence: trials and sessions, or blocks."""
    trials = f"{row.trials.head} trial{'' if row.trials.head == 1 else 's'}"
    if row.blocks:
        return f"{row.blocks} blocks"
    return f"{trials}, {row.sessions} session{'' if row.sessions == 1 else 's'}" if row.sessions else trials


def p_adjusted(row: Row) -> str:
    """The adjusted p-value, or a dash where the row is in no family."""
    return _ABSENT if row.p_adjusted is None else format_p(row.p_adjusted)


def headline(report: GateReport, *, quote: Callable[[str], str] = str) -> str:
    """One sentence: the worst that was found, and of which benchmark.

    Parameters
    ----------
    quote : callable
        Makes names and reasons fit for the format that is rendered.
    """
    found = {row.outcome for row in report.comparisons}
    if not found:
        return f"nothing valid was measured: {_NOTHING_RAN}"
    worst = report.comparisons[0]
    if found <= _FINE:
        return "no regression found"
    if found <= _NOT_JUDGED:
        return f"nothing valid was measured{_unmeasured(worst)}" if found <= _NOT_MEASURED else _unjudged(found)
    if worst.accepted is not None and worst.outcome is Outcome.INCONCLUSIVE:
        return f"{accepted(worst.accepted)} by {quote(worst.accepted.by)}: {quote(worst.benchmark)}"
    word = "over the limit" if worst.outcome is Outcome.OVER_LIMIT else WORDS[worst.outcome]
    return f"{word}. {quote(worst.benchmark)} {_said_of(worst, quote)}"


def accepted(level: AcceptedLevel) -> str:
    """Say what somebody accepts: `increase of 30.0 % accepted here`."""
    return f"{accepted_size(level.ratio)} accepted {'here' if level.is_here else 'before the merge'}"


def alone(report: GateReport) -> str:
    """Say that what is accepted is not compared with all stored runs; empty where nothing is, or where there is one."""
    is_accepted = any(row.accepted is not None for row in report.comparisons)
    return "; what is accepted, with one of them alone" if is_accepted and len(report.baseline.runs) > 1 else ""


def _unmeasured(worst: Row) -> str:
    """Why nothing valid was measured, where a word or two say it: numbers that may not decide are no measurement."""
    if worst.estimated and worst.head is not None:
        return f": the figures are {DOUBTFUL[worst.label or 'estimate']}"
    return ": benchmarks are missing" if worst.outcome is Outcome.MISSING else ""


def _unjudged(found: set[Outcome]) -> str:
    """What is lacking where nothing could be compared."""
    if found == {Outcome.NO_BASELINE}:
        return "nothing could be judged: no baseline yet"
    if found == {Outcome.INCOMPARABLE}:
        return "nothing could be judged: nothing comparable is stored"
    return "nothing could be judged"


def title(report: GateReport) -> str:
    """Give the headline as plain text of at most 120 characters, a long name cut."""
    return printable(headline(report, quote=partial(printable, limit=_TITLE_NAME)), limit=_TITLE)


def in_a_word(report: GateReport) -> str:
    """The worst outcome: what is kept of a verdict when a later one replaces it."""
    return WORDS[report.comparisons[0].outcome] if report.comparisons else "nothing measured"


def _said_of(row: Row, quote: Callable[[str], str]) -> str:
    match row.outcome:
        case Outcome.REGRESSED:
            return f"uses {_more(row)} {_IN_WORDS[row.metric]}"
        case Outcome.OVER_LIMIT if row.how == "anchor":
            return f"uses {_more(row)} {_IN_WORDS[row.metric]} since anchor {quote(row.anchor)}"
        case Outcome.OVER_LIMIT:
            return f"uses {typical(row.head, row)}, the limit is {typical(row.base, row)}"
        case Outcome.MISSING:
            return "was not measured"
        case Outcome.SUSPECT:
            return f"may use {_more(row)} {_IN_WORDS[row.metric]}, which is not proven"
        case _:
            return "could not be judged"


def _more(row: Row) -> str:
    word = "less" if row.ratio is not None and row.ratio < 1 else "more"
    return f"{change(row).lstrip(f'+{MINUS}')} {word}"


def tally(report: GateReport) -> str:
    """How many benchmarks have each outcome."""
    counts = [f"{n} {WORDS[Outcome(outcome)]}" for outcome, n in count_outcomes(report.comparisons).items()]
    return " \N{MIDDLE DOT} ".join(counts)


def benchmarks(report: GateReport) -> int:
    """How many benchmarks the report speaks of."""
    return len({row.benchmark for row in report.comparisons})


def closing_line(report: GateReport) -> str:
    """The verdict in words, for the last line of a terminal: `energy: FAILED, 1 of 12 benchmarks regressed`."""
    total = benchmarks(report)
    plural = "benchmark" if total == 1 else "benchmarks"
    if not report.comparisons:
        return "energy: FAILED, nothing was measured"
    counts = {Outcome(name): n for name, n in count_outcomes(report.comparisons).items()}
    failing = [f"{n} of {total} {plural} {WORDS[o]}" for o, n in counts.items() if o in report.policy.fail_on]
    if report.verdict == "failed":
        return f"energy: FAILED, {', '.join(failing) or 'nothing of what it should was measured'}"
    if report.verdict == "passed":
        improved = f", {counts[Outcome.IMPROVED]} improved" if Outcome.IMPROVED in counts else ""
        return f"energy: PASSED, {total} of {total} {plural} within budget{improved}"
    found = ", ".join(f"{n} {WORDS[outcome]}" for outcome, n in counts.items())
    return f"energy: INCONCLUSIVE, {total} {plural}: {found}"


def change_with_interval(row: Row) -> str:
    """The change and its 90 % interval: `+12.5 % (90 % CI +9.1 … +15.8)`; empty where nothing was compared."""
    if row.ratio is None:
        return ""
    against = " against the limit" if row.how == "limit" else ""
    ends = f" (90 % CI {interval(row)})" if interval(row) else ""
    return f"{change(row)}{against}{ends}"


def sides(row: Row) -> str:
    """Both sides' typical values; empty where nothing was measured."""
    if row.head is None:
        return ""
    if row.base is None:
        return typical(row.head, row)
    if row.how == "limit":
        return f"{typical(row.head, row)}, limit {typical(row.base, row)}"
    base = format_quantity(row.base, row.metric.unit).partition(" ")[0]
    return f"{base} \N{RIGHTWARDS ARROW} {typical(row.head, row)}"


def figures(row: Row) -> tuple[str, str]:
    """Both sides' typical values for two columns, the unit beside the head's: `3.41` and `3.84 J/request`."""
    if row.base is None:
        return _ABSENT, typical(row.head, row)
    number = format_quantity(row.base, row.metric.unit, like=row.base).partition(" ")[0]
    return f"limit {number}" if row.how == "limit" else number, typical(row.head, row)


def cheaper_tokens(line: Line) -> str:
    """Say that tokens got cheaper and requests dearer, where both are established; else nothing."""
    row, beside = line.row, line.per_token
    if row.metric is not Metric.J_PER_REQUEST or beside is None:
        return ""
    if row.ratio_low is None or beside.ratio_high is None or not beside.ratio_high < 1 < row.ratio_low:
        return ""
    return (
        f"joules per output token {change(beside)}, per request {change(row)}: the answers got longer, and what a "
        "request costs decides"
    )


def evidence(row: Row) -> str:
    """How much evidence there is, and how strong: `10 trials, 3 sessions, adjusted p 0.16`.

    Blocks also say what they could have found, unless that is the reason of an inconclusive outcome already.
    """
    tested = f", adjusted p {p_adjusted(row)}" if row.p_adjusted is not None else ""
    detectable = row.detectable if row.how == "interleaved" and row.outcome is not Outcome.INCONCLUSIVE else None
    could = f", could detect about {format_change(detectable)}" if detectable is not None else ""
    return f"{size(row)}{tested}{could}"


def provenance(meters: Sequence[MeterInfo], *, quote: Callable[[str], str] = str) -> str:
    """How the numbers came about: `measured by rapl (package-0, dram-0)`.

    An estimate is never called measured, and says how good it is.

    Parameters
    ----------
    quote : callable
        Makes names fit for the format that is rendered.
    """
    verbs = {"estimate": "estimated by", "replay": "replayed by", "integrated": "integrated by"}
    named = [
        f"{verbs.get(meter.kind, 'measured by')} {quote(meter.name)} ({quote(_counted(meter))})" for meter in meters
    ]
    return ", ".join(named) or "nothing measured"


def labels(report: GateReport) -> list[Label]:
    """Give the labels of its numbers that are no measurement."""
    return sorted({row.label or "estimate" for row in report.comparisons if row.estimated})


def doubt(label: Label) -> str:
    """Say in capitals, once for all numbers, that they are no measurement."""
    return f"THESE FIGURES ARE {DOUBTFUL[label].upper()}."


def _counted(meter: MeterInfo) -> str:
    return meter.detail if meter.kind == "estimate" and meter.detail else ", ".join(meter.domains)


def fineness(meter: MeterInfo) -> str:
    """How finely it measures; nothing where each reading is exact."""
    every = f", refreshed every {format_quantity(meter.update_interval_s, 's')}" if meter.update_interval_s else ""
    steps = f", steps of {format_quantity(meter.resolution_j, 'J')}" if meter.resolution_j else ""
    return f"{every}{steps}"


def times(row: Row) -> str:
    """How fast a server answered, base and head; empty where there is none. Time, of which no joules are known."""
    return ", ".join(f"{words} {pace(row.times[name], name)}" for name, words in TIMES.items() if name in row.times)


def pace(found: Times, name: str) -> str:
    """One of these times or rates, of both sides where both are known: `0.412 → 0.430 s`."""
    if name.endswith("_per_s"):
        base, head = "" if found.base is None else f"{found.base:.3g}", f"{found.head:.3g}/s"
    else:
        base = "" if found.base is None else format_quantity(found.base, "s").partition(" ")[0]
        head = format_quantity(found.head, "s", like=found.base)
    return f"{base} \N{RIGHTWARDS ARROW} {head}" if base else head


def net(row: Row) -> str:
    """The values without idle power, or why they are not shown; empty where idle power was not measured."""
    found = row.net
    if found is None:
        return ""
    if found.head is None or found.idle_w is None:
        return f"net of idle: not shown, because {found.refused}"
    return f"net of {format_quantity(found.idle_w, 'W')} idle: {_net_sides(found, row)}"


def _net_sides(found: Net, row: Row) -> str:
    like = found.head if found.base is None else found.base
    shown = {
        name: format_quantity(value, row.metric.unit, like=like)
        for name, value in (("base", found.base), ("head", found.head))
        if value is not None
    }
    base = f"{shown['base'].partition(' ')[0]} \N{RIGHTWARDS ARROW} " if "base" in shown else ""
    return f"{base}{shown['head']}{label_of(row)}{_unsure(found, row, like)}"


def _unsure(found: Net, row: Row, like: float | None) -> str:
    if found.head is None or found.uncertainty is None:
        return ""
    return f" {by_idle_power(found.uncertainty, row.metric, of=found.head, like=like)}"


def by_idle_power(uncertainty: float, metric: Metric, *, of: float, like: float | None = None) -> str:
    """What is not known of a net value because idle power is not known better: how trials differ is not in it."""
    return (
        f"(\N{PLUS-MINUS SIGN} {format_uncertainty(uncertainty, metric.unit, of=of, like=like)} from idle power alone)"
    )
