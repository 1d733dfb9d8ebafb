"""What a user is told who names a meter whose library is not there; with it they are tested in tests/e2e."""

import importlib.util
from pathlib import Path

import pytest

from energygate.errors import MeterUnavailable
from energygate.meters.select import MeterOptions, open_meters


def refusal(name, options):
    with pytest.raises(MeterUnavailable) as refused:
        open_meters([name], options)
    return str(refused.value)


def skip_if_installed(module):
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed here: this would have shown what is said where it is not")


def test_pyrapl_is_said_to_be_missing_with_what_installs_it(host):
    skip_if_installed("pyRAPL")
    assert refusal("pyrapl", MeterOptions(host=host)) == (
        "pyRAPL cannot be imported: No module named 'pyRAPL'. The meter pyrapl reads the counters through it. "
        "pip install 'energygate[pyrapl]'; or use --energy-meters=rapl, which needs nothing."
    )


def test_codecarbon_is_said_to_be_missing_with_what_installs_it(host):
    skip_if_installed("codecarbon")
    assert refusal("codecarbon", MeterOptions(host=host)) == (
        "CodeCarbon cannot be imported: No module named 'codecarbon'. The meter codecarbon is its estimate. "
        "pip install 'energygate[codecarbon]'. Use --energy-meters=estimate, which needs nothing; or rapl and nvml, "
        "which measure."
    )


def test_pyrapl_is_refused_for_another_tree_than_the_one_that_it_reads(powercap, host):
    tree = powercap("one")
    assert refusal("pyrapl", MeterOptions(sysfs=tree.root, host=host)) == (
        f"pyRAPL reads /sys alone, not {tree.root}. Its paths are fixed, so it would read other counters than those "
        "asked for. Use --energy-meters=rapl, or leave --energy-sysfs out."
    )


def test_a_folder_that_leads_to_sys_is_sys(tmp_path, host):
    skip_if_installed("pyRAPL")
    (link := tmp_path / "link").symlink_to(Path("/sys"))
    assert refusal("pyrapl", MeterOptions(sysfs=link, host=host)).startswith("pyRAPL cannot be imported")
