import html
import re
from pathlib import Path

import pytest
from fakes import a_machine, a_meter, a_report, a_row
from msgspec.structs import replace
from shown_markdown import WHOLE, cells_of, rendered

from energygate.model import AcceptedLevel, BaselineRuns, Head, Metric, Net, Outcome, StoreName, Times
from energygate.report.markdown import MARKER, code, render_markdown, span
from energygate.units import MINUS

GOLDEN = Path(__file__).parent / "golden" / "comment.md"
NUMBER = re.compile(r"\d J\b|\d J/")


def read(report):
    """The comment as a reader sees it: a no-break space is a space."""
    return render_markdown(report).replace("\N{NO-BREAK SPACE}", " ")


def test_a_whole_comment_is_as_the_golden_file_has_it():
    assert render_markdown(WHOLE) == GOLDEN.read_text(encoding="utf-8")


def test_the_golden_comment_is_shown_as_tables_and_folded_parts():
    shown = rendered(GOLDEN.read_text(encoding="utf-8"))
    assert shown.count("<table>") == 4
    assert shown.count("<details>") == shown.count("</details>") == 5
    rows = cells_of(GOLDEN.read_text(encoding="utf-8"))
    assert [len(cells) for cells in rows] == [6] * 4 + [5] * 2 + [2] * 4 + [5]
    assert rows[1][1] == "bench.py::test_embed[a|b]"
    assert "<code>bench.py::test_embed[a|b]</code>:" in shown
    assert shown.count('<pre lang="sh">') == 2


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
    comment = read(report)
    shown = rendered(comment)
    assert "<img" not in shown
    assert "<a " not in shown
    assert shown.count("<!--") == 1
    assert [line for line in comment.splitlines() if line.startswith(MARKER)] == [MARKER]
    assert [len(cells) for cells in cells_of(comment)] == [5, 5, 2, 2, 2]
    assert "@org" not in re.sub("<code>.*?</code>", "", shown)


def test_what_fits_is_shown_whole():
    comment = read(a_report(*[a_row(benchmark=str(number)) for number in range(100)]))
    assert len(cells_of(comment)) == 100
    assert "left out" not in comment


def test_every_joule_of_an_estimate_says_so_and_the_first_paragraph_too():
    rows = [a_row(outcome=outcome, benchmark=outcome, estimated=True) for outcome in Outcome]
    estimate = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    comment = read(replace(a_report(*rows), meters=(estimate,)))
    numbers = [cell for cells in cells_of(comment) for cell in cells if NUMBER.search(cell)]
    assert numbers == ["100 \N{RIGHTWARDS ARROW} 101 J (estimate)"] * len(Outcome)
    assert "Estimated by `estimate` (`cpu-estimate`) on `epyc-7763-2s`. **These figures are estimates" in comment
    assert "Measured by" not in comment


def test_integrated_power_is_called_so_and_not_an_estimate_by_model():
    power = a_meter(name="nvml-power", kind="integrated", domains=("gpu-0",))
    row = a_row(estimated=True, label="integrated power")
    comment = read(replace(a_report(row), meters=(power,)))
    assert "101 J (integrated power)" in comment
    assert (
        "Integrated by `nvml-power` (`gpu-0`) on `epyc-7763-2s`. **These figures are integrated power, not measured "
        "energy.**"
    ) in comment


def test_an_estimate_says_how_good_it_is():
    detail = "cpu-estimate: 5.00 W per busy core, 0 W base; not calibrated, so its error is unknown"
    meter = replace(a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)), detail=detail)
    text = read(replace(a_report(a_row(estimated=True)), meters=(meter,)))
    assert f"Estimated by `estimate` (`{detail}`) on `epyc-7763-2s`." in text


def test_net_values_are_a_folded_part_of_their_own_and_one_that_is_refused_says_why():
    evil = "`<b>|x"
    net = Net(idle_w=12.1, base=61.0, head=62.0, uncertainty=1.0)
    refused = Net(idle_w=12.1, refused=f"the trials' of {evil}")
    text = read(a_report(a_row(benchmark="a", net=net), a_row(benchmark=evil, net=refused)))
    (part,) = (part for part in text.split("<details>") if part.startswith("<summary>Net of idle power</summary>"))
    assert part.splitlines()[2:4] == [
        "- `a`: net of 12.1 W idle: 61.0 \N{RIGHTWARDS ARROW} 62.0 J (\N{PLUS-MINUS SIGN} 1.0 J from idle power alone)",
        f"- `` {evil} ``: ``net of idle: not shown, because the trials' of {evil}``",
    ]
    assert "<b>" not in rendered(text)


