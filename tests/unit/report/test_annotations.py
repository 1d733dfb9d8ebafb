import unicodedata

import pytest
from fakes import a_report, a_row
from msgspec.structs import replace

from energygate.model import Annotation, Head, Location, Metric, Outcome, TrialCounts
from energygate.report.annotations import annotations

HERE = Location(file="bench.py", line=12)
REGRESSED = a_row(
    outcome=Outcome.REGRESSED,
    benchmark="bench.py::test_it",
    metric=Metric.J_PER_REQUEST,
    reason="+12.5 % against the base in 12 blocks: above the budget of 5 %.",
    base=3.41,
    head=3.84,
    ratio=1.125,
    ratio_low=1.091,
    ratio_high=1.158,
    p_adjusted=1e-4,
    blocks=12,
    how="interleaved",
    location=HERE,
)


def test_an_annotation_has_the_ratio_the_interval_the_reason_and_what_to_run():
    report = replace(a_report(REGRESSED), base=Head(run_id="b", commit="89" * 20))
    assert annotations(report) == (
        Annotation(
            path="bench.py",
            line=12,
            level="failure",
            title="regressed: bench.py::test_it +12.5 %",
            message=(
                "bench.py::test_it: +12.5 % (90 % CI +9.1 \N{HORIZONTAL ELLIPSIS} +15.8); 3.41 \N{RIGHTWARDS ARROW} "
                "3.84 J/request; 12 blocks, adjusted p < 0.001. +12.5 % against the base in 12 blocks: above the "
                "budget of 5 %. See it again: python -m pytest --energy --energy-against=898989898989 bench.py::test_it"
            ),
        ),
    )


def test_what_has_no_place_of_its_own_stands_beside_the_settings_file():
    row = a_row(outcome=Outcome.NO_BASELINE, benchmark="a name", reason="no stored run has it yet.", base=None,
                ratio=None, p_adjusted=None, sessions=0, trials=TrialCounts(head=10))  # fmt: skip
    expected = Annotation(
        path="energygate.yml",
        line=1,
        level="warning",
        title="no baseline: a name",
        message="a name: 101 J; 10 trials. No stored run has it yet.",
    )
    assert annotations(a_report(row)) == (expected,)
    (found,) = annotations(a_report(row), settings="ci/energy.yml")
    assert (found.path, found.line) == ("ci/energy.yml", 1)


@pytest.mark.parametrize("file", ["/etc/passwd", "../bench.py", "a/../../bench.py", "\n/etc/passwd", "a\u202e.py"])
def test_a_place_outside_of_the_repository_or_that_cannot_be_shown_as_it_is_is_none(file):
    (found,) = annotations(a_report(replace(REGRESSED, location=Location(file=file, line=7))))
    assert (found.path, found.line) == ("energygate.yml", 1)


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.OVER_LIMIT, "failure"),
        (Outcome.REGRESSED, "failure"),
        (Outcome.INVALID, "failure"),
        (Outcome.MISSING, "failure"),
        (Outcome.SUSPECT, "warning"),
        (Outcome.INCONCLUSIVE, "warning"),
        (Outcome.INCOMPARABLE, "warning"),
        (Outcome.NO_BASELINE, "warning"),
        (Outcome.IMPROVED, "notice"),
    ],
)
def test_each_outcome_has_its_level(outcome, level):
    assert [each.level for each in annotations(a_report(a_row(outcome=outcome)))] == [level]


def test_what_passes_is_not_annotated():
    assert annotations(a_report(a_row(), a_row(benchmark="b"))) == ()


def test_there_is_one_for_each_row_of_the_table_in_its_order():
    report = a_report(
        replace(REGRESSED, outcome=Outcome.OVER_LIMIT, how="limit", base=3.5),
        REGRESSED,
        replace(REGRESSED, metric=Metric.J_PER_OUTPUT_TOKEN),
        a_row(outcome=Outcome.IMPROVED, benchmark="b"),
    )
    assert [each.title for each in annotations(report)] == [
        "over limit: bench.py::test_it (limit) +12.5 %",
        "regressed: bench.py::test_it +12.5 %",
        "improved: b +1.0 %",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "::error::x%0A",
        "a\nb\r\nc",
        "\x00\x1b[2J\u202eevil",
        "<!-- energygate:v1:default -->",
        "n" * 10_000,
        "\N{SNOWMAN}" * 10_000,
    ],
)
def test_a_hostile_name_and_reason_are_one_short_line_of_plain_text(name):
    row = replace(REGRESSED, benchmark=name, reason=name, outcome=Outcome.OVER_LIMIT, how="anchor", anchor=name)
    (found,) = annotations(a_report(row))
    assert len(found.title) <= 255
    assert len(found.message) <= 4000
    shown = f"{found.title}{found.message}"
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}]
