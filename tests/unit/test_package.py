"""The package as a user imports it, in processes of their own: this one has long loaded everything."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import a_benchmark, a_run, some_trials

import energygate

ROOT = Path(__file__).parents[2]
HEAVY = ("msgspec", "numpy", "scipy", "pynvml", "yaml", "httpx", "click", "rich")


def python(code, *arguments):
    """Run code in a fresh interpreter; give what it prints, decoded from JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return json.loads(done.stdout)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, json, energygate; print(json.dumps(sorted(sys.modules)))"
    loaded = python(code)
    assert "energygate" in loaded
    assert [name for name in HEAVY if name in loaded] == []
    assert [name for name in loaded if name.startswith("energygate.")] == []


def test_the_pytest_plugin_loads_nothing_heavy():
    code = "import sys, json, energygate.pytest_plugin; print(json.dumps(sorted(sys.modules)))"
    assert [name for name in ("numpy", "scipy", "pynvml", "yaml", "httpx") if name in python(code)] == []


def test_every_public_name_is_there():
    assert sorted(energygate.__all__) == [
        "EnergyGateError",
        "GateReport",
        "MeasurementInvalid",
        "MeterUnavailable",
        "Policy",
        "Run",
        "compare",
        "measure",
        "open_meters",
    ]
    assert [getattr(energygate, name).__name__ for name in energygate.__all__] == energygate.__all__
    assert dir(energygate) == sorted(energygate.__all__)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError) as missing:
        _ = energygate.nonsense
    assert str(missing.value) == "module 'energygate' has no attribute 'nonsense'"


@pytest.mark.parametrize("first", ["measure", "energygate"])
def test_functions_stay_functions_when_modules_of_their_name_are_imported(first):
    access = "energygate.measure, energygate.compare\n"
    code = (
        "import json, energygate\n"
        + (access if first == "energygate" else "")
        + "import energygate.measure, energygate.compare, energygate.measure.trials\n"
        "from energygate import measure, compare\n"
        "names = [f'{f.__module__}.{f.__qualname__}' for f in (measure, compare, energygate.measure)]\n"
        "print(json.dumps(names))"
    )
    assert python(code) == ["energygate.api.measure", "energygate.api.compare", "energygate.api.measure"]


def test_the_package_ships_its_types():
    assert (ROOT / "energygate" / "py.typed").is_file()


def test_the_version_is_that_of_the_distribution():
    done = subprocess.run([sys.executable, "-m", "energygate", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout == f"energygate, version {importlib.metadata.version('energygate')}\n"


def windows(folder, *energies_j):
    lines = (json.dumps({"energy_j": {"package-0": e, "dram-0": 8.0}, "duration_s": 3.2}) for e in energies_j)
    (file := folder / "windows.jsonl").write_text("\n".join(lines))
    return file


def test_one_window_is_measured_as_the_documentation_shows(tmp_path):
    with energygate.open_meters(f"replay:{windows(tmp_path, 92.0)}") as meter:
        with energygate.measure(meter) as trial:
            trial.add(requests=4, output_tokens=50)
        assert trial.energy_j == {"package-0": 92.0, "dram-0": 8.0}
        assert (trial.total_j, trial.j_per_request, trial.j_per_output_token) == (100.0, 25.0, 2.0)


def test_a_window_without_a_reading_raises_where_its_energy_is_asked_for(tmp_path):
    file = windows(tmp_path, 92.0)
    with energygate.open_meters(f"replay:{file}") as meter:
        for _ in range(2):
            with energygate.measure(meter) as trial:
                pass
        with pytest.raises(energygate.MeasurementInvalid, match=r"^replay_exhausted: .*windows\.jsonl has no line"):
            _ = trial.energy_j


def test_queued_work_is_waited_for_at_both_ends(tmp_path):
    waited = []
    with (
        energygate.open_meters(f"replay:{windows(tmp_path, 92.0)}") as meter,
        energygate.measure(meter, sync=lambda: waited.append(len(waited))),
    ):
        assert waited == [0]
    assert waited == [0, 1]


def test_rapl_is_measured_on_a_simulated_tree(live_powercap):
    root = live_powercap("one").root
    counter = root / "devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj"
    with energygate.open_meters("rapl", sysfs=root) as meter:
        with energygate.measure(meter) as trial:
            before_uj = int(counter.read_text())
            while int(counter.read_text()) < before_uj + 100_000:
                pass
        assert list(trial.energy_j) == ["package-0"]
        assert trial.total_j >= 0.1


def test_a_window_too_short_for_the_counters_steps_is_not_zero(live_powercap):
    tree = live_powercap("one")
    tree.command("power intel-rapl:0 0.1")  # so little that the window is too short also on a machine that is slow
    with energygate.open_meters("rapl", sysfs=tree.root) as meter:
        with energygate.measure(meter) as trial:
            pass
        with pytest.raises(
            energygate.MeasurementInvalid, match=r"^too_little_energy: .* J, but these meters need 0\.061 J"
        ):
            _ = trial.energy_j


def test_a_machine_without_counters_says_how_to_get_one(tmp_path):
    with pytest.raises(energygate.MeterUnavailable) as refused:
        energygate.open_meters("rapl", sysfs=tmp_path)
    assert str(refused.value).startswith(f"No RAPL counters in {tmp_path}")
    assert refused.value.fix


def test_a_prometheus_server_is_given_as_the_configuration_gives_it():
    """The counters of a server that is not there: its options are read, and nothing else is missing."""
    with pytest.raises(energygate.EnergyGateError) as missing:
        energygate.open_meters("prometheus")
    assert missing.value.fix.endswith("From Python, give open_meters the same: prometheus={...}.")
    with pytest.raises(energygate.EnergyGateError) as wrong:
        energygate.open_meters("prometheus", prometheus={"url": "http://127.0.0.1:1", "preset": "rapl"})
    assert str(wrong.value) == (
        "prometheus=: preset: Invalid enum value 'rapl'. Allowed here: custom, dcgm, kepler, kepler-legacy, "
        "node_exporter, scaphandre."
    )
    with pytest.raises(energygate.MeterUnavailable, match=r"^http://127\.0\.0\.1:1 does not answer: ConnectError: "):
        energygate.open_meters("prometheus", prometheus={"url": "http://127.0.0.1:1", "preset": "node_exporter"})


def test_runs_are_compared_as_the_documentation_shows():
    sessions = [a_run(a_benchmark(), day=day) for day in (1, 2, 3)]
    worse = a_run(a_benchmark(trials=some_trials((130.1, 129.7, 130.4, 130.0, 129.9))), day=4)
    report = energygate.compare(baseline=sessions, head=worse, policy=energygate.Policy(budget=0.05))
    assert isinstance(report, energygate.GateReport)
    assert (report.verdict, report.exit_code, report.counts) == ("failed", 1, {"regressed": 1})
    assert energygate.compare(baseline=sessions, head=a_run(a_benchmark(), day=4)).verdict == "passed"