def test_measured_joules_are_not_called_estimates():
    assert "stimate" not in read(a_report(a_row()))


def test_what_is_missing_is_a_dash_and_never_zero():
    unknown = dict.fromkeys(["base", "head", "ratio", "ratio_low", "ratio_high", "p_value", "p_adjusted"])
    row = a_row(outcome=Outcome.MISSING, sessions=0, **unknown)
    dash = "\N{EN DASH}"
    assert cells_of(read(a_report(row))) == [["\N{CROSS MARK} missing", row.benchmark, dash, dash, "0 trials"]]


def test_a_machine_without_dram_says_so_and_one_with_dram_does_not():
    row = a_row(outcome=Outcome.REGRESSED, domains={"package-0": 1.1, "gpu-0": 1.0})
    absent = ["DRAM", "not available on this machine"]
    assert absent in cells_of(read(a_report(row)))
    with_dram = replace(a_report(row), meters=(a_meter(domains=("package-0", "dram-0")),))
    assert absent not in cells_of(read(with_dram))


DOMAINS = {"package-0": 1.1, "gpu-0": 1.0}


@pytest.mark.parametrize("outcome", Outcome)
def test_where_the_joules_went_is_told_only_of_what_moved(outcome):
    comment = read(a_report(a_row(outcome=outcome, domains=DOMAINS)))
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
    comment = read(a_report(a_row(outcome=Outcome.REGRESSED, **more)))
    assert ("Where the joules went" in comment) == told


def test_small_joules_of_both_sides_have_one_unit():
    row = a_row(outcome=Outcome.REGRESSED, base=0.00936, head=0.0136)
    (cells,) = cells_of(read(a_report(row)))
    assert cells[2] == "9.36 \N{RIGHTWARDS ARROW} 13.6 mJ"


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ((), "nothing valid was measured: no benchmark ran"),
        ((a_row(outcome=Outcome.REGRESSED),), "regressed. `bench.py::test_encode` uses 1.0 % more joules"),
        ((a_row(),), "no regression found"),
        ((a_row(outcome=Outcome.INVALID, reason="*a*"),), "nothing valid was measured"),
        ((a_row(outcome=Outcome.NO_BASELINE, reason="*a*"),), "nothing could be judged: no baseline yet"),
        ((a_row(outcome=Outcome.SUSPECT, benchmark="a|b"),), ("suspect. `a|b` may use 1.0 % more joules, which is not "
         "proven")),
        ((a_row(outcome=Outcome.OVER_LIMIT, benchmark="a", how="anchor", anchor="*v1*"),), ("over the limit. `a` uses "
         "1.0 % more joules since anchor `*v1*`")),
    ],
)  # fmt: skip
def test_the_headline_says_the_worst(rows, headline):
    assert read(a_report(*rows)).splitlines()[1] == f"## Energy: {headline}"


@pytest.mark.parametrize("outcomes", [[outcome] for outcome in Outcome] + [[Outcome.PASS, Outcome.INCONCLUSIVE]])
def test_nothing_is_ever_called_no_change(outcomes):
    comment = read(a_report(*(a_row(outcome=each, benchmark=each) for each in outcomes)))
    assert "no change" not in comment.lower()


def test_an_empty_report_is_a_whole_comment():
    lines = read(a_report(exit_code=5, verdict="failed")).splitlines()
    assert lines[3] == "No benchmark. Budget 5 %. Measured by `rapl` (`package-0`) on `epyc-7763-2s`."
    assert lines[5] == "Head `0123456789ab` against 1 stored run of `0123456789ab`."


def test_an_anchor_with_a_pipe_in_its_name_is_part_of_one_cell():
    row = a_row(outcome=Outcome.OVER_LIMIT, how="anchor", anchor="v|1", benchmark="a")
    (cells,) = cells_of(read(a_report(row)))
    assert cells[1] == "a anchor v|1"


