import json

import msgspec
import pytest
from fakes import COMMIT, a_report, a_row
from msgspec.structs import replace
from shown_reports import shown_report

from energygate.errors import RelayRefused
from energygate.model import BaselineRuns, Head, Location, Metric, Net, Outcome, Times, TrialCounts
from energygate.report.foreign import decode_foreign
from energygate.report.json import encode_report

OTHER = "0c0ffee0c0ffee000f5410108c2ab9d1e0c0ffee"
RUN_ID = "20261122T031500Z-1a2b3c4d5e"
REPORT = a_report(
    a_row(
        outcome=Outcome.REGRESSED,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_REQUEST,
        ratio=1.125,
        trials=TrialCounts(base=40, head=10, invalid=1),
        detectable=1.03,
        domains={"package-0": 1.13, "gpu-0": 1.01},
        work={"output_tokens": 1.001},
        times={"ttft_s": Times(head=0.4, base=0.3)},
        net=Net(idle_w=20.0, base=90.0, head=91.0, uncertainty=0.5),
        location=Location(file="chat.energy.yml", line=3),
        notes=("a note",),
    ),
    a_row(
        outcome=Outcome.REGRESSED,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_OUTPUT_TOKEN,
    ),
    a_row(outcome=Outcome.MISSING, benchmark="gone", base=None, head=None, ratio=None, p_value=None),
    a_row(how="anchor", anchor="v1"),
    exit_code=1,
    verdict="failed",
    warnings=("a warning",),
    notes=("a note",),
)
DATA = encode_report(REPORT)


def changed(**fields):
    """The report's bytes with other values at the top."""
    return json.dumps(json.loads(DATA) | fields).encode()


def with_row(**fields):
    """The report's bytes, whose first comparison has other values."""
    document = json.loads(DATA)
    document["comparisons"][0] |= fields
    return json.dumps(document).encode()


def rows(count):
    return json.loads(DATA)["comparisons"][-1:] * count


def refused(rule, found):
    return (
        f"What the fork's run left is refused: {found}. The rule: {rule}. Nothing of it is published. "
        "Read what that run executed before it is measured again (docs/github.md#forks)."
    )


def test_a_good_report_comes_back_as_it_was_written():
    assert decode_foreign(DATA, COMMIT) == REPORT


@pytest.mark.parametrize(
    "report",
    [
        replace(REPORT, base=Head(run_id=RUN_ID, commit=OTHER)),
        replace(REPORT, base=Head(run_id=RUN_ID, commit=None), baseline=BaselineRuns(how="interleaved")),
        replace(a_report(exit_code=5, verdict="failed"), meters=()),
        a_report(*(a_row(benchmark=str(number)) for number in range(1_000))),
    ],
    ids=["with a base", "without stored runs", "of nothing", "of 1,000 comparisons"],
)
def test_other_good_reports_come_back_too(report):
    assert decode_foreign(encode_report(report), COMMIT) == report


# What it says of itself is not believed


def test_a_report_that_claims_to_pass_over_a_regression_is_judged_anew():
    lying = replace(REPORT, verdict="passed", exit_code=0, counts={"pass": 12})
    assert decode_foreign(encode_report(lying), COMMIT) == REPORT


def test_a_regression_put_last_comes_first():
    turned = replace(REPORT, comparisons=REPORT.comparisons[2:] + REPORT.comparisons[:2])
    assert decode_foreign(encode_report(turned), COMMIT).comparisons == REPORT.comparisons


def test_where_nothing_may_fail_a_regression_is_still_no_pass():
    lenient = replace(REPORT, policy=replace(REPORT.policy, fail_on=()), verdict="passed", exit_code=0)
    found = decode_foreign(encode_report(lenient), COMMIT)
    assert (found.verdict, found.exit_code) == ("inconclusive", 0)
    assert found.comparisons[0].outcome is Outcome.REGRESSED


def test_a_report_without_comparisons_has_measured_nothing():
    empty = replace(REPORT, comparisons=(), verdict="passed", exit_code=0)
    found = decode_foreign(encode_report(empty), COMMIT)
    assert (found.verdict, found.exit_code, found.counts) == ("failed", 5, {})


