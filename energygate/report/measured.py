"""What a run measured, without any verdict: for `measure` mode, after recording, and for stored runs."""

from collections.abc import Iterator
from statistics import fmean, stdev

from rich.text import Text

from energygate.model import Benchmark, Metric, Run, reasons_by_code
from energygate.report import rows
from energygate.report.terminal import to_text
from energygate.units import format_percent, format_quantity


def render_measured(run: Run, *, color: bool) -> str:
    """Render each benchmark's means as text; estimates are labelled, what is unknown is left out."""
    return to_text(_lines(run), color=color)


def _lines(run: Run) -> Iterator[Text]:
    yield Text(f"{rows.provenance(run.meters)} on {run.machine.label}")
    for benchmark in run.benchmarks:
        yield Text(benchmark.name, style="bold")
        if benchmark.valid:
            yield Text(f"    {', '.join(_figures(benchmark, estimated=run.estimated))}")
        if benchmark.invalid is not None:
            yield Text(f"    invalid: {benchmark.invalid}", style="bold red")
        for reason, count in reasons_by_code(benchmark.trials):
            yield Text(f"    {count} invalid trial{'s' if count > 1 else ''}: {reason}", style="yellow")


def _figures(benchmark: Benchmark, *, estimated: bool) -> Iterator[str]:
    label = " (estimate)" if estimated else ""
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
