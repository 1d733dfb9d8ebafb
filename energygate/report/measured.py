"""What a run measured, without any verdict: for `measure` mode, after recording, and for stored runs."""

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Final

from rich.text import Text

from energygate.model import Benchmark, Idle, Metric, Run, Times, reasons_by_code
from energygate.net import NetValues, idle_warning, net_values
from energygate.report import rows
from energygate.report.background import meter_sentence
from energygate.report.table import Column, Entry, sentence, table
from energygate.report.terminal import to_text
from energygate.serving import times_of
from energygate.units import format_percent, format_quantity

_COLUMNS: Final = (
    Column(head="mean"),
    Column(head="", justify="left", gap=1),
    Column(head="cv"),
    Column(head="trials"),
    Column(head="each"),
)
_CLOSING_STYLES: Final = {"energy: FAILED": "bold red", "energy: RECORDED": "bold green"}


def render_measured(
    run: Run,
    *,
    color: bool,
    width: int | None = None,
    verbose: bool = False,
    said: Sequence[str] = (),
    closing: str = "",
) -> str:
    """Render each benchmark's means as text; estimates are labelled, what is unknown is left out.

    Parameters
    ----------
    width : int or None
        As in `render_terminal`.
    verbose : bool
        Also with what and at what commit it was measured, and every note.
    said : sequence of str
        What else is to be looked after.
    closing : str
        The last line; nothing where the run is only shown.
    """
    return to_text(_lines(run, width=width, verbose=verbose, said=said, closing=closing), color=color)


def _lines(run: Run, *, width: int | None, verbose: bool, said: Sequence[str], closing: str) -> Iterator[Text]:
    yield sentence(f"{rows.provenance(run.meters)} on {run.machine.label}", width=width)
    if run.label:
        yield sentence(rows.doubt(run.label), width=width, style="bold yellow")
    for words, style in _idle(run):
        yield sentence(words, width=width, style=style)
    for words in _background(run) if verbose else ():
        yield sentence(words, width=width, style="dim")
    if run.benchmarks:
        yield Text()
        yield from table("result", _COLUMNS, [_entry(run, benchmark) for benchmark in run.benchmarks], width=width)
    for words in said:
        yield sentence(words, width=width, style="bold red")
    if closing:
        style = next((style for word, style in _CLOSING_STYLES.items() if closing.startswith(word)), "bold")
        yield from (Text(), Text(closing, style=style))


def _entry(run: Run, benchmark: Benchmark) -> Entry:
    return Entry(
        word=_word(benchmark),
        name=benchmark.name,
        figures=tuple(_figures(benchmark, label=run.label)),
        below=tuple(_below(run, benchmark)),
    )


def _word(benchmark: Benchmark) -> Text:
    if not benchmark.is_measured:
        return Text("invalid", style="bold red")
    return Text("measured") if benchmark.noisy is None else Text("noisy", style="bold yellow")


def _figures(benchmark: Benchmark, *, label: str) -> Iterator[tuple[Text, ...]]:
    """Give the deciding metric with how it came about, and joules per output token below it."""
    label = f" ({label})" if label else ""
    for metric in (benchmark.primary, Metric.J_PER_OUTPUT_TOKEN):
        if values := _values(benchmark, metric):
            number, _, unit = format_quantity(fmean(values), metric.unit).partition(" ")
            size = _size(benchmark, values) if metric is benchmark.primary else ("", "", "")
            yield tuple(Text(cell) for cell in (number, f"{unit}{label}", *size))


def _size(benchmark: Benchmark, values: Sequence[float]) -> tuple[str, str, str]:
    """How much the trials differ, how many there are, and how long one is."""
    spread = format_percent(stdev(values) / fmean(values)) if len(values) > 1 and fmean(values) > 0 else ""
    length = format_quantity(fmean(trial.duration_s for trial in benchmark.valid), "s")
    return spread, str(len(benchmark.valid)), length


def _below(run: Run, benchmark: Benchmark) -> Iterator[Text]:
    if paces := _paces(benchmark):
        yield Text(paces)
    yield from (Text(line) for line in _net(run, benchmark))
    if benchmark.invalid is not None:
        yield Text(benchmark.invalid, style="bold red")
    if benchmark.noisy is not None:
        yield Text(benchmark.noisy, style="bold yellow")
    for note in benchmark.notes:
        yield Text(f"note: {note}", style="dim")
    for reason, count in reasons_by_code(benchmark.trials):
        yield Text(f"{count} invalid trial{'s' if count > 1 else ''}: {reason}", style="yellow")


def _background(run: Run) -> Iterator[str]:
    yield from (meter_sentence(meter) for meter in run.meters)
    source = run.source
    changed = " with uncommitted changes" if source.dirty else ""
    yield f"run {run.run_id}: commit {source.commit[:12] if source.commit else 'unknown'}{changed}"
    yield f"machine fingerprint {run.machine.fingerprint}"
    yield from (f"note: {note}" for note in run.notes)


def _paces(benchmark: Benchmark) -> str:
    found = {name: Times(head=value) for name, value in times_of(benchmark.valid).items()}
    return ", ".join(f"{words} {rows.pace(found[name], name)}" for name, words in rows.TIMES.items() if name in found)


def _idle(run: Run) -> Iterator[tuple[str, str]]:
    """Give sentences with their styles."""
    if run.idle_unknown is not None:
        yield f"warning: {run.idle_unknown}", "yellow"
    if run.idle is None:
        return
    yield _idle_windows(run.idle), ""
    if warning := idle_warning(run.idle):
        yield f"warning: {warning}", "yellow"


def _idle_windows(idle: Idle) -> str:
    before, after = (format_quantity(power_w, "W") for power_w in (idle.total_before_w, idle.total_after_w))
    state = f"; {idle.state}" if idle.state else ""
    return f"idle power: {before} before, {after} after, in {format_quantity(idle.duration_s, 's')} each{state}"


def _net(run: Run, benchmark: Benchmark) -> Iterator[str]:
    found = {metric: net_values(run, benchmark, metric) for metric in (benchmark.primary, Metric.J_PER_OUTPUT_TOKEN)}
    shown = {metric: net for metric, net in found.items() if net is not None}
    if refused := next((net.refused for net in shown.values() if net.refused), ""):
        yield f"net of idle: not shown, because {refused}"
    elif shown and run.idle is not None:
        label = f" ({run.label})" if run.label else ""
        values = ", ".join(_mean(metric, net, label=label) for metric, net in shown.items())
        yield f"net of {format_quantity(run.idle.power_w, 'W')} idle: {values}"


def _mean(metric: Metric, net: NetValues, *, label: str) -> str:
    mean = fmean(net.values)
    return f"{format_quantity(mean, metric.unit)}{label} {rows.by_idle_power(net.uncertainty, metric, of=mean)}"


def _values(benchmark: Benchmark, metric: Metric) -> list[float]:
    return [value for trial in benchmark.valid if (value := trial.value(metric)) is not None]