EVIDENCE = {"benchmark": "chat", "metric": "energy_j", "history": [], "mine": [[["x" * 600]]]}


@pytest.mark.parametrize(
    "evidence", [shown_report("20").evidence, [EVIDENCE] * 1_100], ids=["as it is written", "whatever it says"]
)
def test_evidence_is_left_out_since_nothing_of_it_is_published(evidence):
    assert decode_foreign(changed(evidence=msgspec.to_builtins(evidence)), COMMIT) == REPORT


def test_evidence_that_is_none_is_refused():
    with pytest.raises(RelayRefused) as wrong:
        decode_foreign(changed(evidence=[{"benchmark": 1}]), COMMIT)
    assert str(wrong.value) == refused(
        "a report is of schema energygate.report/1", "$.evidence[0].benchmark: Expected `str`, got `int`"
    )


# What is only cut


def test_sentences_are_cut_and_of_many_the_last_are_counted():
    many = tuple(f"{number}: {'x' * 600}" for number in range(60))
    found = decode_foreign(encode_report(replace(REPORT, warnings=many, notes=many)), COMMIT)
    assert found.warnings == found.notes
    assert len(found.warnings) == 50
    assert found.warnings[48] == f"48: {'x' * 495}\N{HORIZONTAL ELLIPSIS}"
    assert found.warnings[49] == "and 11 more, in the report of the run itself"


def test_a_row_s_reason_and_notes_are_cut_too():
    found = decode_foreign(with_row(reason="r" * 501, notes=["n" * 501] * 51), COMMIT).comparisons[0]
    assert found.reason == f"{'r' * 499}\N{HORIZONTAL ELLIPSIS}"
    assert found.notes == (*[f"{'n' * 499}\N{HORIZONTAL ELLIPSIS}"] * 49, "and 2 more, in the report of the run itself")


def test_control_characters_become_blanks():
    found = decode_foreign(with_row(benchmark="a\nb\u0000c\u001b[31m", notes=["\r\n::error::x"]), COMMIT)
    assert found.comparisons[0].benchmark == "a b c [31m"
    assert found.comparisons[0].notes == ("  ::error::x",)


# What is refused

