"""What else the machine does while a trial runs."""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

SERVER = """\
import pathlib, sys, time
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
while True:
    pass
"""
SERVED = """\
import pathlib, time

def measure(energy):
    for trial in energy.trials():
        pathlib.Path("request").touch()
        time.sleep(0.1)
        with trial:
            time.sleep(0.4)

def test_unnamed(energy):
    measure(energy)

def test_named(energy):
    energy.pids = {pids}
    measure(energy)

def test_unknown(energy):
    energy.pids = None
    measure(energy)
"""
QUICK = ("--energy-warmup=0", "--energy-min-time=0.1", "--energy-mode=measure", "--energy-save=run.json")


def test_conditions_of_the_processors_are_kept_with_each_trial(project, live_powercap):
    tree = live_powercap("one")
    project.one_test("energy(sum, range(1000))")
    arguments = ("--energy", "--energy-meters=rapl", f"--energy-sysfs={tree.root}", "--energy-trials=2", *QUICK)
    project.run(*arguments).assert_outcomes(passed=1)
    trials = project.json("run.json")["benchmarks"][0]["trials"]
    assert len(trials) >= 2
    for trial in trials:
        assert trial["conditions"]["cpu"]["power_limits_w"] == {"package-0": [125, 125]}
        assert 0 <= trial["conditions"]["cpu"]["foreign"] <= 1


def test_a_power_limit_that_is_changed_on_the_way_makes_the_trials_since_invalid(project, live_powercap):
    tree = live_powercap("one")
    limit = tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0/constraint_0_power_limit_uw"
    project.one_test(
        "import pathlib, time\n"
        "for n, trial in enumerate(energy.trials()):\n"
        "    with trial:\n"
        "        time.sleep(0.12)\n"
        "        if n == 1:\n"
        f"            pathlib.Path('{limit}').write_text('95000000')"
    )
    arguments = ("--energy", "--energy-meters=rapl", f"--energy-sysfs={tree.root}", "--energy-trials=3", *QUICK)
    project.run(*arguments)
    first, *others = project.json("run.json")["benchmarks"][0]["trials"]
    assert first["invalid"] is None
    since = (
        "governor_changed: the processors are set otherwise than when the session began (power_limits_w.package-0: "
        "125, 125 \N{RIGHTWARDS ARROW} 95, 125). Keep what changes it (thermald, power-profiles-daemon, tuned, a "
        "laptop's charger) from doing so."
    )
    assert [trial["invalid"] for trial in others] == [since] * 2


@pytest.fixture
def servers(project):
    """Processes that no test starts, a busy one for each processor once there is a request."""
    with ExitStack() as started:
        command = [sys.executable, "-c", SERVER, str(project.path / "request")]
        processes = [started.enter_context(subprocess.Popen(command)) for _ in range(os.cpu_count())]
        for process in processes:
            started.callback(process.kill)
        yield tuple(process.pid for process in processes)


@pytest.mark.alone
def test_what_a_server_uses_that_the_test_did_not_start_is_foreign_load_until_it_is_named(
    project, live_powercap, servers
):
    tree = live_powercap("one")
    project.write("energygate.yml", "version: 1\nnoise: {foreign: 60%, pressure: 100%, steal: 100%}\n")
    project.write("test_bench.py", SERVED.replace("{pids}", repr(servers)))
    arguments = ("--energy", "--energy-meters=rapl", f"--energy-sysfs={tree.root}", "--energy-trials=2", *QUICK)
    project.run_alone(*arguments).assert_outcomes(passed=3)
    unnamed, named, unknown = project.json("run.json")["benchmarks"]
    foreign = [
        [trial["conditions"]["cpu"]["foreign"] for trial in benchmark["trials"]]
        for benchmark in (unnamed, named, unknown)
    ]
    assert unnamed["noisy"].endswith(
        "Measure on a runner that does nothing else, name the processes that do its work elsewhere (energy.pids), or "
        "raise noise.foreign."
    )
    assert max(foreign[1]) < min(foreign[0])
    assert (foreign[2], unknown["noisy"], unknown["notes"]) == ([None, None], None, [])


def test_recorded_windows_have_no_conditions(project):
    project.energy("--energy-save=run.json").assert_outcomes(passed=2)
    for benchmark in project.json("run.json")["benchmarks"]:
        assert [trial["conditions"] for trial in benchmark["trials"]] == [{}] * 6
