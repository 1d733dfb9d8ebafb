import pytest
from fakes import a_meter, a_report, a_row
from msgspec.structs import replace

from energygate.model import AcceptedLevel, Metric, Net, Outcome, TrialCounts
from energygate.report import rows

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
PM, ARROW = "\N{PLUS-MINUS SIGN}", "\N{RIGHTWARDS ARROW}"


def test_every_outcome_has_a_sign_and_words():
    assert set(rows.SIGNS) == set(rows.WORDS) == set(Outcome)
    assert rows.WORDS[Outcome.OVER_LIMIT] == "over limit"


def test_joules_per_token_stand_beside_the_row_that_decides():
    deciding = a_row(metric=Metric.J_PER_REQUEST)
    beside = a_row(metric=Metric.J_PER_OUTPUT_TOKEN)
    other = a_row(benchmark="other")
    assert list(rows.lines(a_report(deciding, beside, other))) == [
        rows.Line(row=deciding, per_token=beside),
        rows.Line(row=other),
    ]


def test_a_limit_has_a_line_of_its_own_whatever_its_metric():
    deciding = a_row(metric=Metric.J_PER_REQUEST)
    limit = a_row(metric=Metric.J_PER_OUTPUT_TOKEN, how="limit")
    assert list(rows.lines(a_report(deciding, limit))) == [rows.Line(row=deciding), rows.Line(row=limit)]


def test_a_value_carries_its_unit_and_says_that_it_is_an_estimate():
    row = a_row(metric=Metric.J_PER_REQUEST, estimated=True)
    assert rows.typical(3.4149, row) == "3.41 J/request (estimate)"
    assert rows.typical(3.4149, a_row(metric=Metric.J_PER_OUTPUT_TOKEN)) == "3.41 J/token"


def test_integrated_power_is_called_so_beside_each_number():
    row = a_row(estimated=True, label="integrated power", net=Net(idle_w=12.0, head=62.0))
    assert rows.sides(row) == "100 \N{RIGHTWARDS ARROW} 101 J (integrated power)"
    assert rows.net(row) == "net of 12.0 W idle: 62.0 J (integrated power)"


def test_a_limit_is_no_estimate_though_what_was_measured_is():
    row = a_row(how="limit", base=5.0, head=6.0, estimated=True)
    assert (rows.typical(row.base, row), rows.typical(row.head, row)) == ("5.00 J", "6.00 J (estimate)")


def test_what_is_unknown_is_a_dash_and_never_zero():
    row = a_row(base=None, head=None, ratio=None, ratio_low=None, ratio_high=None, p_adjusted=None)
    assert rows.typical(row.base, row) == rows.change(row) == rows.p_adjusted(row) == DASH
    assert rows.interval(row) == rows.change_with_interval(row) == rows.sides(row) == ""


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, f"+1.0 % (90 % CI {MINUS}1.0 \N{HORIZONTAL ELLIPSIS} +3.0)"),
        ({"ratio_low": None}, "+1.0 %"),
        (
            {"how": "limit", "ratio": 0.9, "ratio_low": 0.85, "ratio_high": 0.95},
            f"{MINUS}10.0 % against the limit (90 % CI {MINUS}15.0 \N{HORIZONTAL ELLIPSIS} {MINUS}5.0)",
        ),
    ],
)
def test_a_change_has_a_sign_and_an_interval(more, text):
    assert rows.change_with_interval(a_row(**more)) == text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"trials": TrialCounts(head=10), "sessions": 4}, "10 trials, 4 sessions"),
        ({"trials": TrialCounts(head=1), "sessions": 1}, "1 trial, 1 session"),
        ({"trials": TrialCounts(head=10), "sessions": 0}, "10 trials"),
        ({"trials": TrialCounts(head=10), "blocks": 12}, "12 blocks"),
    ],
)
def test_the_amount_of_evidence_is_told_in_trials_and_sessions(more, text):
    assert rows.size(a_row(**more)) == text


