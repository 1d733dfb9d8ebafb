"""Whole reports with every trial, as exports are made from: one that failed, and one of estimates."""

import datetime as dt

from fakes import COMMIT, a_machine, a_meter, a_report, a_row
from msgspec.structs import replace

from energygate.model import Evidence, Head, Intensity, Metric, Outcome, Point, Side, Terms, TrialCounts, Work

BASE = "89" * 20
CHAT = "chat.energy.yml::chat"
NEW = "bench.py::test_new"
SUM = "bench.py::test_sum"
AT = dt.datetime(2026, 11, 22, 3, 15, tzinfo=dt.UTC)
RUN = "20261122T031500Z-1a2b3c4d5e"


def a_point(index, energy_j, *, block=None, invalid=None, gpu_j=None):
    """Give a trial of 3.5 s that begins every 4 s."""
    domains = {"package-0": energy_j} | ({} if gpu_j is None else {"gpu-0": gpu_j})
    return Point(
        started_s=4.0 * index,
        duration_s=3.5,
        energy_j=domains,
        value=sum(domains.values()) / 32,
        work=Work(requests=32, input_tokens=4096, output_tokens=2048, cached_input_tokens=64),
        block=block,
        temperature_c={} if gpu_j is None else {"gpu-0": 61.0},
        invalid=invalid,
    )


SECRET = "the answer was: Bananas"


def _side(run_id, commit, *points, at=AT):
    return Side(run_id=run_id, commit=commit, at=at, points=points)


_LATER = AT + dt.timedelta(minutes=10)
MEASURED = replace(
    a_report(
        a_row(
            outcome=Outcome.REGRESSED,
            benchmark=CHAT,
            metric=Metric.J_PER_REQUEST,
            reason=SECRET,
            how="interleaved",
            base=3.41,
            head=3.84,
            ratio=1.125,
            ratio_low=1.091,
            ratio_high=1.158,
            p_adjusted=1e-4,
            trials=TrialCounts(base=2, head=2, invalid=1),
            blocks=2,
            detectable=1.034,
            domains={"package-0": 1.13, "gpu-0": 1.01},
            work={"output_tokens": 1.001},
        ),
        a_row(
            outcome=Outcome.REGRESSED,
            benchmark=CHAT,
            metric=Metric.J_PER_OUTPUT_TOKEN,
            how="interleaved",
            base=0.0533,
            head=0.06,
            ratio=1.126,
            ratio_low=1.092,
            ratio_high=1.159,
        ),
        a_row(
            outcome=Outcome.INCONCLUSIVE,
            benchmark=CHAT,
            metric=Metric.J_PER_REQUEST,
            how="limit",
            base=3.8,
            head=3.84,
            ratio=1.011,
            ratio_low=0.972,
            ratio_high=1.05,
        ),
        a_row(
            outcome=Outcome.PASS,
            benchmark=CHAT,
            metric=Metric.J_PER_REQUEST,
            how="anchor",
            anchor="v1",
            base=4.0,
            head=3.84,
            ratio=0.96,
            ratio_low=0.95,
            ratio_high=0.97,
        ),
        a_row(
            outcome=Outcome.NO_BASELINE,
            benchmark=NEW,
            base=None,
            ratio=None,
            ratio_low=None,
            ratio_high=None,
            p_value=None,
            p_adjusted=None,
            trials=TrialCounts(head=10),
            sessions=0,
        ),
        a_row(
            outcome=Outcome.PASS, benchmark=NEW, how="limit", base=120.0, ratio=0.842, ratio_low=0.83, ratio_high=0.85
        ),
        a_row(
            outcome=Outcome.PASS,
            benchmark=CHAT,
            metric=Metric.J_PER_OUTPUT_TOKEN,
            how="limit",
            base=0.35,
            head=0.06,
            ratio=0.171,
            ratio_low=0.17,
            ratio_high=0.172,
        ),
        exit_code=1,
        verdict="failed",
    ),
    head=Head(run_id=RUN, commit=COMMIT, repository="acme/shop", branch="faster"),
    base=Head(run_id="20261122T032500Z-00000000aa", commit=BASE),
    meters=(a_meter(), a_meter(name="nvml", domains=("gpu-0",))),
    terms=Terms(
        price_per_kwh=0.3,
        currency="EUR",
        pue=1.2,
        intensity=Intensity(g_co2e_per_kwh=363.0, source="Ember", zone="DE", year=2024, kind="average"),
    ),
    evidence=(
        Evidence(
            benchmark=CHAT,
            metric=Metric.J_PER_REQUEST,
            labels={"model": "smollm2-135m", "system": "sha256"},
            budget=0.1,
            head=_side(
                RUN,
                COMMIT,
                a_point(0, 100.0, gpu_j=22.0),
                a_point(1, 5.0, gpu_j=1.0, invalid=f"work_failed: {SECRET}"),
                a_point(2, 101.0, gpu_j=23.0),
            ),
            turns=(
                _side("20261122T032500Z-00000000aa", BASE, a_point(0, 90.0, block=0), at=_LATER),
                _side("20261122T032500Z-00000000bb", COMMIT, a_point(1, 99.0, block=0), at=_LATER),
            ),
        ),
    ),
)
ESTIMATED = replace(
    a_report(a_row(benchmark=SUM, estimated=True, label="estimate", trials=TrialCounts(base=40, head=10))),
    head=Head(run_id="20261123T031500Z-00000000cc", commit=BASE, repository="acme/tools", branch="main"),
    machine=replace(a_machine(), label="small-vm"),
    meters=(a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)),),
)
