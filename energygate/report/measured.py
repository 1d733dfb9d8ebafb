"""What a run measured, without any verdict: for `measure` mode, after recording, and for stored runs."""

from collections.abc import Iterator
from statistics import fmean, stdev

from rich.text import Text

from energygate.model import Benchmark, Idle, Metric, Run, Times, reasons_by_code
from energygate.net import NetValues, idle_warning, net_values
from energygate.report import rows
from energygate.report.terminal import to_text
from energygate.serving import times_of
from energygate.units import format_percent, format_quantity


def render_measured(run: Run, *, color: bool) -> str:
    """Render each benchmark's means as text; estimates are labelled, what is unknown is left out."""
    return to_text(_lines(run), color=color)


def _lines(run: Run) -> Iterator[Text]:
    yield Text(f"{rows.provenance(run.meters)} on {run.machine.label}")
    if run.label:
        yield Text(rows.doubt(run.label), style="bold yellow")
    yield from _idle(run)
    for benchmark in run.benchmarks:
        yield Text(benchmark.name, style="bold")
        if benchmark.valid:
            yield Text(f"    {', '.join(_figures(benchmark, label=run.label))}")
        if paces := _paces(benchmark):
            yield Text(f"    {paces}")
        yield from _net(run, benchmark)
        if benchmark.invalid is not None:
            yield Text(f"    invalid: {benchmark.invalid}", style="bold red")
        if benchmark.noisy is not None:
            yield Text(f"    noisy: {benchmark.noisy}", style="bold yellow")
        for note in benchmark.notes:
            yield Text(f"    note: {note}", style="dim")
        for reason, count in reasons_by_code(benchmark.trials):
            yield Text(f"    {count} invalid trial{'s' if count > 1 else ''}: {reason}", style="yellow")


def _paces(benchmark: Benchmark) -> str:
    found = {name: Times(head=value) for name, value in times_of(benchmark.valid).items()}
    return ", ".join(f"{words} {rows.pace(found[name], name)}" for name, words in rows.TIMES.items() if name in found)


def _idle(run: Run) -> Iterator[Text]:
    if run.idle_unknown is not None:
        yield Text(f"warning: {run.idle_unknown}", style="yellow")
    if run.idle is None:
        return
    yield Text(_idle_windows(run.idle))
    if warning := idle_warning(run.idle):
        yield Text(f"warning: {warning}", style="yellow")


def _idle_windows(idle: Idle) -> str:
    before, after = (format_quantity(power_w, "W") for power_w in (idle.total_before_w, idle.total_after_w))
    state = f"; {idle.state}" if idle.state else ""
    return f"idle power: {before} before, {after} after, in {format_quantity(idle.duration_s, 's')} each{state}"


def _net(run: Run, benchmark: Benchmark) -> Iterator[Text]:
    found = {metric: net_values(run, benchmark, metric) for metric in (benchmark.primary, Metric.J_PER_OUTPUT_TOKEN)}
    shown = {metric: net for metric, net in found.items() if net is not None}
    if refused := next((net.refused for net in shown.values() if net.refused), ""):
        yield Text(f"    net of idle: not shown, because {refused}")
    elif shown and run.idle is not None:
        label = f" ({run.label})" if run.label else ""
        values = ", ".join(_mean(metric, net, label=label) for metric, net in shown.items())
        yield Text(f"    net of {format_quantity(run.idle.power_w, 'W')} idle: {values}")


def _mean(metric: Metric, net: NetValues, *, label: str) -> str:
    mean = fmean(net.values)
    return f"{format_quantity(mean, metric.unit)}{label} {rows.by_idle_power(net.uncertainty, metric, of=mean)}"


def _figures(benchmark: Benchmark, *, label: str) -> Iterator[str]:
    label = f" ({label})" if label else ""
    for metric in (benchmark.primary, Metric.J_PER_OUTPUT_TOKEN):
        if values := _values(benchmark, metric):
            yield f"{format_quantity(fmean(values), metric.unit)}{label}"
    trials = len(benchmark.valid)
    length = format_quantity(fmean(trial.duration_s for trial in benchmark.valid), "s")
    yield f"{trials} trial{'' if trials == 1 else 's'} of {length}"
    values = _values(benchmark, benchmark.primary)
    if len(values) > 1 and fmean(values) > 0:
        yield f"cv {format_percent(stdev(values) / fmean(values))}"


def _values(benchmark: Benchmark, metric: Metric) -> list[float]:
    return [value for trial in benchmark.valid if (value := trial.value(metric)) is not None]