def test_evidence_ends_with_the_adjusted_p_value_where_there_is_one():
    row = a_row(trials=TrialCounts(head=10), p_adjusted=0.0004)
    assert rows.evidence(row) == "10 trials, 4 sessions, adjusted p < 0.001"
    assert rows.evidence(a_row(trials=TrialCounts(head=10), p_adjusted=None)) == "10 trials, 4 sessions"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"outcome": Outcome.PASS}, "12 blocks, adjusted p 0.2, could detect about +5.9 %"),
        ({"outcome": Outcome.REGRESSED}, "12 blocks, adjusted p 0.2, could detect about +5.9 %"),
        ({"outcome": Outcome.INCONCLUSIVE}, "12 blocks, adjusted p 0.2"),  # its reason says it
        ({"outcome": Outcome.PASS, "detectable": None}, "12 blocks, adjusted p 0.2"),
    ],
)
def test_blocks_say_what_they_could_have_detected(more, text):
    row = {"how": "interleaved", "blocks": 12, "p_adjusted": 0.2, "detectable": 1.059} | more
    assert rows.evidence(a_row(**row)) == text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "100 \N{RIGHTWARDS ARROW} 101 J"),
        ({"estimated": True}, "100 \N{RIGHTWARDS ARROW} 101 J (estimate)"),
        ({"base": None}, "101 J"),
        ({"how": "limit"}, "101 J, limit 100 J"),
        ({"base": 0.00436, "head": 0.00636}, "4.36 \N{RIGHTWARDS ARROW} 6.36 mJ"),
        ({"base": 0.00936, "head": 0.0136}, "9.36 \N{RIGHTWARDS ARROW} 13.6 mJ"),
        ({"base": 0.0136, "head": 0.00936}, "0.0136 \N{RIGHTWARDS ARROW} 0.00936 J"),
    ],
)
def test_both_sides_are_shown_in_one_unit(more, text):
    assert rows.sides(a_row(**more)) == text


REASON = "no stored run has it yet."


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [
        (Outcome.OVER_LIMIT, "over the limit. <a> uses 101 J, the limit is 100 J"),
        (Outcome.REGRESSED, "regressed. <a> uses 1.0 % more joules"),
        (Outcome.INVALID, "invalid. <a> could not be judged"),
        (Outcome.MISSING, "missing. <a> was not measured"),
        (Outcome.SUSPECT, "suspect. <a> may use 1.0 % more joules, which is not proven"),
        (Outcome.INCONCLUSIVE, "inconclusive. <a> could not be judged"),
        (Outcome.INCOMPARABLE, "incomparable. <a> could not be judged"),
        (Outcome.NO_BASELINE, "no baseline. <a> could not be judged"),
        (Outcome.IMPROVED, "no regression found"),
        (Outcome.PASS, "no regression found"),
    ],
)
def test_the_headline_is_the_worst_that_was_found(outcome, headline):
    report = a_report(a_row(outcome=outcome, benchmark="a"), a_row(benchmark="b"))
    assert rows.headline(report, quote="<{}>".format) == headline


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        ([Outcome.INVALID], "nothing valid was measured"),
        ([Outcome.MISSING], "nothing valid was measured: benchmarks are missing"),
        ([Outcome.INVALID, Outcome.MISSING], "nothing valid was measured"),
        ([Outcome.NO_BASELINE], "nothing could be judged: no baseline yet"),
        ([Outcome.INCOMPARABLE], "nothing could be judged: nothing comparable is stored"),
        ([Outcome.INCOMPARABLE, Outcome.NO_BASELINE], "nothing could be judged"),
        ([Outcome.MISSING, Outcome.NO_BASELINE], "nothing could be judged"),
        ([Outcome.INCONCLUSIVE, Outcome.NO_BASELINE], "inconclusive. 0 could not be judged"),
    ],
)
def test_where_nothing_could_be_judged_the_headline_says_so_in_short_and_leaves_the_reason_to_the_row(
    outcomes, headline
):
    found = [a_row(outcome=outcome, benchmark=str(n), reason=REASON) for n, outcome in enumerate(outcomes)]
    assert rows.headline(a_report(*found)) == headline


def test_the_headline_of_an_anchor_quotes_its_name():
    row = a_row(outcome=Outcome.OVER_LIMIT, how="anchor", anchor="v1", benchmark="a")
    assert rows.headline(a_report(row), quote="<{}>".format) == (
        "over the limit. <a> uses 1.0 % more joules since anchor <v1>"
    )


def test_what_costs_less_than_before_is_called_less():
    row = a_row(outcome=Outcome.SUSPECT, ratio=0.879, benchmark="a")
    assert rows.headline(a_report(row)) == "suspect. a may use 12.1 % less joules, which is not proven"


