import re

import pytest
from fakes import COMMIT, a_machine, a_meter, a_report, a_row
from msgspec.structs import replace
from rich.cells import cell_len

from energygate.model import Head, Metric, Net, Outcome, Times, TrialCounts
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
        domains={"package-0": 1.14, "dram-0": 1.0},
        work={"output_tokens": 1.0},
        detectable=1.034,
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
AT_80 = """\
measured by rapl (package-0) on epyc-7763-2s
warning: the working tree has uncommitted changes: this report describes no
    commit
note: nothing is suspect, so main was not measured

verdict     benchmark        base   head             change       90 % CI
over limit  chat.energy.yml::chat (limit)
                       limit 3.50   3.84 J/request   +9.7 %  +5.0 … +14.0
            3.84 J/request is above the limit of 3.50 J/request.
regressed   chat.energy.yml::chat
                             3.41   3.84 J/request  +12.5 %  +9.1 … +15.8
                            0.340  0.383 J/token    +12.6 %  +9.2 … +15.9
            +12.5 % against 4 stored sessions, not within the budget of 5 %.
            note: model: a → b
missing     gone
            stored runs have it and this run did not measure it.
pass        test_a[x]         100    101 J           +1.0 %   \N{MINUS SIGN}1.0 … +3.0

energy: FAILED, 1 of 3 benchmarks over limit, 1 of 3 benchmarks regressed
"""
AT_40 = """\
verdict     benchmark
        base   head             change       90 % CI
over limit  chat.energy.yml::chat (limit)
  limit 3.50   3.84 J/request   +9.7 %  +5.0 … +14.0
  3.84 J/request is above the limit of
  3.50 J/request.
regressed   chat.energy.yml::chat
        3.41   3.84 J/request  +12.5 %  +9.1 … +15.8
       0.340  0.383 J/token    +12.6 %  +9.2 … +15.9
  +12.5 % against 4 stored sessions, not
  within the budget of 5 %.
  note: model: a → b
missing     gone
  stored runs have it and this run did
  not measure it.
pass        test_a[x]
         100    101 J           +1.0 %   \N{MINUS SIGN}1.0 … +3.0"""
AT_120_IN_DETAIL = """\
measured by rapl (package-0) on epyc-7763-2s
warning: the working tree has uncommitted changes: this report describes no commit
note: nothing is suspect, so main was not measured
meter: rapl (counter): package-0, refreshed every 1.00 ms, steps of 0.0610 mJ
machine: epyc-7763-2s (0123456789ab): governor performance
head: run 20261122T031500Z-1a2b3c4d5e, commit 0123456789ab
base: 1 stored run: 20261101T031500Z-0000000001
commits of the base: 0123456789ab
policy: budget 5 %, smallest effect 2 %, false alarms 5 %, adjusted by bh; fails on over limit, regressed, invalid

verdict     benchmark                            base   head             change       90 % CI
over limit  chat.energy.yml::chat (limit)  limit 3.50   3.84 J/request   +9.7 %  +5.0 … +14.0
            3.84 J/request is above the limit of 3.50 J/request.
            10 trials, 4 sessions
regressed   chat.energy.yml::chat                3.41   3.84 J/request  +12.5 %  +9.1 … +15.8
                                                0.340  0.383 J/token    +12.6 %  +9.2 … +15.9
            +12.5 % against 4 stored sessions, not within the budget of 5 %.
            10 trials, 4 sessions, adjusted p < 0.001, could detect about +3.4 %
            by domain: package-0 +14.0 %, dram-0 0.0 %
            work: output tokens 0.0 %
            note: model: a → b
missing     gone
            stored runs have it and this run did not measure it.
pass        test_a[x]                             100    101 J           +1.0 %   \N{MINUS SIGN}1.0 … +3.0
            10 trials, 4 sessions, adjusted p 0.2

energy: FAILED, 1 of 3 benchmarks over limit, 1 of 3 benchmarks regressed
"""
ANSI = re.compile(r"\x1b\[[\d;]*m")


def rendered(*shown, width=None, verbose=False):
    """The lines of the table: what stands between the two blank lines, without its heading."""
    report = shown[0] if len(shown) == 1 and not hasattr(shown[0], "metric") else a_report(*shown)
    text = render_terminal(report, color=False, width=width, verbose=verbose)
    return text.split("\n\n")[1].splitlines()[1:]


