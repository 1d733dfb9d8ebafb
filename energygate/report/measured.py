"""What a run measured, without any verdict: for `measure` mode and after recording."""

from collections.abc import Iterator
from io import StringIO
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table
from rich.text import Text

from energygate.model import Benchmark, Metric, Run
from energygate.units import format_percent, format_quantity


def render_measured(run: Run, *, width: int, color: bool) -> str:
    """Render each benchmark's means as text; estimates are labelled, what is unknown is a dash."""
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=color, no_color=not color, highlight=False, soft_wrap=True)
    names = ", ".join(f"{meter.name} ({', '.join(meter.domains)})" for meter in run.meters)
    console.print(Text(f"measured by {names} on {run.machine.label}"))
    for note in run.notes:
        console.print(Text(note, style="dim"))
    if run.benchmarks:
        console.print(_table(run), soft_wrap=False)
    for benchmark in run.benchmarks:
        for sentence in _sentences(benchmark):
            console.print(sentence)
    return out.getvalue()


def _table(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("benchmark", overflow="fold")
    for name in ("mean", "per output token", "seconds", "cv", "trials", "invalid"):
        table.add_column(name, justify="right", no_wrap=True)
    label = " est." if run.estimated else ""
    for benchmark in run.benchmarks:
        table.add_row(
            Text(benchmark.name),
            _mean(benchmark, benchmark.primary, label),
            _mean(benchmark, Metric.J_PER_OUTPUT_TOKEN, label),
            _mean(benchmark, Metric.DURATION_S, ""),
            _variation(benchmark),
            str(len(benchmark.valid)),
            str(len(benchmark.trials) - len(benchmark.valid)),
        )
    return table


def _values(benchmark: Benchmark, metric: Metric) -> list[float]:
    return [value for trial in benchmark.valid if (value := trial.value(metric)) is not None]


def _mean(benchmark: Benchmark, metric: Metric, label: str) -> str:
    values = _values(benchmark, metric)
    return f"{format_quantity(fmean(values), metric.unit)}{label}" if values else "\N{EN DASH}"


def _variation(benchmark: Benchmark) -> str:
    values = _values(benchmark, benchmark.primary)
    known = len(values) > 1 and fmean(values) > 0
    return format_percent(stdev(values) / fmean(values)) if known else "\N{EN DASH}"


def _sentences(benchmark: Benchmark) -> Iterator[Text]:
    if benchmark.invalid is not None:
        yield Text(f"invalid: {benchmark.name}: {benchmark.invalid}", style="red")
    reasons = dict.fromkeys(trial.invalid for trial in benchmark.trials if trial.invalid is not None)
    for reason in reasons:
        yield Text(f"invalid trial: {benchmark.name}: {reason}", style="yellow")