def test_the_headline_names_the_metric_in_words():
    row = a_row(outcome=Outcome.REGRESSED, metric=Metric.J_PER_OUTPUT_TOKEN, ratio=1.125, benchmark="a")
    assert rows.headline(a_report(row)) == "regressed. a uses 12.5 % more joules per output token"


def test_a_report_without_a_row_measured_nothing():
    report = a_report(exit_code=5, verdict="failed")
    assert rows.headline(report) == "nothing valid was measured: no benchmark ran"
    assert rows.closing_line(report) == "energy: FAILED, nothing was measured"
    assert rows.in_a_word(report) == "nothing measured"


def test_a_title_is_plain_text_of_at_most_120_characters():
    row = a_row(outcome=Outcome.REGRESSED, benchmark="`|\n\x1b[31m" + "x" * 300, metric=Metric.J_PER_REQUEST)
    title = rows.title(a_report(row))
    assert title == f"regressed. `| {'x' * 56}\N{HORIZONTAL ELLIPSIS} uses 1.0 % more joules per request"
    long = a_row(outcome=Outcome.OVER_LIMIT, how="anchor", benchmark="b" * 60, anchor="v" * 60)
    assert rows.title(a_report(long)) == (
        f"over the limit. {'b' * 60} uses 1.0 % more joules since anchor vvvvvv\N{HORIZONTAL ELLIPSIS}"
    )


def test_the_word_for_a_verdict_is_its_worst_outcome():
    assert rows.in_a_word(a_report(a_row(outcome=Outcome.OVER_LIMIT), a_row(benchmark="b"))) == "over limit"


REQUEST = a_row(metric=Metric.J_PER_REQUEST, ratio=1.12, ratio_low=1.09, ratio_high=1.15)
TOKEN = a_row(metric=Metric.J_PER_OUTPUT_TOKEN, ratio=0.95, ratio_low=0.93, ratio_high=0.97)


def test_cheaper_tokens_of_dearer_requests_are_said_in_words():
    assert rows.cheaper_tokens(rows.Line(row=REQUEST, per_token=TOKEN)) == (
        f"joules per output token {MINUS}5.0 %, per request +12.0 %: the answers got longer, and what a request costs "
        "decides"
    )


@pytest.mark.parametrize(
    ("row", "per_token"),
    [
        (REQUEST, None),
        (REQUEST, replace(TOKEN, ratio_high=1.01)),
        (REQUEST, replace(TOKEN, ratio_high=None)),
        (replace(REQUEST, ratio_low=0.99), TOKEN),
        (replace(REQUEST, ratio_low=None), TOKEN),
        (replace(REQUEST, metric=Metric.ENERGY_J), TOKEN),
    ],
)
def test_what_is_not_established_of_tokens_is_not_said(row, per_token):
    assert rows.cheaper_tokens(rows.Line(row=row, per_token=per_token)) == ""


def test_the_tally_counts_benchmarks_worst_first_and_each_once():
    report = a_report(
        a_row(outcome=Outcome.REGRESSED, metric=Metric.J_PER_REQUEST),
        a_row(outcome=Outcome.REGRESSED, metric=Metric.J_PER_OUTPUT_TOKEN),
        a_row(benchmark="b"),
        a_row(benchmark="c"),
    )
    assert rows.tally(report) == "1 regressed \N{MIDDLE DOT} 2 pass"


@pytest.mark.parametrize(
    ("outcomes", "verdict", "line"),
    [
        ([Outcome.REGRESSED, Outcome.PASS], "failed", "FAILED, 1 of 2 benchmarks regressed"),
        (
            [Outcome.OVER_LIMIT, Outcome.REGRESSED, Outcome.REGRESSED, Outcome.PASS],
            "failed",
            "FAILED, 1 of 4 benchmarks over limit, 2 of 4 benchmarks regressed",
        ),
        ([Outcome.INVALID], "failed", "FAILED, 1 of 1 benchmark invalid"),
        ([Outcome.PASS], "passed", "PASSED, 1 of 1 benchmark within budget"),
        (
            [Outcome.IMPROVED, Outcome.PASS],
            "passed",
            "PASSED, 2 of 2 benchmarks within budget, 1 improved",
        ),
        (
            [Outcome.SUSPECT, Outcome.NO_BASELINE, Outcome.PASS],
            "inconclusive",
            "INCONCLUSIVE, 3 benchmarks: 1 suspect, 1 no baseline, 1 pass",
        ),
        ([Outcome.NO_BASELINE], "inconclusive", "INCONCLUSIVE, 1 benchmark: 1 no baseline"),
    ],
)
def test_the_closing_line_states_the_verdict_in_words(outcomes, verdict, line):
    found = [a_row(outcome=outcome, benchmark=str(number)) for number, outcome in enumerate(outcomes)]
    assert rows.closing_line(a_report(*found, verdict=verdict)) == f"energy: {line}"


