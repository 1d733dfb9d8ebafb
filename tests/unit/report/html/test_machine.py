import pytest
from fakes import a_machine

from energygate.report.html.machine import keys, surroundings


@pytest.mark.parametrize(
    ("hard", "soft", "said"),
    [
        ({}, {}, "epyc-7763-2s"),
        ({"virtual": "none"}, {"container": None}, "epyc-7763-2s, bare metal"),
        ({"virtual": "unknown"}, {"container": "docker"}, "epyc-7763-2s, virtual machine, container (docker)"),
        ({"virtual": "QEMU Standard PC"}, {}, "epyc-7763-2s, virtual machine (QEMU Standard PC)"),
        ({"virtual": None}, {}, "epyc-7763-2s, unknown"),
    ],
)
def test_a_virtual_machine_and_a_container_are_said_as_doctor_says_them(hard, soft, said):
    assert surroundings(a_machine(hard=hard, soft=soft)) == said


def test_switches_are_on_or_off_and_what_is_not_there_is_told_from_what_is_not_known():
    estimate = {"kind": "estimate", "domains": ["cpu"], "constants": {"base_w": 10.0, "calibrated": None}}
    found = {
        "smt": False,
        "turbo": True,
        "virtual": "unknown",
        "governor": None,
        "container": None,
        "gpus": [],
        "meters": {"estimate": estimate},
        "cpu": {"family": "6", "model": "207"},
    }
    assert keys(found) == (
        ("container", "none"),
        ("cpu", "family 6, model 207"),
        ("governor", "unknown"),
        ("gpus", "none"),
        ("meters", "estimate (kind estimate, domains cpu, constants (base_w 10.0, calibrated no))"),
        ("smt", "off"),
        ("turbo", "on"),
        ("virtual", "virtual machine"),
    )