SCHEMA = "a report is of schema energygate.report/1"
JSON = "a report is one JSON document in UTF-8"
FIELDS = "a report has no fields but those of its schema"
TWICE = "no object of a report has a key twice"
DEEP = "a report is nested at most 20 levels deep"
NAMES = "names have 1 to 200 characters"
RATIOS = "ratios are above 0"
HUGE = "no number of a report is beyond 9007199254740992"
HASHES = "commits are named by whole hashes"
RUNS = "runs are named as energygate names them"
SHARES = "the policy's numbers are fractions, above 0 and at most 1"
POLICY = json.loads(DATA)["policy"]
MACHINE = json.loads(DATA)["machine"]
HALF = with_row(reason="x").replace(b'"x"', rb'"\ud800"')
NAN = with_row(ratio=float("nan"))
HOSTILE = {
    "nothing": (b"", JSON, "Input data was truncated"),
    "no JSON": (b"<html>", JSON, "JSON is malformed: invalid character (byte 0)"),
    "two documents": (DATA + b"{}", JSON, f"JSON is malformed: trailing characters (byte {len(DATA) + 1})"),
    "bad UTF-8": (
        DATA.replace(b"a note", b"a\xffnote"),
        JSON,
        f"'utf-8' codec can't decode byte 0xff in position {DATA.index(b'a note') + 1}: invalid start byte",
    ),
    "half a character": (
        HALF,
        JSON,
        f"JSON is malformed: unexpected end of escaped utf-16 surrogate pair (byte {HALF.index(b'ud800') + 5})",
    ),
    "NaN": (NAN, JSON, f"JSON is malformed: invalid character (byte {NAN.index(b'NaN')})"),
    "1e999": (
        DATA.replace(b"1.125", b"1e999"),
        SCHEMA,
        "$.comparisons[0].ratio: Number out of range",
    ),
    "a list": (b"[]", SCHEMA, "$: Expected `object`, got `array`"),
    "another schema": (
        changed(schema="energygate.report/2"),
        SCHEMA,
        "$.schema: Invalid enum value 'energygate.report/2'",
    ),
    "a text for a number": (with_row(ratio="1"), SCHEMA, "$.comparisons[0].ratio: Expected `float | null`, got `str`"),
    "an outcome that there is not": (
        with_row(outcome="fine\n::error::x"),
        SCHEMA,
        r"$.comparisons[0].outcome: Invalid enum value 'fine\\n::error::x'",
    ),
    "a negative count": (with_row(sessions=-1), SCHEMA, "$.comparisons[0].sessions: Expected `int` >= 0"),
    "a field that no report has": (changed(html="<b>"), FIELDS, "an unknown field, $.html"),
    "a field that no row has": (with_row(html="<b>"), FIELDS, "an unknown field, $.comparisons[0].html"),
    "a field deep within": (
        with_row(net={"idle_w": 1.0, "\n::error::x": 2}),
        FIELDS,
        r"an unknown field, $.comparisons[0].net.\n::error::x",
    ),
    "a key twice": (
        DATA.replace(b'"exit_code"', b'"exit_code": 0, "exit_code"'),
        TWICE,
        "two keys called exit_code",
    ),
    "a key twice, deep within": (
        DATA.replace(b'"gpu-0": 1.01', b'"gpu-0": 1.01, "gpu-0": 9'),
        TWICE,
        "two keys called gpu-0",
    ),
    "deep nesting": (b"[" * 100_000, SCHEMA, "$: Expected `object`, got `array`"),
    "deep nesting where anything may stand": (
        changed(machine=MACHINE | {"soft": {"x": 0}}).replace(b'"x": 0', b'"x": ' + b"[" * 50_000 + b"]" * 50_000),
        DEEP,
        "a document nested too deeply to be read",
    ),
    "nesting that can just be read": (
        changed(machine=MACHINE | {"soft": {"x": 0}}).replace(b'"x": 0', b'"x": ' + b"[" * 300 + b"]" * 300),
        DEEP,
        f"more at $.machine.soft.x{'[0]' * 17}",
    ),
    "deep nesting in a field that no report has": (
        changed(html=0).replace(b'"html": 0', b'"html": ' + b"[" * 50_000 + b"]" * 50_000),
        DEEP,
        "a document nested too deeply to be read",
    ),
    "1,001 comparisons": (
        changed(comparisons=rows(1_001)),
        "there are at most 1000 items",
        "1001 items at $.comparisons",
    ),
    "1,001 meters": (
        changed(meters=json.loads(DATA)["meters"] * 1_001),
        "there are at most 1000 items",
        "1001 items at $.meters",
    ),
    "201 domains": (
        with_row(domains={str(number): 1.0 for number in range(201)}),
        "there are at most 200 keys",
        "201 keys at $.comparisons[0].domains",
    ),
    "a domain of 201 characters": (
        with_row(domains={"d" * 201: 1.0}),
        "there are at most 200 characters in a key",
        "201 characters in a key at $.comparisons[0].domains",
    ),
    "work of 201 characters": (
        with_row(work={"w" * 201: 1.0}),
        "there are at most 200 characters in a key",
        "201 characters in a key at $.comparisons[0].work",
    ),
    "a name of 201 characters": (with_row(benchmark="b" * 201), NAMES, "Expected `str` of length <= 200"),
    "no name": (with_row(benchmark=""), NAMES, "Expected `str` of length >= 1"),
    "an anchor of 201 characters": (with_row(anchor="a" * 201), NAMES, "Expected `str` of length <= 200"),
    "a label of 201 characters": (
        changed(machine=MACHINE | {"label": "m" * 201}),
        NAMES,
        "Expected `str` of length <= 200",
    ),
    "a fact of 501 characters": (
        changed(machine=MACHINE | {"soft": {"x": "y" * 501}}),
        "there are at most 500 characters",
        "501 characters at $.machine.soft.x",
    ),
    "a tool of 501 characters": (
        changed(tool={"energygate": "9" * 501}),
        "there are at most 500 characters",
        "501 characters at $.tool.energygate",
    ),
    "a ratio of 0": (with_row(ratio=0), RATIOS, "Expected `float` > 0.0"),
    "a negative end of an interval": (with_row(ratio_low=-0.5), RATIOS, "Expected `float` > 0.0"),
    "a negative part": (with_row(domains={"gpu-0": -1}), "ratios of parts are not negative", "Expected `float` >= 0.0"),
    "a p-value of 2": (with_row(p_adjusted=2), "p-values lie between 0 and 1", "Expected `float` <= 1.0"),
    "negative joules": (with_row(base=-1), "quantities lie between 0 and 1e12", "Expected `float` >= 0.0"),
    "a huge ratio": (with_row(ratio=1e300), HUGE, "a larger one at $.comparisons[0].ratio"),
    "a huge whole number": (
        changed(machine=MACHINE | {"soft": {"x": 10**1000}}),
        HUGE,
        "a larger one at $.machine.soft.x",
    ),
    "more digits than a number has": (
        changed(machine=MACHINE | {"soft": {"x": 0}}).replace(b'"x": 0', b'"x": ' + b"9" * 5_000),
        SCHEMA,
        "$.machine.soft[...]: Integer value out of range",
    ),
    "a huge line": (
        with_row(location={"file": "a.py", "line": 2**60}),
        HUGE,
        "a larger one at $.comparisons[0].location.line",
    ),
    "another commit": (
        changed(head={"run_id": RUN_ID, "commit": OTHER}),
        "a report describes the commit of its run",
        f"{OTHER}, not {COMMIT}",
    ),
    "no commit": (
        changed(head={"run_id": RUN_ID, "commit": None}),
        "a report describes the commit of its run",
        f"None, not {COMMIT}",
    ),
    "half a commit": (
        changed(head={"run_id": RUN_ID, "commit": COMMIT[:12]}),
        HASHES,
        "Expected `str` matching regex '^([0-9a-f]{40}|[0-9a-f]{64})$'",
    ),
    "an address for the base": (
        changed(base={"run_id": RUN_ID, "commit": "../../evil"}),
        HASHES,
        "Expected `str` matching regex '^([0-9a-f]{40}|[0-9a-f]{64})$'",
    ),
    "a fingerprint and a newline": (
        changed(machine=MACHINE | {"fingerprint": "0123456789ab\n"}),
        SCHEMA,
        "$.machine.fingerprint: Expected `str` matching regex '^[0-9a-f]{12}$'",
    ),
    "a commit and a newline": (
        changed(base={"run_id": RUN_ID, "commit": f"{OTHER}\n"}),
        HASHES,
        "Expected `str` matching regex '^([0-9a-f]{40}|[0-9a-f]{64})$'",
    ),
    "an address for a stored run": (
        changed(baseline={"runs": ["../../evil"]}),
        RUNS,
        "Expected `str` matching regex '^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{10}$'",
    ),
    "a policy that fails on nonsense": (
        changed(policy=POLICY | {"fail_on": ["nonsense"]}),
        "what fails is named by outcomes",
        "Invalid enum value 'nonsense'",
    ),
    "a budget of 200 %": (changed(policy=POLICY | {"budget": 2.0}), SHARES, "Expected `float` <= 1.0"),
    "no budget": (changed(policy=POLICY | {"budget": 0.0}), SHARES, "Expected `float` > 0.0"),
}


@pytest.mark.parametrize(("data", "rule", "found"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_report_is_refused_by_the_rule_that_it_breaks(data, rule, found):
    with pytest.raises(RelayRefused) as error:
        decode_foreign(data, COMMIT)
    assert str(error.value) == refused(rule, found)


def test_what_is_quoted_of_a_report_is_short_and_on_one_line():
    with pytest.raises(RelayRefused) as error:
        decode_foreign(changed(**{"\r\n::error::" + "x" * 300: 1}), COMMIT)
    quoted = r"an unknown field, $.\r\n::error::" + "x" * 300
    assert str(error.value) == refused(FIELDS, f"{quoted[:200]}...")


def test_a_number_of_too_many_digits_is_refused_where_decoding_would_skip_it():
    data = changed(html=0).replace(b'"html": 0', b'"html": ' + b"9" * 5_000)
    with pytest.raises(RelayRefused) as error:
        decode_foreign(data, COMMIT)
    assert error.value.why == f"The rule: {JSON}. Nothing of it is published."