def test_numbers_are_measured_estimated_replayed_or_integrated_as_their_meter_says():
    meters = (
        a_meter(domains=("package-0", "dram-0")),
        a_meter(name="nvml", kind="integrated", domains=("gpu-0",)),
        a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)),
        a_meter(name="replay", kind="replay"),
    )
    assert rows.provenance(meters) == (
        "measured by rapl (package-0, dram-0), integrated by nvml (gpu-0), estimated by estimate (cpu-estimate), "
        "replayed by replay (package-0)"
    )
    assert rows.provenance(()) == "nothing measured"


def test_an_estimate_says_how_good_it_is_where_it_is_named():
    detail = "cpu-estimate: 5.00 W per busy core, 0 W base; not calibrated, so its error is unknown"
    meter = replace(a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)), detail=detail)
    assert rows.provenance((meter,)) == f"estimated by estimate ({detail})"


NET = Net(idle_w=12.1, base=3.01, head=3.2, uncertainty=0.05)


@pytest.mark.parametrize(
    ("net", "more", "text"),
    [
        (
            NET,
            {},
            f"net of 12.1 W idle: 3.01 {ARROW} 3.20 J/request ({PM} 0.05 J/request from idle power alone)",
        ),
        (
            replace(NET, base=None),
            {},
            f"net of 12.1 W idle: 3.20 J/request ({PM} 0.05 J/request from idle power alone)",
        ),
        (
            Net(idle_w=12.1, base=0.0012, head=0.0011, uncertainty=0.0001),
            {},
            f"net of 12.1 W idle: 1.20 {ARROW} 1.10 mJ/request ({PM} 0.10 mJ/request from idle power alone)",
        ),
        (
            replace(NET, base=None),
            {"estimated": True},
            f"net of 12.1 W idle: 3.20 J/request (estimate) ({PM} 0.05 J/request from idle power alone)",
        ),
        (
            replace(NET, base=None, uncertainty=1.43e-6),
            {},
            f"net of 12.1 W idle: 3.20 J/request ({PM} less than 0.01 J/request from idle power alone)",
        ),
        (
            Net(idle_w=12.1, refused="2 of 4 trials used no more than the idle power of 12.1 W"),
            {},
            "net of idle: not shown, because 2 of 4 trials used no more than the idle power of 12.1 W",
        ),
        (None, {}, ""),
    ],
    ids=["both sides", "head alone", "thousandths", "estimate", "far below what is shown", "refused", "not measured"],
)
def test_net_values_stand_beside_the_gross_ones_in_words(net, more, text):
    assert rows.net(a_row(metric=Metric.J_PER_REQUEST, net=net, **more)) == text


def test_a_headline_over_numbers_that_may_not_decide_says_what_they_are():
    guessed = a_row(outcome=Outcome.INVALID, estimated=True, reason=REASON)
    said = "nothing valid was measured: the figures are estimates by model, not measurements"
    assert rows.headline(a_report(guessed)) == said
    assert rows.headline(a_report(replace(guessed, head=None))) == "nothing valid was measured"


@pytest.mark.parametrize(
    ("level", "headline"),
    [
        (AcceptedLevel(by="alice", ratio=1.3, is_here=True), "increase of 30.0 % accepted here by <alice>: <b>"),
        (AcceptedLevel(by="alice", ratio=0.9), "decrease of 10.0 % accepted before the merge by <alice>: <b>"),
        (AcceptedLevel(by="alice", is_here=True), "new level accepted here by <alice>: <b>"),
    ],
)
def test_an_accepted_increase_is_named_as_one_and_not_as_something_that_could_not_be_judged(level, headline):
    row = a_row(outcome=Outcome.INCONCLUSIVE, benchmark="b", accepted=level)
    assert rows.headline(a_report(row), quote="<{}>".format) == headline
    regressed = a_row(outcome=Outcome.REGRESSED, benchmark="worse")
    assert rows.headline(a_report(regressed, row)) == "regressed. worse uses 1.0 % more joules"
