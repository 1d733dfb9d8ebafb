import pytest
from fakes import a_machine, a_meter

from energygate.meters.select import Probe
from energygate.report.doctor import render_doctor

MACHINE = a_machine(hard={"virtual": "none"})
RAPL = Probe(name="rapl", infos=(a_meter(),), power_w={"package-0": 48.13, "dram-0": 5.0})
NVML = Probe(name="nvml", what="No driver.", why="GPUs are unknown.", fix="Install it.\nOr leave it out.")


def test_a_usable_counter_shows_its_watts_and_another_its_reason_and_fix():
    assert render_doctor([RAPL, NVML], MACHINE) == (
        "machine: epyc-7763-2s, virtual: no\n"
        "\n"
        "rapl: usable\n"
        "    refreshed every 1.00 ms, in steps of 0.0610 mJ\n"
        "    package-0: 48.1 W now\n"
        "    dram-0: 5.00 W now\n"
        "\n"
        "nvml: not usable. No driver. GPUs are unknown.\n"
        "    Install it.\n"
        "    Or leave it out.\n"
        "\n"
        "Energy can be measured here by rapl.\n"
    )


@pytest.mark.parametrize(("found", "shown"), [("none", "no"), ("unknown", "yes, of unknown make"), ("kvm", "kvm")])
def test_a_virtual_machine_is_named_as_far_as_it_is_known(found, shown):
    first = render_doctor([], a_machine(hard={"virtual": found})).splitlines()[0]
    assert first == f"machine: epyc-7763-2s, virtual: {shown}"


def test_without_a_counter_the_estimate_is_offered_and_not_taken():
    assert render_doctor([NVML], MACHINE).splitlines()[-1] == (
        "No hardware counter can be read here, so nothing can be measured. An estimate from CPU seconds is offered as "
        "--energy-meters=estimate; it is labelled everywhere and decides only with --energy-allow-estimates."
    )