def test_a_report_fits_80_columns():
    assert render_terminal(REPORT, color=False, width=80) == AT_80
    assert max(map(cell_len, AT_80.splitlines())) <= 80


def test_a_wide_window_has_names_beside_figures_and_details_on_request():
    assert render_terminal(REPORT, color=False, width=120, verbose=True) == AT_120_IN_DETAIL


def test_a_narrow_window_has_figures_further_left_and_every_name_whole():
    text = render_terminal(REPORT, color=False, width=40)
    assert text.split("\n\n")[1] == AT_40


def test_a_log_has_a_table_of_80_columns_and_each_sentence_on_a_line_of_its_own():
    joined = AT_80.replace("describes no\n    commit", "describes no commit")
    assert render_terminal(REPORT, color=False) == joined


@pytest.mark.parametrize("width", [None, 80, 120])
def test_colours_change_nothing_but_colours(width):
    coloured = render_terminal(REPORT, color=True, width=width)
    assert ANSI.sub("", coloured) == render_terminal(REPORT, color=False, width=width)


def test_the_verdict_and_its_change_are_coloured_and_what_decides_nothing_is_not():
    regressed, figures, per_token = render_terminal(REPORT, color=True, width=80).splitlines()[9:12]
    assert regressed == "\x1b[1;31mregressed\x1b[0m   chat.energy.yml::chat"
    assert "\x1b[1;31m+12.5 %\x1b[0m" in figures
    assert "\x1b" not in per_token


def test_the_last_line_is_red_for_a_failure_and_green_for_a_pass():
    failed = render_terminal(REPORT, color=True).splitlines()[-1]
    passed = render_terminal(a_report(a_row()), color=True).splitlines()[-1]
    assert failed == "\x1b[1;31menergy: FAILED, 1 of 3 benchmarks over limit, 1 of 3 benchmarks regressed\x1b[0m"
    assert passed == "\x1b[1;32menergy: PASSED, 1 of 1 benchmark within budget\x1b[0m"


def test_where_nothing_was_measured_there_is_no_table():
    text = render_terminal(a_report(exit_code=5, verdict="failed"), color=False)
    assert text == "measured by rapl (package-0) on epyc-7763-2s\nenergy: FAILED, nothing was measured\n"


@pytest.mark.parametrize("width", [None, 80, 120])
def test_a_long_name_stands_whole_beside_its_verdict_above_figures_in_their_columns(width):
    name = "x" * 500
    long, figures, short = rendered(a_row(benchmark=name), a_row(benchmark="short"), width=width)
    assert long == f"pass     {name}"
    assert figures.split() == short.split()[2:] == ["100", "101", "J", "+1.0", "%", "\N{MINUS SIGN}1.0", "…", "+3.0"]
    assert figures.index("101 J") == short.index("101 J")


def test_columns_stay_aligned_with_names_of_wide_characters():
    wide, latin = rendered(a_row(benchmark="推論"), a_row(benchmark="chat"))
    assert cell_len(wide[: wide.index("100")]) == cell_len(latin[: latin.index("100")])


def passing(count):
    return [a_row(benchmark=f"bench.py::test_{i}") for i in range(count)]


def test_of_500_benchmarks_only_passes_are_summed_up_and_the_worst_is_first():
    others = [a_row(benchmark=f"bench.py::bad_{each}", outcome=each) for each in Outcome if each is not Outcome.PASS]
    changed = a_row(benchmark="bench.py::other_work", reason="work changed: +24.7 % input tokens per request.")
    report = a_report(*passing(490), changed, *reversed(others), exit_code=1, verdict="failed")
    lines = rendered(report)
    named = [line.split("bench.py::")[1].split()[0] for line in lines if "bench.py" in line]
    assert named == [*(f"bad_{each}" for each in Outcome if each is not Outcome.PASS), "other_work"]
    assert lines[-1] == "490 passed, not shown: -v"
    in_detail = "\n".join(rendered(report, verbose=True))
    assert in_detail.count("bench.py::") == 500
    assert "not shown" not in in_detail


def test_a_screenful_of_passes_is_shown():
    assert len(rendered(*passing(20))) == 20
    assert rendered(*passing(21)) == []


