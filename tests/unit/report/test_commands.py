import pytest
from fakes import COMMIT, a_report, a_row
from msgspec.structs import replace

from energygate.model import BaselineRuns, Head, Location, Outcome, StoreName
from energygate.report.commands import accepting, again, own_budget

BASE = "89" * 20
STORED = a_report(a_row())
CONFIRMED = replace(STORED, base=Head(run_id="the base", commit=BASE))
IN_TURNS = replace(STORED, baseline=BaselineRuns(runs=("b",), commits=(BASE,), how="interleaved"))
WITHOUT_COMMIT = replace(STORED, baseline=BaselineRuns(runs=("b",), how="interleaved"))


@pytest.mark.parametrize(
    ("name", "report", "command"),
    [
        ("chat.energy.yml::chat", STORED, "energygate run chat.energy.yml"),
        ("chat.energy.yml::chat", CONFIRMED, "energygate run chat.energy.yml --against 898989898989"),
        ("chat.energy.yml::chat", IN_TURNS, "energygate run chat.energy.yml --against 898989898989"),
        ("chat.energy.yml::chat[n=8]", WITHOUT_COMMIT, "energygate run chat.energy.yml"),
        ("my suites/a.energy.yaml::chat", STORED, "energygate run 'my suites/a.energy.yaml'"),
        ("energygate.yml::chat", CONFIRMED, "energygate run --against 898989898989"),
        ("bench.py::test_it", STORED, "python -m pytest --energy bench.py::test_it"),
        ("bench.py::test_it", IN_TURNS, "python -m pytest --energy --energy-against=898989898989 bench.py::test_it"),
        ("b.py::test[it's $HOME]", STORED, """python -m pytest --energy 'b.py::test[it'"'"'s $HOME]'"""),
        ("python3 work.py", IN_TURNS, "energygate ab --base 898989898989 -- python3 work.py"),
        ("sh -c 'a | b'", IN_TURNS, "energygate ab --base 898989898989 -- sh -c 'a | b'"),
        ("pytest bench.py::test_it", IN_TURNS, "energygate ab --base 898989898989 -- pytest bench.py::test_it"),
    ],
)
def test_a_row_says_what_to_run_to_see_it_again(name, report, command):
    assert again(report, a_row(benchmark=name)) == command


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("-p evil.py::test", STORED),
        ("--config=/x.energy.yml::a", STORED),
        ("bench.py::test\n; rm -rf /", STORED),
        ("bench.py::\u202etest", STORED),
        (f"bench.py::{'x' * 500}", STORED),
        ("python3 work.py", STORED),
        ("python3 work.py", WITHOUT_COMMIT),
        ("python3 work.py --a-long-comma\N{HORIZONTAL ELLIPSIS}", IN_TURNS),
        ("a name of somebody's own", CONFIRMED),
        ("", IN_TURNS),
    ],
)
def test_what_cannot_be_typed_as_it_is_shown_is_no_command(name, report):
    assert again(report, a_row(benchmark=name)) == ""


def test_a_test_with_a_blank_in_its_folder_is_no_command_line():
    row = a_row(benchmark="my bench/test.py::test_it", location=Location(file="my bench/test.py", line=3))
    assert again(IN_TURNS, row) == "python -m pytest --energy --energy-against=898989898989 'my bench/test.py::test_it'"


def test_what_a_report_calls_its_base_is_typed_only_if_it_is_a_commit():
    report = replace(STORED, base=Head(run_id="b", commit="$(reboot)"))
    assert again(report, a_row(benchmark="bench.py::test_it")) == "python -m pytest --energy bench.py::test_it"
    assert COMMIT[:12] not in again(replace(STORED, base=Head(run_id="b", commit=None)), a_row())


def test_an_increase_is_accepted_by_name_with_a_reason_and_the_run():
    row = a_row(outcome=Outcome.REGRESSED, benchmark="chat.energy.yml::chat[n=8]")
    assert accepting(STORED, row) == (
        "energygate baseline accept 'chat.energy.yml::chat[n=8]' --reason '\N{HORIZONTAL ELLIPSIS}' --run RUN.json"
    )


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.REGRESSED])
def test_only_what_regressed_can_be_accepted(outcome):
    assert accepting(STORED, a_row(outcome=outcome)) == ""


@pytest.mark.parametrize("name", ["--by=me", "a\x1b[2J", "x" * 501])
def test_a_name_that_cannot_be_typed_is_not_offered_to_be_accepted(name):
    assert accepting(STORED, a_row(outcome=Outcome.REGRESSED, benchmark=name)) == ""


def read_from(name, **more):
    return replace(STORED, baseline=BaselineRuns(runs=("r",), store=StoreName(name=name, **more)))


@pytest.mark.parametrize(
    ("report", "test", "suite", "accept"),
    [
        (
            read_from("git:energy-baselines", is_given=True, is_shared=True),
            "python -m pytest --energy --energy-baselines=git:energy-baselines bench.py::test_it",
            "energygate run chat.energy.yml --baselines=git:energy-baselines",
            "RUN_ID --baselines=git:energy-baselines",
        ),
        (
            read_from("git:energy-baselines", is_shared=True),
            "python -m pytest --energy bench.py::test_it",
            "energygate run chat.energy.yml",
            "RUN_ID",
        ),
        (
            read_from("my runs", is_given=True),
            "python -m pytest --energy '--energy-baselines=my runs' bench.py::test_it",
            "energygate run chat.energy.yml '--baselines=my runs'",
            "RUN.json --baselines='my runs'",
        ),
        (read_from("-x\x1b[2J", is_given=True), "", "", ""),
    ],
)
def test_a_command_names_the_store_that_was_read_unless_the_settings_file_does(report, test, suite, accept):
    assert again(report, a_row(benchmark="bench.py::test_it")) == test
    assert again(report, a_row(benchmark="chat.energy.yml::chat")) == suite
    row = a_row(outcome=Outcome.REGRESSED, benchmark="bench.py::test_it")
    reason = "--reason '\N{HORIZONTAL ELLIPSIS}'"
    expected = f"energygate baseline accept bench.py::test_it {reason} --run {accept}" if accept else ""
    assert accepting(report, row) == expected


@pytest.mark.parametrize(("high", "percent"), [(1.158, 20), (1.199, 25), (1.01, 5), (2.0, 105)])
def test_a_budget_of_its_own_has_room_for_the_whole_interval(high, percent):
    row = a_row(outcome=Outcome.REGRESSED, benchmark='b.py::test["\u00e4"]', ratio_high=high)
    assert own_budget(STORED, row) == f'  "b.py::test[\\"\u00e4\\"]": {{budget: {percent}%}}'
    assert own_budget(STORED, replace(row, outcome=Outcome.SUSPECT)) == ""