def test_only_what_policy_fails_on_is_counted_in_bold():
    report = a_report(
        a_row(outcome=Outcome.REGRESSED), a_row(outcome=Outcome.SUSPECT, benchmark="b"), a_row(benchmark="c")
    )
    line = read(report).splitlines()[3]
    assert line.startswith("**1 regressed** \N{MIDDLE DOT} 1 suspect \N{MIDDLE DOT} 1 pass. Budget")


@pytest.mark.parametrize("outcome", Outcome)
def test_only_an_increase_that_is_established_is_in_bold(outcome):
    comment = read(a_report(a_row(outcome=outcome)))
    assert ("**+1.0 %**" in comment) == (outcome in {Outcome.OVER_LIMIT, Outcome.REGRESSED})


@pytest.mark.parametrize(
    ("baseline", "text"),
    [
        (BaselineRuns(), "against no stored session."),
        (BaselineRuns(runs=("a",)), "against 1 stored run without a commit."),
        (BaselineRuns(runs=("a", "b")), "against 2 stored runs without a commit."),
        (BaselineRuns(runs=("a", "b"), commits=("c" * 40, "c" * 40)), "against 2 stored runs of `cccccccccccc`."),
        (BaselineRuns(runs=("a", "b"), commits=("c" * 40, "d" * 40)), "runs of `cccccccccccc`, `dddddddddddd`."),
        (
            BaselineRuns(runs=("a",) * 5, commits=("a", "b", "c", "d", "e")),
            "5 stored runs of `a`, `b`, `c` and 2 more.",
        ),
        (
            BaselineRuns(runs=("a",), commits=("c" * 40,), how="interleaved"),
            "against base `cccccccccccc`, measured in turns with it.",
        ),
        (
            BaselineRuns(runs=("a",), how="interleaved"),
            "against base without a commit, measured in turns with it.",
        ),
    ],
)
def test_the_summary_says_what_was_compared_with(baseline, text):
    assert text in read(replace(a_report(a_row()), baseline=baseline))


def test_a_meter_whose_readings_are_exact_is_shown_without_interval_and_steps():
    exact = replace(a_meter(name="replay", kind="replay"), update_interval_s=0.0, resolution_j=0.0)
    comment = read(replace(a_report(a_row()), meters=(exact,)))
    assert "\n- `replay` (replay): `package-0`\n" in comment


def test_counts_that_do_not_agree_with_the_rows_are_not_believed():
    report = replace(a_report(a_row(outcome=Outcome.REGRESSED)), counts={"pass": 12, "made up": 1})
    assert "\n**1 regressed**. Budget" in read(report)


def test_how_fast_a_server_answered_is_a_folded_table_without_joules():
    chat = a_row(benchmark="chat|x", times={"ttft_s": Times(base=0.4, head=0.5), "decode_s": Times(head=1.2)})
    text = read(a_report(chat, a_row(benchmark="fast", times={"ttft_s": Times(head=0.1)}), a_row()))
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
    text = read(report)
    assert (
        "Head `cccccccccccc` against base `bbbbbbbbbbbb`, measured in turns with it; screened by 2 stored runs." in text
    )
    assert "- compared with a base measured in turns: `the base`\n- screened by stored runs: `s1`, `s2`\n" in text


def test_an_estimate_is_not_said_to_be_all_the_energy_of_the_machine():
    guess = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    text = read(replace(a_report(a_row()), meters=(guess,)))
    assert "- what decides is estimated from the CPU seconds of the workload's own processes\n" in text


def test_joules_per_output_token_stand_beside_what_decides_with_their_interval():
    (cells, *_) = cells_of(read(WHOLE))
    assert cells[2:5] == [
        "3.41 \N{RIGHTWARDS ARROW} 3.84 J/request",
        "+12.5 % (+9.1 \N{HORIZONTAL ELLIPSIS} +15.8)",
        "0.0216 J/token, +12.6 % (+9.2 \N{HORIZONTAL ELLIPSIS} +15.9)",
    ]


def test_joules_per_output_token_without_a_base_are_shown_alone_and_absent_ones_are_a_dash():
    request = a_row(outcome=Outcome.NO_BASELINE, metric=Metric.J_PER_REQUEST)
    unknown = dict.fromkeys(["base", "ratio", "ratio_low", "ratio_high", "p_adjusted"])
    token = a_row(outcome=Outcome.NO_BASELINE, metric=Metric.J_PER_OUTPUT_TOKEN, head=0.0216, **unknown)
    (cells,) = cells_of(read(a_report(request, token)))
    assert cells[4] == "0.0216 J/token"
    (cells,) = cells_of(read(a_report(request, replace(token, head=None))))
    assert cells[4] == "\N{EN DASH}"


