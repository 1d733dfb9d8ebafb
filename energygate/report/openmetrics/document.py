"""Which metrics there are, in their order, and the text of them all."""

from collections.abc import Mapping
from typing import Final

from energygate.model import GateReport
from energygate.report.openmetrics import of_rows, of_run, of_terms
from energygate.report.openmetrics.exposition import Family, written
from energygate.report.openmetrics.of_rows import Samples
from energygate.report.openmetrics.subject import Subject

_SAMPLES: Final[Mapping[Family, Samples]] = {
    of_run.RUN_INFO: of_run.run_info,
    of_run.RUN_START: of_run.run_start,
    of_run.METER_INFO: of_run.meter_info,
    of_run.VERDICT: of_run.verdict,
    of_run.EXIT_CODE: of_run.exit_code,
    of_run.BENCHMARKS: of_run.benchmarks,
    of_rows.OUTCOME: of_rows.outcome,
    **{family: of_rows.level(metric) for metric, family in of_rows.LEVELS.items()},
    of_rows.RATIO: of_rows.figure("ratio"),
    of_rows.RATIO_LOW: of_rows.figure("ratio_low"),
    of_rows.RATIO_HIGH: of_rows.figure("ratio_high"),
    of_rows.BUDGET: of_rows.budget,
    of_rows.DETECTABLE: of_rows.figure("detectable"),
    of_rows.P_VALUE: of_rows.figure("p_adjusted"),
    of_rows.DOMAINS: of_rows.parts("domains", "domain"),
    of_rows.WORK: of_rows.parts("work", "work"),
    of_rows.TRIALS: of_rows.trials,
    of_rows.INVALID: of_rows.counted(lambda row: row.trials.invalid),
    of_rows.SESSIONS: of_rows.counted(lambda row: row.sessions),
    of_rows.BLOCKS: of_rows.counted(lambda row: row.blocks),
    of_terms.CARBON: of_terms.carbon,
    of_terms.COST: of_terms.cost,
    of_terms.ASSUMPTION: of_terms.assumption,
}
FAMILIES: Final = tuple(_SAMPLES)


def render_openmetrics(report: GateReport) -> str:
    """Give the text: the same for OpenMetrics and for Prometheus's text format. What is unknown is absent."""
    subject = Subject(report=report)
    return written((family, tuple(samples(subject))) for family, samples in _SAMPLES.items())
