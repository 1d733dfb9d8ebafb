"""Plugins beside which no number would be right."""

import pytest

REASON = (
    "--energy does not go with -n (pytest-xdist): the counters count the whole machine, so tests that run side by "
    "side would measure each other. Leave out -n, or add -n 0."
)


@pytest.fixture
def company(project, monkeypatch):
    """Write a plugin of that name; xdist is the real one."""
    monkeypatch.syspath_prepend(project.path)
    project.write("pytest_energy_reporter.py", "")
    return project


@pytest.mark.parametrize("wanted", ["--energy", "--energy-only"])
@pytest.mark.parametrize("spread", [("-n", "2"), ("--dist", "loadscope", "--tx", "2*popen"), ("-d", "--tx", "popen")])
def test_workers_side_by_side_are_refused_with_the_reason(company, wanted, spread):
    result = company.run_alone("-p", "xdist.plugin", *spread, wanted, "--energy-meters=replay:windows.jsonl")
    assert company.usage_error(result) == REASON


def test_no_workers_and_no_measuring_are_nobody_s_trouble(company):
    assert (
        company.run_alone(
            "-p",
            "xdist.plugin",
            "--numprocesses=0",
            "--energy",
            "--energy-meters=replay:windows.jsonl",
            "--energy-trials=6",
        ).ret
        == 0
    )
    assert company.run_alone("-p", "xdist.plugin", "--numprocesses=2").ret == 0


def test_a_plugin_that_runs_every_marked_test_again_is_refused_with_the_way_out(company):
    assert company.usage_error(company.energy("-p", "pytest_energy_reporter")) == (
        "--energy does not go with pytest-energy-reporter, which runs every marked test again. "
        "Add -p no:pytest_energy_reporter."
    )
    assert company.energy("-p", "pytest_energy_reporter", "-p", "no:pytest_energy_reporter").ret == 0
    assert company.run("-p", "pytest_energy_reporter").ret == 0
