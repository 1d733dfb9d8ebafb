"""Names that a shell completes."""

import click
import pytest
from click.shell_completion import ShellComplete
from fakes import a_benchmark, a_machine, a_run

from energygate.baseline.store import FolderStore
from energygate.cli.completing import benchmark_names
from energygate.cli.main import commands


@pytest.fixture
def completed(tmp_path, monkeypatch):
    """Complete a command line as a shell asks for it, in a folder whose baselines are these."""
    monkeypatch.chdir(tmp_path)

    def completed(*words, incomplete=""):
        asked = ShellComplete(commands, {}, "energygate", "_ENERGYGATE_COMPLETE")
        return [item.value for item in asked.get_completions(list(words), incomplete)]

    return completed


@pytest.fixture
def stored(tmp_path):
    store = FolderStore(tmp_path / "baselines")
    store.add(a_run(a_benchmark(name="a.py::test_one"), a_benchmark(name="a.py::test_two"), day=1))
    store.add(a_run(a_benchmark(name="b.py::test_one"), day=2, machine=a_machine(fingerprint="ba9876543210")))
    return tmp_path / "baselines"


@pytest.mark.parametrize("command", [("history",), ("plan",), ("baseline", "accept"), ("baseline", "accept", "x")])
def test_stored_benchmarks_are_completed_over_all_machines(completed, stored, command):
    assert sorted(completed(*command)) == ["a.py::test_one", "a.py::test_two", "b.py::test_one"]
    assert completed(*command, incomplete="b") == ["b.py::test_one"]


def test_the_folder_that_is_named_so_far_is_looked_at(completed, stored, tmp_path):
    stored.rename(tmp_path / "elsewhere")
    assert completed("history") == []
    assert len(completed("history", "--baselines", "elsewhere")) == 3


@pytest.mark.parametrize("text", ["", "[", '{"benchmarks": 3}', '{"benchmarks": [{}]}'])
def test_a_file_that_is_broken_completes_nothing_and_says_nothing(completed, stored, text):
    next(stored.glob("0123*/*.json")).write_text(text)
    assert completed("history") == ["b.py::test_one"]


@pytest.mark.parametrize("text", ["version: 2\n", "version: 1\nbaselines: git:energy-baselines\n"])
def test_a_configuration_that_is_broken_or_names_no_folder_completes_nothing(completed, stored, tmp_path, text):
    (tmp_path / "energygate.yml").write_text(text)
    assert completed("history") == []


def test_commands_are_completed_too(completed):
    assert completed(incomplete="ba") == ["baseline"]
    assert completed("baseline", incomplete="a") == ["accept"]


def test_only_the_newest_files_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for day in range(1, 6):
        FolderStore(tmp_path / "baselines").add(a_run(a_benchmark(name=f"a.py::test_{day}"), day=day))
    names = benchmark_names(click.Context(commands), click.Option(["--x"]), "")
    assert names == ["a.py::test_5", "a.py::test_4", "a.py::test_3"]
