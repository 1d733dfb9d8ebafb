"""A report's trials as spans: one trace a run, and nothing in it but names, codes and numbers."""

import datetime as dt

from exported_report import AT, BASE, CHAT, ESTIMATED, MEASURED, RUN, SECRET, SUM, a_point
from fakes import COMMIT, a_meter, a_report, a_row
from msgspec.structs import replace

from energygate.model import Evidence, Metric, Outcome, Point, Side
from energygate.telemetry.attributes import of_resource
from energygate.telemetry.runs import measured_runs
from energygate.telemetry.trace import spans_of

AT_NS = int(AT.timestamp()) * 10**9
TOKENS = {
    "gen_ai.usage.input_tokens": 4096,
    "gen_ai.usage.output_tokens": 2048,
    "gen_ai.usage.cache_read.input_tokens": 64,
}
BENCHMARK = {
    "energygate.benchmark": CHAT,
    "energygate.reading": "measured",
    "gen_ai.request.model": "smollm2-135m",
    "energygate.metric": "j_per_request",
    "energygate.budget": 0.1,
}


def seconds(span):
    return ((span.begin_ns - AT_NS) / 1e9, (span.end_ns - AT_NS) / 1e9)


def test_a_run_is_a_trace_of_its_benchmarks_and_their_trials():
    judged = measured_runs(MEASURED)[0]
    run, chat, first, failed, last = spans_of(MEASURED, judged)
    assert (run.name, run.parent, seconds(run), run.fault) == ("energygate run", b"", (0.0, 11.5), "")
    assert run.attributes == {
        "energygate.side": "head",
        "energygate.in_turns": False,
        "energygate.verdict": "failed",
        "energygate.exit_code": 1,
    }
    assert (chat.name, chat.parent, seconds(chat), chat.fault) == (CHAT, run.id, (0.0, 11.5), "")
    assert chat.attributes == {**BENCHMARK, "energygate.side": "head"}
    assert [(s.name, s.parent, seconds(s), s.fault) for s in (first, failed, last)] == [
        ("trial", chat.id, (0.0, 3.5), ""),
        ("trial", chat.id, (4.0, 7.5), "work_failed"),
        ("trial", chat.id, (8.0, 11.5), ""),
    ]
    assert failed.attributes == {
        "energygate.trial.index": 1,
        "energygate.trial.iterations": 1,
        "energygate.trial.valid": False,
        "energygate.trial.invalid": "work_failed",
        "energygate.j_per_request": 6.0 / 32,
        "energygate.energy": 6.0,
        "energygate.energy.package-0": 5.0,
        "energygate.energy.gpu-0": 1.0,
        "energygate.temperature.gpu-0": 61.0,
        "energygate.requests": 32,
        **TOKENS,
    }


def test_the_outcome_stands_at_the_run_that_it_rests_on():
    _, head, base = measured_runs(MEASURED)
    assert (head.name, head.in_turns, base.name, base.in_turns) == ("head", True, "base", True)
    chat, of_base = spans_of(MEASURED, head)[1], spans_of(MEASURED, base)[1]
    assert chat.fault == "regressed"
    assert chat.attributes == {
        **BENCHMARK,
        "energygate.side": "head",
        "energygate.outcome": "regressed",
        "energygate.base": 3.41,
        "energygate.head": 3.84,
        "energygate.ratio": 1.125,
        "energygate.ratio_low": 1.091,
        "energygate.ratio_high": 1.158,
    }
    assert (of_base.fault, of_base.attributes) == ("", {**BENCHMARK, "energygate.side": "base"})
    assert "energygate.verdict" not in spans_of(MEASURED, head)[0].attributes
    assert spans_of(MEASURED, base)[2].attributes["energygate.trial.block"] == 0


def test_against_stored_sessions_the_outcome_stands_at_the_judged_run():
    side = Side(run_id=RUN, commit=COMMIT, at=AT, points=(a_point(0, 100.0),))
    report = replace(ESTIMATED, evidence=(Evidence(benchmark=SUM, metric=Metric.ENERGY_J, head=side),))
    (judged,) = measured_runs(report)
    attributes = spans_of(report, judged)[1].attributes
    assert (attributes["energygate.outcome"], attributes["energygate.reading"]) == ("pass", "estimate")