def test_where_the_joules_went_names_the_parts_and_the_time_of_a_request():
    row = a_row(
        outcome=Outcome.REGRESSED,
        domains={"gpu-0": 1.1, "package-0": 1.05, "dram-0": 1.01, "other": 1.0},
        work={"input_tokens": 1.0, "made up": 1.2},
        times={"request_s": Times(base=2.0, head=2.2)},
    )
    report = replace(a_report(row), meters=(a_meter(domains=("package-0", "dram-0")),))
    assert [cells for cells in cells_of(read(report)) if len(cells) == 2 and "%" in cells[1]] == [
        ["GPU gpu-0", "+10.0 %"],
        ["CPU package-0", "+5.0 %"],
        ["DRAM dram-0", "+1.0 %"],
        ["other", "0.0 %"],
        ["input tokens per request", "0.0 %"],
        ["made up per request", "+20.0 %"],
        ["time per request", "+10.0 %"],
    ]


def part_of(comment, title):
    """The folded part below a title."""
    (part,) = (part for part in comment.split("<details>") if part.startswith(f"<summary>{title}"))
    return part.partition("</details>")[0]


@pytest.mark.parametrize(("history", "shown"), [((), False), ((3.4,), False), ((3.4, 3.5), True)])
def test_two_stored_sessions_are_a_history_and_one_is_none(history, shown):
    assert ("<summary>History</summary>" in read(a_report(a_row(history=history)))) == shown


def test_the_history_is_a_line_of_bars_that_ends_with_this_run():
    row = a_row(history=(98.0, 99.0, 100.0, 101.0), head=102.0, estimated=True)
    part = part_of(read(a_report(row, a_row(history=(1.0, 2.0), head=None, benchmark="b"))), "History")
    assert cells_of(part.partition("</summary>")[2]) == [
        [row.benchmark, "▁▂▃▅▇", "98.0 J (estimate)", "101 J (estimate)", "102 J (estimate)"]
    ]


def test_the_history_of_a_quiet_machine_is_no_mountain_range():
    row = a_row(history=(100.0, 100.05, 100.1), head=100.0)
    assert "| ▁▁▁▁ |" in read(a_report(row))


def test_each_increase_says_how_to_accept_it_and_eleven_are_cut_to_ten():
    rows = [a_row(outcome=Outcome.REGRESSED, benchmark=f"bench.py::test[{n}]") for n in range(11)]
    part = part_of(read(a_report(*rows)), "If an increase is wanted")
    typed = [line for line in part.splitlines() if line.startswith("energygate baseline accept ")]
    assert typed[0] == (
        "energygate baseline accept 'bench.py::test[0]' --reason '\N{HORIZONTAL ELLIPSIS}' --run RUN.json"
    )
    assert len(typed) == 10
    assert "The other 1 are accepted in the same way." in part
    assert "how to accept" not in read(a_report(a_row()))


def test_where_all_branches_share_the_store_an_increase_is_merged_first_under_a_budget_of_its_own():
    row = a_row(outcome=Outcome.REGRESSED, benchmark="bench.py::test[0]", ratio_high=1.318)
    store = StoreName(name="git:energy-baselines", is_given=True, is_shared=True)
    report = a_report(row)
    report = replace(report, baseline=replace(report.baseline, store=store))
    part = part_of(render_markdown(report), "If an increase is wanted")
    assert part.split("\n\n")[1:6] == [
        (
            "All branches share `git:energy-baselines`, so it is accepted after the merge. Until then a budget of its "
            "own lets this change pass, in `energygate.yml`, where the reviewer sees it (or in the marker or suite "
            "that sets one):"
        ),
        '```yaml\noverrides:\n  "bench.py::test[0]": {budget: 35%}\n```',
        "When the merged state is recorded, say why, and take that budget out again:",
        (
            "```sh\nenergygate baseline accept 'bench.py::test[0]' --reason '\N{HORIZONTAL ELLIPSIS}' --run RUN_ID "
            "--baselines=git:energy-baselines\n```"
        ),
        "`RUN_ID` is that record: `energygate baseline list --baselines=git:energy-baselines` shows it.",
    ]


