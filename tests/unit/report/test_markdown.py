import html
import re
from pathlib import Path

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from fakes import a_machine, a_meter, a_report, a_row
from msgspec.structs import replace

from energygate.model import BaselineRuns, Head, Metric, Net, Outcome, Times, TrialCounts
from energygate.report.markdown import MARKER, code, render_markdown, span

GOLDEN = Path(__file__).parent / "golden" / "comment.md"
NUMBER = re.compile(r"\d J\b|\d J/")


def rendered(markdown):
    """What GitHub shows. UNSAFE keeps raw HTML, so that `<details>` and what must not become HTML can be seen."""
    return cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE)


def cells_of(markdown):
    """The cells of every table row but the header, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", rendered(markdown), re.DOTALL)
    return [
        [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in rows
        if "<td" in row
    ]


WHOLE = a_report(
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
        trials=TrialCounts(base=40, head=10, invalid=1),
        domains={"package-0": 1.13, "gpu-0": 1.01},
        work={"output_tokens": 1.001},
        notes=("model: a \N{RIGHTWARDS ARROW} b",),
    ),
    a_row(
        outcome=Outcome.REGRESSED,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_OUTPUT_TOKEN,
        ratio=1.126,
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
        outcome=Outcome.INCONCLUSIVE,
        benchmark="bench.py::test_embed[a|b]",
        reason="+6.5 %: neither within the budget of 5 % nor above it.",
        base=0.31,
        head=0.33,
        ratio=1.065,
        ratio_low=0.978,
        ratio_high=1.159,
        p_adjusted=0.16,
        detectable=1.09,
        trials=TrialCounts(base=40, head=10),
    ),
    a_row(
        outcome=Outcome.NO_BASELINE,
        benchmark="bench.py::test_new",
        reason="no stored run has it yet. Record one on the main branch.",
        base=None,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        p_adjusted=None,
        sessions=0,
        trials=TrialCounts(head=10),
    ),
    a_row(benchmark="bench.py::test_sum", trials=TrialCounts(base=40, head=10)),
    a_row(benchmark="bench.py::test_max", trials=TrialCounts(base=40, head=10)),
    exit_code=1,
    verdict="failed",
    warnings=("the working tree has uncommitted changes: this report describes no commit",),
)


def test_a_whole_comment_is_as_the_golden_file_has_it():
    assert render_markdown(WHOLE) == GOLDEN.read_text(encoding="utf-8")


def test_the_golden_comment_is_shown_as_tables_and_folded_parts():
    shown = rendered(GOLDEN.read_text(encoding="utf-8"))
    assert shown.count("<table>") == 3
    assert shown.count("<details>") == shown.count("</details>") == 3
    rows = cells_of(GOLDEN.read_text(encoding="utf-8"))
    assert [len(cells) for cells in rows] == [9] * 4 + [2] * 4 + [8] * 2
    assert rows[2][1] == "bench.py::test_embed[a|b]"
    assert "<code>bench.py::test_embed[a|b]</code>:" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"`a\|b`"),
        (r"a\|b", r"`a\\|b`"),
        ("a`b", "``a`b``"),
        ("`x`", "`` `x` ``"),
        ("``", "``` `` ```"),
        ("", "`(empty)`"),
        ("\u200b\u202e", "`(empty)`"),
        ("@org/team #12", "`@org/team #12`"),
        ("\u202eevil", "`evil`"),
        ("x" * 100, "`" + "x" * 79 + "\N{HORIZONTAL ELLIPSIS}`"),
        ("x" * 80, "`" + "x" * 80 + "`"),
        (MARKER, f"`{MARKER}`"),
        ("a\nb\rc\td\u2028e", "`a b c d e`"),
        ("a\x00\x1b[2Jb", "`a[2Jb`"),
        ("  spaced  out  ", "`spaced out`"),
    ],
)
def test_foreign_text_is_code_in_one_cell(text, shown):
    assert code(text) == shown


def test_outside_a_table_a_pipe_needs_no_backslash():
    assert span("a|b") == "`a|b`"
    assert rendered(span("a|b")) == "<p><code>a|b</code></p>\n"


HOSTILE = (
    "`|<img src=x onerror=1>|@org/team [x](http://evil) <!-- energygate:v1:default -->\n| a | b |\n::error::\x00%0A"
)


def test_a_hostile_name_is_text_wherever_it_stands():
    row = a_row(
        outcome=Outcome.REGRESSED,
        benchmark=HOSTILE,
        reason=HOSTILE,
        notes=(HOSTILE,),
        domains={HOSTILE: 1.1},
        work={HOSTILE: 1.1},
    )
    report = replace(
        a_report(row, a_row(benchmark=HOSTILE), warnings=(HOSTILE,)),
        tool={"energygate": HOSTILE},
        head=Head(run_id=HOSTILE, commit=HOSTILE),
        baseline=BaselineRuns(runs=(HOSTILE,), commits=(HOSTILE,)),
        machine=replace(a_machine(), label=HOSTILE),
        meters=(a_meter(name=HOSTILE, domains=(HOSTILE,)),),
        policy=replace(WHOLE.policy, adjust=HOSTILE),
    )
    comment = render_markdown(report)
    shown = rendered(comment)
    assert "<img" not in shown
    assert "<a " not in shown
    assert shown.count("<!--") == 1
    assert [line for line in comment.splitlines() if line.startswith(MARKER)] == [MARKER]
    assert [len(cells) for cells in cells_of(comment)] == [8, 2, 2, 2, 8]


@pytest.mark.parametrize("outcome", [Outcome.REGRESSED, Outcome.PASS, Outcome.NO_BASELINE])
def test_a_thousand_benchmarks_with_long_names_fit_into_a_comment_and_the_rest_is_counted(outcome):
    name = "\N{SNOWMAN}" * 200
    rows = [a_row(outcome=outcome, benchmark=f"{number:04}{name}") for number in range(1000)]
    comment = render_markdown(a_report(*rows))
    assert len(comment.encode()) <= 60_000
    shown = rendered(comment)
    assert shown.count("<details>") == shown.count("</details>")
    assert re.search(r"_\d+ more (part|row)s? left out for length; the JSON report has all\._", comment)
    assert comment.splitlines()[-1].startswith("<sub>energygate ")


def test_the_worst_rows_stay_when_a_comment_is_too_long_and_the_hidden_ones_are_counted():
    rows = [
        a_row(outcome=Outcome.REGRESSED, benchmark=f"{number:03}{'x' * 200}", reason="r" * 300, domains={"d": 1.1})
        for number in range(200)
    ]
    comment = render_markdown(a_report(*rows))
    names = [cells[1][:3] for cells in cells_of(comment) if len(cells) == 8]
    assert names == [f"{number:03}" for number in range(len(names))]
    assert f"_{200 - len(names)} more rows left out for length; the JSON report has all._" in comment
    assert len(names) > 50
    assert len(comment.encode()) <= 60_000


def test_what_fits_is_shown_whole():
    comment = render_markdown(a_report(*[a_row(benchmark=str(number)) for number in range(100)]))
    assert len(cells_of(comment)) == 100
    assert "left out" not in comment


def test_every_joule_of_an_estimate_says_so_and_the_first_paragraph_too():
    rows = [a_row(outcome=outcome, benchmark=outcome, estimated=True) for outcome in Outcome]
    estimate = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    comment = render_markdown(replace(a_report(*rows), meters=(estimate,)))
    numbers = [cell for cells in cells_of(comment) for cell in cells if NUMBER.search(cell)]
    assert numbers == ["100 J (estimate)", "101 J (estimate)"] * len(Outcome)
    assert "Estimated by `estimate` (`cpu-estimate`) on `epyc-7763-2s`. **These figures are estimates" in comment
    assert "Measured by" not in comment


def test_integrated_power_is_called_so_and_not_an_estimate_by_model():
    power = a_meter(name="nvml-power", kind="integrated", domains=("gpu-0",))
    row = a_row(estimated=True, label="integrated power")
    comment = render_markdown(replace(a_report(row), meters=(power,)))
    assert "101 J (integrated power)" in comment
    assert (
        "Integrated by `nvml-power` (`gpu-0`) on `epyc-7763-2s`. **These figures are integrated power, not measured "
        "energy.**"
    ) in comment


def test_an_estimate_says_how_good_it_is():
    detail = "cpu-estimate: 5.00 W per busy core, 0 W base; not calibrated, so its error is unknown"
    meter = replace(a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)), detail=detail)
    text = render_markdown(replace(a_report(a_row(estimated=True)), meters=(meter,)))
    assert f"Estimated by `estimate` (`{detail}`) on `epyc-7763-2s`." in text


def test_net_values_are_a_folded_part_of_their_own_and_one_that_is_refused_says_why():
    evil = "`<b>|x"
    net = Net(idle_w=12.1, base=61.0, head=62.0, uncertainty=1.0)
    refused = Net(idle_w=12.1, refused=f"the trials' of {evil}")
    text = render_markdown(a_report(a_row(benchmark="a", net=net), a_row(benchmark=evil, net=refused)))
    (part,) = (part for part in text.split("<details>") if part.startswith("<summary>Net of idle power</summary>"))
    assert part.splitlines()[2:4] == [
        "- `a`: net of 12.1 W idle: 61.0 \N{RIGHTWARDS ARROW} 62.0 J (\N{PLUS-MINUS SIGN} 1.0 J from idle power alone)",
        f"- `` {evil} ``: ``net of idle: not shown, because the trials' of {evil}``",
    ]
    assert "<b>" not in rendered(text)


def test_measured_joules_are_not_called_estimates():
    assert "stimate" not in render_markdown(a_report(a_row()))


def test_what_is_missing_is_a_dash_and_never_zero():
    unknown = dict.fromkeys(["base", "head", "ratio", "ratio_low", "ratio_high", "p_value", "p_adjusted"])
    row = a_row(outcome=Outcome.MISSING, sessions=0, **unknown)
    dash = "\N{EN DASH}"
    assert cells_of(render_markdown(a_report(row))) == [
        ["\N{CROSS MARK}", row.benchmark, dash, dash, dash, "0 trials", dash, "missing"]
    ]


def test_a_machine_without_dram_says_so_and_one_with_dram_does_not():
    row = a_row(outcome=Outcome.REGRESSED, domains={"package-0": 1.1, "gpu-0": 1.0})
    absent = ["DRAM", "not available on this machine"]
    assert absent in cells_of(render_markdown(a_report(row)))
    with_dram = replace(a_report(row), meters=(a_meter(domains=("package-0", "dram-0")),))
    assert absent not in cells_of(render_markdown(with_dram))


DOMAINS = {"package-0": 1.1, "gpu-0": 1.0}


@pytest.mark.parametrize("outcome", Outcome)
def test_where_the_joules_went_is_told_only_of_what_moved(outcome):
    comment = render_markdown(a_report(a_row(outcome=outcome, domains=DOMAINS)))
    moved = outcome in {Outcome.REGRESSED, Outcome.SUSPECT, Outcome.IMPROVED}
    assert ("Where the joules went" in comment) == moved


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"domains": {"package-0": 1.1}}, False),
        ({"domains": {"package-0": 1.1}, "work": {"output_tokens": 1.2}}, True),
        ({"domains": DOMAINS}, True),
    ],
)
def test_where_the_joules_went_needs_more_than_one_part_to_choose_from(more, told):
    comment = render_markdown(a_report(a_row(outcome=Outcome.REGRESSED, **more)))
    assert ("Where the joules went" in comment) == told


def test_small_joules_of_both_sides_have_one_unit():
    row = a_row(outcome=Outcome.REGRESSED, base=0.00936, head=0.0136)
    (cells,) = cells_of(render_markdown(a_report(row)))
    assert cells[2:4] == ["9.36 mJ", "13.6 mJ"]


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ((), "nothing was measured"),
        ((a_row(outcome=Outcome.REGRESSED),), "regressed. `bench.py::test_encode` uses 1.0 % more joules"),
        ((a_row(),), "no regression found"),
        ((a_row(outcome=Outcome.INVALID),), "nothing valid was measured"),
        ((a_row(outcome=Outcome.SUSPECT, benchmark="a|b"),), ("suspect. `a|b` may use 1.0 % more joules, which is not "
         "proven")),
    ],
)  # fmt: skip
def test_the_headline_says_the_worst(rows, headline):
    assert render_markdown(a_report(*rows)).splitlines()[1] == f"## Energy: {headline}"


def test_an_empty_report_is_a_whole_comment():
    third = render_markdown(a_report(exit_code=5, verdict="failed")).splitlines()[3]
    assert third == (
        "No benchmark. Budget +5.0 %. Measured by `rapl` (`package-0`) on `epyc-7763-2s`. "
        "Head `0123456789ab` against `0123456789ab`."
    )


@pytest.mark.parametrize(
    ("baseline", "text"),
    [
        (BaselineRuns(), "against no stored session."),
        (BaselineRuns(runs=("a",)), "against 1 stored run without a commit."),
        (BaselineRuns(runs=("a", "b")), "against 2 stored runs without a commit."),
        (BaselineRuns(runs=("a", "b"), commits=("c" * 40, "c" * 40)), "against `cccccccccccc`."),
        (BaselineRuns(runs=("a", "b"), commits=("c" * 40, "d" * 40)), "against `cccccccccccc`, `dddddddddddd`."),
    ],
)
def test_the_summary_says_what_was_compared_with(baseline, text):
    assert text in render_markdown(replace(a_report(a_row()), baseline=baseline))


def test_a_meter_whose_readings_are_exact_is_shown_without_interval_and_steps():
    exact = replace(a_meter(name="replay", kind="replay"), update_interval_s=0.0, resolution_j=0.0)
    comment = render_markdown(replace(a_report(a_row()), meters=(exact,)))
    assert "\n- `replay` (replay): `package-0`\n" in comment


def test_counts_that_do_not_agree_with_the_rows_are_not_believed():
    report = replace(a_report(a_row(outcome=Outcome.REGRESSED)), counts={"pass": 12, "made up": 1})
    assert "\n1 regressed. Budget" in render_markdown(report)


def test_how_fast_a_server_answered_is_a_folded_table_without_joules():
    chat = a_row(benchmark="chat|x", times={"ttft_s": Times(base=0.4, head=0.5), "decode_s": Times(head=1.2)})
    text = render_markdown(a_report(chat, a_row(benchmark="fast", times={"ttft_s": Times(head=0.1)}), a_row()))
    title = "<summary>How fast the server answered (time, not energy)</summary>"
    (part,) = (part for part in text.split("<details>") if part.startswith(title))
    assert not NUMBER.search(part)
    assert cells_of(part.partition("</summary>")[2]) == [
        ["chat|x", "0.400 \N{RIGHTWARDS ARROW} 0.500 s", "1.20 s"],
        ["fast", "0.100 s", "\N{EN DASH}"],
    ]


def test_where_blocks_decided_their_base_is_named_and_stored_runs_only_screened():
    report = replace(
        a_report(a_row(outcome=Outcome.REGRESSED, how="interleaved", blocks=10)),
        head=Head(run_id="the head", commit="c" * 40),
        base=Head(run_id="the base", commit="b" * 40),
        baseline=BaselineRuns(runs=("s1", "s2"), commits=("a" * 40,)),
    )
    text = render_markdown(report)
    assert "Head `cccccccccccc` against `bbbbbbbbbbbb`, screened by 2 stored runs." in text
    assert "- compared with a base measured in turns: `the base`\n- screened by stored runs: `s1`, `s2`\n" in text


def test_an_estimate_is_not_said_to_be_all_the_energy_of_the_machine():
    guess = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    text = render_markdown(replace(a_report(a_row()), meters=(guess,)))
    assert "- what decides is estimated from the CPU seconds of the workload's own processes\n" in text
