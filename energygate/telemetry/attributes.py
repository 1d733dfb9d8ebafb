"""Names of attributes: OpenTelemetry's where it has one, `energygate.*` where it has none.

Names, codes and numbers alone. No sentence of a report is an attribute: a reason may quote what a server answered.
https://opentelemetry.io/docs/specs/semconv/hardware/common/
https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from energygate.model import GateReport, Point, Work
from energygate.report.openmetrics.subject import reading
from energygate.telemetry.runs import Measured, MeasuredRun
from energygate.workloads.text import printable

Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]
_TYPES: Final = {"package": "cpu", "dram": "memory", "gpu": "gpu"}
_TOKENS: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}
_CODE: Final = re.compile("[a-z_]{1,40}")
HOST: Final = "host"


def known(found: Iterable[tuple[str, Value | None]]) -> dict[str, Value]:
    """Leave out what is unknown, and make texts fit to be shown."""
    return {printable(name): _fit(value) for name, value in found if value is not None and value not in {"", ()}}


def of_resource(report: GateReport, run: MeasuredRun, environment: Attributes) -> Attributes:
    """What a run was measured with, and of what.

    Parameters
    ----------
    environment : mapping
        What the environment says of the machine, such as `host.name`; it may not replace what the report says.
    """
    own = known(
        [
            ("service.name", "energygate"),
            ("service.version", report.tool.get("energygate")),
            ("service.instance.id", run.run_id),
            ("vcs.ref.head.revision", run.commit),
            ("vcs.ref.head.name", report.head.branch if run.name == "head" else None),
            ("energygate.repository", report.head.repository),
            ("energygate.machine.label", report.machine.label),
            ("energygate.machine.fingerprint", report.machine.fingerprint),
            ("energygate.meters", tuple(meter.name for meter in report.meters)),
        ]
    )
    return {**environment, **own}


def of_run(report: GateReport, run: MeasuredRun) -> Attributes:
    """What the span of a run says: the verdict stands at the judged run alone."""
    judged = run.name == "head" and not run.in_turns
    return known(
        [
            ("energygate.side", run.name),
            ("energygate.in_turns", run.in_turns),
            ("energygate.verdict", report.verdict if judged else None),
            ("energygate.exit_code", report.exit_code if judged else None),
        ]
    )


def of_benchmark(report: GateReport, run: MeasuredRun, measured: Measured) -> Attributes:
    """What the span of a benchmark says: the outcome stands where it rests on this run."""
    row, evidence = measured.row, measured.evidence
    figures = () if row is None else ("outcome", "base", "head", "ratio", "ratio_low", "ratio_high")
    return {
        **of_series(report, run, measured),
        **known(
            [
                ("gen_ai.request.model", evidence.labels.get("model")),
                ("energygate.metric", evidence.metric.value),
                ("energygate.budget", evidence.budget),
                *((f"energygate.{name}", getattr(row, name)) for name in figures),
            ]
        ),
    }


def of_series(report: GateReport, run: MeasuredRun, measured: Measured) -> dict[str, Value]:
    """What tells a benchmark's numbers from another's, and an estimate from a measurement."""
    name = measured.evidence.benchmark
    row = next((row for row in report.comparisons if row.benchmark == name), None)
    how = None if row is None else reading(report, row)
    return known([("energygate.benchmark", name), ("energygate.side", run.name), ("energygate.reading", how)])


def of_trial(measured: Measured, index: int, point: Point) -> Attributes:
    """What the span of a trial says."""
    metric = measured.evidence.metric
    temperatures = point.temperature_c.items()
    return known(
        [
            ("energygate.trial.index", index),
            ("energygate.trial.block", point.block),
            ("energygate.trial.iterations", point.iterations),
            ("energygate.trial.valid", point.invalid is None),
            ("energygate.trial.invalid", invalid_code(point)),
            (f"energygate.{metric.value}", point.value),
            ("energygate.energy", sum(point.energy_j.values())),
            *((f"energygate.energy.{domain}", energy_j) for domain, energy_j in point.energy_j.items()),
            *((f"energygate.temperature.{domain}", degrees_c) for domain, degrees_c in temperatures),
            ("energygate.throttled", point.throttled),
            *_of_work(point.work),
        ]
    )


def invalid_code(point: Point) -> str | None:
    """Why a trial does not count, without the sentence that may quote its output."""
    if point.invalid is None:
        return None
    code = point.invalid.partition(":")[0]
    return code if _CODE.fullmatch(code) else "invalid"


def of_domain(domain: str) -> Attributes:
    """What OpenTelemetry's `hw.*` metrics need to know of a domain."""
    if domain == HOST:
        return {"hw.id": HOST}
    kind = re.sub(r"[-_]?\d+$", "", domain)
    return known([("hw.id", domain), ("hw.type", _TYPES.get(kind, kind))])


def _fit(value: Value) -> Value:
    match value:
        case str():
            return printable(value)
        case tuple():
            return tuple(printable(each) for each in value)
        case _:
            return value


def _of_work(work: Work) -> Iterable[tuple[str, Value | None]]:
    yield "energygate.requests", work.requests
    for count, name in _TOKENS.items():
        yield name, getattr(work, count)
