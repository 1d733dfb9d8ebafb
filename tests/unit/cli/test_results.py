"""What a program reads: with `--json` one document and nothing else, with `--quiet` one line and nothing else."""

import json

import pytest
from click.testing import CliRunner
from fakes import COMMIT, NAME, a_benchmark, a_report, a_row, a_run, some_trials

from energygate.baseline.schema import encode_run
from energygate.baseline.store import FolderStore
from energygate.cli.main import commands
from energygate.cli.manners import Manners
from energygate.errors import ConfigError
from energygate.report.json import encode_report


def a_session(day, factor=1.0):
    return a_run(a_benchmark(trials=some_trials([e * factor for e in (100.1, 99.8, 100.6, 100.2, 99.9)])), day=day)


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call the command line in a folder with six stored sessions, a run and a report; give both streams."""
    store = FolderStore(tmp_path / "baselines")
    for day in range(1, 7):
        store.add(a_session(day, 1 + day / 1000))
    for name, run in {"base": a_session(7), "head": a_session(8, 1.001)}.items():
        (tmp_path / f"{name}.json").write_bytes(encode_run(run))
    (tmp_path / "report.json").write_bytes(encode_report(a_report(a_row())))
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        done = CliRunner().invoke(commands, arguments, prog_name="energygate", obj=Manners(), catch_exceptions=False)
        return done.exit_code, done.stdout, done.stderr

    return call


ACCEPT = ("baseline", "accept", NAME, "--by", "alice", "--reason", "a better model", "--run", "head.json")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("compare", "base.json", "head.json"), lambda found: found["schema"] == "energygate.report/1"),
        (("report", "report.json"), lambda found: found["schema"] == "energygate.report/1"),
        (("history",), lambda found: found["schema"] == "energygate.history/1"),
        (("plan",), lambda found: found["schema"] == "energygate.plan/1"),
        (("aa",), lambda found: found["schema"] == "energygate.aa/1"),
        (("baseline", "list"), lambda found: [each["commit"] for each in found] == [COMMIT] * 6),
        (("baseline", "show", "20261106"), lambda found: found["run_id"].startswith("20261106")),
        (("baseline", "record", "head.json"), lambda found: found["stored"].endswith(".json")),
        (ACCEPT, lambda found: [file.endswith(".json") for file in found["stored"]] == [True]),
        (("baseline", "prune", "--keep", "4"), lambda found: (found["removed"], len(found["unneeded"])) == (False, 2)),
        (("init", "--dry-run"), lambda found: found["schema"] == "energygate.init/1"),
        (("schema", "run"), lambda found: found["$ref"] == "#/$defs/Run"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) and value[0] != "baseline" else None,
)
def test_json_is_one_document_and_nothing_else_on_stdout(call, arguments, shown):
    code, out, _ = call(*arguments, "--json")
    assert code == 0
    assert shown(json.loads(out))


@pytest.mark.parametrize("arguments", [("compare", "base.json", "head.json"), ("report", "report.json")])
def test_quiet_leaves_the_verdict_alone(call, arguments):
    code, loud, _ = call(*arguments)
    assert call(*arguments, "--quiet") == (code, f"{loud.splitlines()[-1]}\n", "")
    assert loud.splitlines()[-1].startswith("energy: ")
    assert call("--quiet", *arguments) == (code, f"{loud.splitlines()[-1]}\n", "")


def test_quiet_leaves_out_what_is_said_beside_results(call):
    thinned = ("baseline", "prune", "--keep", "1")
    _, out, said = call(*thinned)
    assert said.endswith("5 of 6 stored runs are not needed; --yes removes them\n")
    assert call(*thinned, "-q") == (0, out, "")


def test_quiet_init_says_what_to_type_and_nothing_else(call):
    assert call("init", "-q") == (0, "python -m pytest --energy benchmarks/test_energy.py\n", "")


def test_json_stays_whole_when_it_is_quiet(call):
    assert call("history", "--json", "--quiet")[1] == call("history", "--json")[1]


def test_a_report_cannot_be_two_documents_on_stdout(call):
    with pytest.raises(ConfigError, match="both want standard output") as refused:
        call("report", "report.json", "--json", "--report", "json:-")
    assert "Leave out one, or name a file for the report." in str(refused.value)


def test_json_is_utf_8_whatever_the_terminal_speaks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FolderStore(tmp_path / "baselines").add(a_run(a_benchmark(name="bench.py::test_café")))
    done = CliRunner(charset="ascii").invoke(commands, ["history", "--json"], catch_exceptions=False)
    assert "bench.py::test_café" in done.stdout_bytes.decode()


@pytest.mark.parametrize("command", ["init", "doctor", "history"])
def test_a_working_directory_that_is_gone_is_said(call, tmp_path, monkeypatch, command):
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match=r"^The working directory is gone\. Go to one that is there: cd\.$"):
        call(command)