def test_an_accepted_increase_is_told_in_its_row_and_in_the_heading():
    level = AcceptedLevel(by="al|ice", ratio=1.3, is_here=True)
    text = render_markdown(a_report(a_row(outcome=Outcome.INCONCLUSIVE, benchmark="b", accepted=level)))
    assert text.splitlines()[1] == "## Energy: increase of 30.0 % accepted here by `al|ice`: `b`"
    assert (
        cells_of(text)[0][0].replace("\xa0", " ")
        == "\N{WHITE QUESTION MARK ORNAMENT} inconclusive: increase of 30.0 % accepted here"
    )


def test_what_repeats_the_worst_is_to_be_copied_and_is_no_markup():
    rows = [
        a_row(outcome=Outcome.SUSPECT, benchmark=f"b.py::test[{name}]") for name in ("```", "<b>", "1", "2", "3", "4")
    ]
    part = part_of(read(a_report(*rows, a_row())), "How this was measured")
    shown = html.unescape(rendered(part.partition("</summary>")[2]))
    assert shown.endswith(
        """<p>To see it again:</p>
<pre lang="sh"><code>python -m pytest --energy 'b.py::test[```]'
python -m pytest --energy 'b.py::test[<b>]'
python -m pytest --energy 'b.py::test[1]'
python -m pytest --energy 'b.py::test[2]'
python -m pytest --energy 'b.py::test[3]'
</code></pre>
"""
    )


def test_what_no_meter_covers_is_named():
    covered = a_meter(domains=("package-0", "dram-0", "gpu-0"))
    said = "- not in the figures, because no meter here covers it: "
    assert f"{said}DRAM, GPUs, disks, network, fans, power supply\n" in read(a_report(a_row()))
    assert f"{said}disks, network, fans, power supply\n" in read(replace(a_report(a_row()), meters=(covered,)))


def test_notes_stand_below_among_how_it_was_measured_and_not_above_as_a_warning():
    notes = ("nothing is suspect, so main was not measured", "a|b", *"x" * 10)
    comment = read(a_report(a_row(), notes=notes))
    part = part_of(comment, "How this was measured")
    assert "- `nothing is suspect, so main was not measured`\n- `a|b`\n- `x`\n" in part
    assert "- 2 more notes\n" in part
    assert "[!WARNING]" not in comment


def test_warnings_are_one_alert_and_changes_of_the_policy_stand_before_them():
    warnings = ("the driver changed", "policy: gate.budget: 5 % \N{RIGHTWARDS ARROW} 20 %", "a|b")
    comment = read(a_report(a_row(), warnings=warnings))
    important, warning = comment.split("\n\n")[3:5]
    assert important == (
        "> [!IMPORTANT]\n> This change also changes how it is judged:\n>\n"
        "> - `policy: gate.budget: 5 % \N{RIGHTWARDS ARROW} 20 %`"
    )
    assert warning == "> [!WARNING]\n> - `the driver changed`\n> - `a|b`"


def test_the_eleventh_warning_is_counted():
    comment = read(a_report(a_row(), warnings=tuple(f"warning {n}" for n in range(13))))
    assert "> - `warning 9`\n> - 3 more\n" in comment
    assert "warning 10" not in comment


def test_no_number_is_parted_from_its_unit_on_a_narrow_page_and_a_name_stays_as_it_is():
    row = a_row(benchmark="a 3 J", outcome=Outcome.INCONCLUSIVE, detectable=1.09, sessions=4, p_adjusted=0.0001)
    lines = render_markdown(a_report(row)).splitlines()
    (line,) = [line for line in lines if line.startswith("| ") and "a 3 J" in line]
    verdict, name, *figures = [cell.strip(" ") for cell in line.strip("|").split("|")]
    assert name == "`a 3 J`"
    assert verdict == "❔\u00a0**inconclusive**: could detect about +9.0\u00a0%"
    assert figures == [
        "100 → 101\u00a0J",
        f"+1.0\u00a0% ({MINUS}1.0 … +3.0)",
        "0\u00a0trials, 4\u00a0sessions, p\u00a0<\u00a00.001",
    ]