def test_a_resource_says_which_run_it_is_and_the_environment_adds_to_it_and_replaces_nothing():
    judged, _, base = measured_runs(MEASURED)
    environment = {"host.name": "bench-1", "service.name": "mine"}
    assert of_resource(MEASURED, judged, environment) == {
        "host.name": "bench-1",
        "service.name": "energygate",
        "service.version": "0.1.0",
        "service.instance.id": RUN,
        "vcs.ref.head.revision": COMMIT,
        "vcs.ref.head.name": "faster",
        "energygate.repository": "acme/shop",
        "energygate.machine.label": "epyc-7763-2s",
        "energygate.machine.fingerprint": "0123456789ab",
        "energygate.meters": ("rapl", "nvml"),
    }
    of_base = of_resource(MEASURED, base, {})
    assert (of_base["vcs.ref.head.revision"], "vcs.ref.head.name" in of_base) == (BASE, False)


def test_no_sentence_is_exported_for_it_may_quote_an_answer():
    spans = [span for run in measured_runs(MEASURED) for span in spans_of(MEASURED, run)]
    assert SECRET not in repr(spans)


def test_ids_follow_from_the_run_so_that_what_is_sent_twice_is_the_same_and_no_two_spans_share_one():
    spans = [span for run in measured_runs(MEASURED) for span in spans_of(MEASURED, run)]
    again = [span for run in measured_runs(MEASURED) for span in spans_of(MEASURED, run)]
    assert spans == again
    assert len({(span.trace, span.id) for span in spans}) == len(spans) == 11
    assert {(len(span.trace), len(span.id)) for span in spans} == {(16, 8)}
    assert len({span.trace for span in spans}) == 3


def test_a_benchmark_without_trials_is_a_span_without_length_and_a_hostile_name_is_one_line():
    name = "a\nb\x1b[2Jc\ud800"
    at = dt.datetime(2026, 1, 1, microsecond=1, tzinfo=dt.UTC)
    side = Side(run_id=name, commit=None, at=at, points=())
    report = replace(
        a_report(a_row(benchmark=name, outcome=Outcome.INVALID)),
        evidence=(Evidence(benchmark=name, metric=Metric.ENERGY_J, head=side),),
    )
    (run,) = measured_runs(report)
    _, benchmark = spans_of(report, run)
    assert (benchmark.name, benchmark.attributes["energygate.benchmark"]) == ("a b [2Jc", "a b [2Jc")
    assert benchmark.begin_ns == benchmark.end_ns == int(at.timestamp()) * 10**9 + 1000


def test_what_a_foreign_report_says_is_made_fit_and_a_fault_that_has_no_code_is_not_quoted():
    point = Point(
        started_s=0.0, duration_s=1.0, energy_j={"a\nb": 1.0}, throttled=("gpu-0:\x1b",), invalid=f"{SECRET}: more"
    )
    side = Side(run_id=RUN, commit=None, at=AT, points=(point,))
    report = replace(MEASURED, evidence=(Evidence(benchmark=CHAT, metric=Metric.J_PER_REQUEST, head=side),))
    (run,) = measured_runs(report)
    trial = spans_of(report, run)[2]
    assert trial.fault == "invalid"
    assert trial.attributes == {
        "energygate.trial.index": 0,
        "energygate.trial.iterations": 1,
        "energygate.trial.valid": False,
        "energygate.trial.invalid": "invalid",
        "energygate.energy": 1.0,
        "energygate.energy.a b": 1.0,
        "energygate.throttled": ("gpu-0:",),
    }
    hostile = replace(report, meters=(a_meter(name="a\ud800\nb"),))
    assert of_resource(hostile, run, {})["energygate.meters"] == ("a b",)


def test_a_report_without_evidence_has_no_runs():
    assert measured_runs(ESTIMATED) == ()
