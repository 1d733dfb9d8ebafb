import re

from fakes import a_machine, a_meter, a_report, a_row
from msgspec.structs import replace

from energygate.model import Metric, Net, Outcome, Times, TrialCounts
from energygate.report.terminal import render_terminal

REPORT = a_report(
    a_row(
        outcome=Outcome.REGRESSED,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_REQUEST,
        reason="+12.5 % against 4 stored sessions, not within the budget of 5 %.",
        base=3.41,
        head=3.84,
        ratio=1.125,
        ratio_low=1.091,
        ratio_high=1.158,
        p_adjusted=1e-4,
        trials=TrialCounts(base=40, head=10),
        notes=("model: a \N{RIGHTWARDS ARROW} b",),
    ),
    a_row(
        outcome=Outcome.REGRESSED,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_OUTPUT_TOKEN,
        base=0.34,
        head=0.383,
        ratio=1.126,
        ratio_low=1.092,
        ratio_high=1.159,
        trials=TrialCounts(base=40, head=10),
    ),
    a_row(
        outcome=Outcome.OVER_LIMIT,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_REQUEST,
        how="limit",
        reason="3.84 J/request is above the limit of 3.50 J/request.",
        base=3.5,
        head=3.84,
        ratio=1.097,
        ratio_low=1.05,
        ratio_high=1.14,
        p_adjusted=None,
        trials=TrialCounts(base=40, head=10),
    ),
    a_row(
        outcome=Outcome.MISSING,
        benchmark="gone",
        reason="stored runs have it and this run did not measure it.",
        base=None,
        head=None,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        p_adjusted=None,
    ),
    a_row(benchmark="test_a[x]", trials=TrialCounts(base=40, head=10)),
    exit_code=1,
    verdict="failed",
    warnings=("the working tree has uncommitted changes: this report describes no commit",),
    notes=("nothing is suspect, so main was not measured",),
)
TEXT = """\
measured by rapl (package-0) on epyc-7763-2s
warning: the working tree has uncommitted changes: this report describes no commit
note: nothing is suspect, so main was not measured
regressed     chat.energy.yml::chat  +12.5 % (90 % CI +9.1 … +15.8)
              3.41 → 3.84 J/request; 10 trials, 4 sessions, adjusted p < 0.001
              0.340 → 0.383 J/token  +12.6 % (90 % CI +9.2 … +15.9)
              +12.5 % against 4 stored sessions, not within the budget of 5 %.
              note: model: a → b
over limit    chat.energy.yml::chat (limit)  +9.7 % against the limit (90 % CI +5.0 … +14.0)
              3.84 J/request, limit 3.50 J/request; 10 trials, 4 sessions
              3.84 J/request is above the limit of 3.50 J/request.
missing       gone
              stored runs have it and this run did not measure it.
pass          test_a[x]  +1.0 % (90 % CI \N{MINUS SIGN}1.0 … +3.0)
              100 → 101 J; 10 trials, 4 sessions, adjusted p 0.2
energy: FAILED, 1 of 3 benchmarks over limit, 1 of 3 benchmarks regressed
"""
ANSI = re.compile(r"\x1b\[[\d;]*m")


def test_a_small_report_is_whole():
    assert render_terminal(REPORT, color=False) == TEXT


def test_colours_change_nothing_but_colours():
    coloured = render_terminal(REPORT, color=True)
    assert ANSI.sub("", coloured) == TEXT


def test_the_last_line_is_red_for_a_failure_and_green_for_a_pass():
    failed = render_terminal(REPORT, color=True).splitlines()[-1]
    passed = render_terminal(a_report(a_row()), color=True).splitlines()[-1]
    assert failed == "\x1b[1;31menergy: FAILED, 1 of 3 benchmarks over limit, 1 of 3 benchmarks regressed\x1b[0m"
    assert passed == "\x1b[1;32menergy: PASSED, 1 of 1 benchmark within budget\x1b[0m"


def test_a_long_name_is_not_broken():
    name = "x" * 500
    assert name in render_terminal(a_report(a_row(benchmark=name)), color=False)


def test_every_number_of_an_estimate_says_so():
    estimate = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    report = replace(a_report(a_row(estimated=True)), meters=(estimate,))
    first, label, _, sides, _ = render_terminal(report, color=False).splitlines()
    assert first == "estimated by estimate (cpu-estimate) on epyc-7763-2s"
    assert label == "THESE FIGURES ARE ESTIMATES BY MODEL, NOT MEASUREMENTS."
    assert sides.strip().startswith("100 \N{RIGHTWARDS ARROW} 101 J (estimate); ")


def test_net_values_stand_below_the_gross_ones():
    net = Net(idle_w=12.1, base=61.0, head=62.0, uncertainty=1.0)
    per_token = a_row(metric=Metric.J_PER_OUTPUT_TOKEN, base=0.5, head=0.6, net=replace(net, base=0.3, head=0.4))
    text = render_terminal(a_report(a_row(net=net), per_token), color=False)
    arrow, alone = "\N{RIGHTWARDS ARROW}", "from idle power alone)"
    assert text.splitlines()[4:6] == [
        f"              net of 12.1 W idle: 61.0 {arrow} 62.0 J (\N{PLUS-MINUS SIGN} 1.0 J {alone}",
        f"              net of 12.1 W idle: 0.300 {arrow} 0.400 J/token (\N{PLUS-MINUS SIGN} 1.000 J/token {alone}",
    ]


def test_a_pass_has_a_reason_where_its_work_changed():
    reason = (
        "work changed: +24.7 % input tokens per request; J/request +1.0 %, J/token +0.9 %. +1.0 %, within the budget."
    )
    changed, unchanged = a_row(benchmark="changed", reason=reason), a_row(benchmark="unchanged")
    text = render_terminal(a_report(changed, unchanged), color=False)
    assert f"\n              {reason}\npass          unchanged" in text
    assert unchanged.reason not in text


def test_a_name_from_a_file_cannot_steer_the_terminal():
    evil = "a\x1b[2Jbc\nd\N{RIGHT-TO-LEFT OVERRIDE}e\ud800f"
    report = replace(
        a_report(a_row(outcome=Outcome.INVALID, benchmark=evil, reason=evil), warnings=(evil,)),
        machine=replace(a_machine(), label=evil),
    )
    text = render_terminal(report, color=False)
    assert "".join(char for char in text if not char.isprintable()) == "\n" * 6
    assert text.count("a[2Jbc def") == 4


def test_markup_of_the_terminal_library_in_a_name_is_text():
    assert "[bold red]x[/]" in render_terminal(a_report(a_row(benchmark="[bold red]x[/]")), color=False)


def test_how_fast_a_server_answered_stands_below_its_joules_as_time():
    times = {
        "prefill_s": Times(base=0.31, head=0.30),
        "ttft_s": Times(head=0.412),
        "output_tokens_per_s": Times(head=96),
    }
    text = render_terminal(a_report(a_row(times=times)), color=False)
    assert (
        "  median time to first token 0.412 s, output tokens 96/s, mean prefill 0.310 \N{RIGHTWARDS ARROW} 0.300 s\n"
        in text
    )