def test_where_all_pass_and_none_is_shown_it_says_how_many():
    text = render_terminal(a_report(*passing(21)), color=False)
    assert text.splitlines()[-3:] == [
        "21 passed, not shown: -v",
        "",
        "energy: PASSED, 21 of 21 benchmarks within budget",
    ]


def test_every_number_of_an_estimate_says_so():
    estimate = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    report = replace(a_report(a_row(estimated=True)), meters=(estimate,))
    first, label = render_terminal(report, color=False).splitlines()[:2]
    assert first == "estimated by estimate (cpu-estimate) on epyc-7763-2s"
    assert label == "THESE FIGURES ARE ESTIMATES BY MODEL, NOT MEASUREMENTS."
    assert rendered(report)[-1].split()[-8:][:4] == ["101", "J", "(estimate)", "+1.0"]


def test_a_benchmark_without_a_baseline_shows_what_it_used():
    alone = a_row(outcome=Outcome.NO_BASELINE, base=None, ratio=None, reason="nothing is stored.")
    assert rendered(alone) == [
        "no baseline  bench.py::test_encode     \N{EN DASH}   101 J",
        "             nothing is stored.",
    ]


def test_net_values_and_times_are_details():
    net = Net(idle_w=12.1, base=61.0, head=62.0, uncertainty=1.0)
    times = {
        "prefill_s": Times(base=0.31, head=0.30),
        "ttft_s": Times(head=0.412),
        "output_tokens_per_s": Times(head=96),
    }
    per_token = a_row(metric=Metric.J_PER_OUTPUT_TOKEN, base=0.5, head=0.6, net=replace(net, base=0.3, head=0.4))
    report = a_report(a_row(net=net, times=times), per_token)
    arrow, alone = "\N{RIGHTWARDS ARROW}", "from idle power alone)"
    assert [line.strip() for line in rendered(report, verbose=True)[-3:]] == [
        f"median time to first token 0.412 s, output tokens 96/s, mean prefill 0.310 {arrow} 0.300 s",
        f"net of 12.1 W idle: 61.0 {arrow} 62.0 J (\N{PLUS-MINUS SIGN} 1.0 J {alone}",
        f"net of 12.1 W idle: 0.300 {arrow} 0.400 J/token (\N{PLUS-MINUS SIGN} 1.000 J/token {alone}",
    ]
    assert len(rendered(report)) == 2


def test_what_was_measured_in_turns_is_told_with_its_base():
    report = replace(a_report(a_row(how="interleaved", blocks=10)), base=Head(run_id="r1", commit=COMMIT))
    lines = render_terminal(report, color=False, verbose=True).splitlines()
    assert "base, measured in turns: run r1, commit 0123456789ab" in lines
    assert "screened by: 1 stored run: 20261101T031500Z-0000000001" in lines


def test_notes_stand_below_their_row_and_those_of_passes_that_are_summed_up_are_details():
    noted = a_row(benchmark="p", notes=("a new level is accepted",))
    assert rendered(noted)[-1].strip() == "note: a new level is accepted"
    assert rendered(noted, *passing(20)) == []
    assert "note: a new level is accepted" in "\n".join(rendered(noted, *passing(20), verbose=True))


def test_a_pass_has_a_reason_where_its_work_changed():
    reason = (
        "work changed: +24.7 % input tokens per request; J/request +1.0 %, J/token +0.9 %. +1.0 %, within the budget."
    )
    changed, unchanged = a_row(benchmark="changed", reason=reason), a_row(benchmark="unchanged")
    first, said, second = rendered(unchanged, changed)
    assert (first.split()[:2], said.strip(), second.split()[:2]) == (["pass", "changed"], reason, ["pass", "unchanged"])


def test_a_name_from_a_file_cannot_steer_the_terminal():
    evil = "a\x1b[2Jbc\nd\N{RIGHT-TO-LEFT OVERRIDE}e\ud800f"
    report = replace(
        a_report(a_row(outcome=Outcome.INVALID, benchmark=evil, reason=evil), warnings=(evil,)),
        machine=replace(a_machine(), label=evil),
    )
    for width in (None, 80):
        text = render_terminal(report, color=False, width=width)
        assert all(char.isprintable() or char == "\n" for char in text)
        assert text.count("a[2Jbc def") == 4


def test_markup_of_the_terminal_library_in_a_name_is_text():
    assert "[bold red]x[/]" in render_terminal(a_report(a_row(benchmark="[bold red]x[/]")), color=False)
