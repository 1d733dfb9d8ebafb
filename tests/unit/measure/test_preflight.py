import subprocess

import pytest
from rig.fixtures import make_host

from energygate.measure.load import Load
from energygate.measure.machine import Roots
from energygate.measure.preflight import lasting_load, preflight, present_load
from energygate.meters.diagnosis import Finding

CPU = "sys/devices/system/cpu"
STEADY = {f"{CPU}/cpufreq/policy0/scaling_governor": "performance", f"{CPU}/intel_pstate/no_turbo": "1"}
QUIET = {"proc/loadavg": "0.10 0.20 0.48 1/108 12814", "proc/stat": "cpu 1 2\ncpu0 1 1\ncpu1 0 1\nintr 5\n"}
ZONE = {"sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/name": "package-0"}


@pytest.fixture
def found(tmp_path):
    """What is found where these files say so: a quiet, steady Intel machine with counters, unless told otherwise."""

    def look(files=(), *, environ=(), marks=(), flags="fpu msr", vendor="GenuineIntel", without=()):
        for name, text in {**STEADY, **QUIET, **ZONE, **dict(files)}.items():
            if name not in without:
                (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{text}\n")
        host = make_host(tmp_path, vendor=vendor, flags=flags, marks=marks, sysfs=tmp_path / "sys")
        return preflight(Roots(sysfs=tmp_path / "sys", proc=tmp_path / "proc"), host, dict(environ))

    return look


def test_a_quiet_bare_metal_machine_with_a_steady_clock_has_nothing_to_mend(found):
    assert found() == ()


def test_an_intel_machine_as_it_is_delivered_is_told_the_commands_that_steady_its_clock(found):
    governor, turbo, lasting = found(
        {
            f"{CPU}/cpufreq/policy0/scaling_governor": "powersave",
            f"{CPU}/cpufreq/policy1/scaling_governor": "performance",
            f"{CPU}/cpufreq/policy0/energy_performance_preference": "balance_performance",
            f"{CPU}/intel_pstate/no_turbo": "0",
        }
    )
    assert governor == Finding(
        what="The CPU governor is performance and powersave.",
        why="The clock then follows load and temperature, and the energy of the same work follows the clock.",
        fix="sudo cpupower frequency-set -g performance\n"
        "# without cpupower:\n"
        "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
    )
    assert turbo == Finding(
        what="Turbo is on.",
        why="How far the clock rises depends on temperature and neighbours, and so does the energy of the same work.",
        fix="echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
    )
    assert lasting.what == "The next boot lets the clock go again."
    assert [line for line in lasting.fix.splitlines() if line.startswith("ExecStart")] == [
        (
            "ExecStart=/bin/sh -c 'for policy in /sys/devices/system/cpu/cpufreq/policy*; do echo performance > "
            "$$policy/scaling_governor; done'"
        ),
        "ExecStart=/bin/sh -c 'echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo'",
    ]


def test_an_epyc_has_its_own_switch_for_turbo_and_its_governor_is_none_of_the_units_business(found):
    turbo, lasting = found(
        {f"{CPU}/cpufreq/boost": "1"}, vendor="AuthenticAMD", without=[f"{CPU}/intel_pstate/no_turbo"]
    )
    assert turbo.fix == "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
    assert "ExecStart=/bin/sh -c 'echo 0 > /sys/devices/system/cpu/cpufreq/boost'\n" in lasting.fix
    assert "governor" not in lasting.fix


def test_every_command_is_one_that_a_shell_takes(found):
    clock = {f"{CPU}/cpufreq/policy0/scaling_governor": "powersave", f"{CPU}/intel_pstate/no_turbo": "0"}
    busy = {"proc/loadavg": "64.00 1 1 1/1 1"}
    for finding in found({**clock, **busy}):
        lines = [line for line in finding.fix.splitlines() if not line.endswith((".", ":"))]
        subprocess.run(["sh", "-n"], input="\n".join(lines), text=True, check=True)


def test_the_preference_is_spoken_of_where_the_governor_would_not_set_it(found):
    [preference] = found({f"{CPU}/cpufreq/policy0/energy_performance_preference": "power"})
    assert preference.what == "The processor's energy preference is power."
    assert preference.fix == (
        "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/energy_performance_preference"
    )


def test_a_virtual_machine_is_named(found):
    [machine] = found({"sys/class/dmi/id/sys_vendor": "QEMU"}, flags="fpu hypervisor")
    assert machine == Finding(
        what="This is a virtual machine.",
        why="It shares its processor with others, whose load slows the work and is hardly seen from inside.",
        fix="Use bare metal (EC2: `*.metal`).",
    )


HOSTED = Finding(
    what="This is a GitHub-hosted runner (ubuntu24).",
    why="It is a virtual machine on a processor that strangers share, and it has no RAPL.",
    fix="Use a self-hosted runner on bare metal (Settings, Actions, Runners, New self-hosted runner), and in its job:\n"
    "runs-on: [self-hosted, energy]",
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RUNNER_ENVIRONMENT": "github-hosted", "ImageOS": "ubuntu24"}, (HOSTED,)),
        ({"ImageOS": "ubuntu24"}, (HOSTED,)),
        ({"RUNNER_ENVIRONMENT": "self-hosted", "ImageOS": "ubuntu24"}, ()),
    ],
)
def test_a_runner_of_githubs_is_told_from_ones_own(found, environ, expected):
    assert found(environ=environ, flags="fpu hypervisor" if expected else "fpu") == expected


def test_a_container_job_that_sees_no_counters_is_told_how_to_show_them(found, tmp_path):
    (mark := tmp_path / ".dockerenv").touch()
    [job] = found(environ={"GITHUB_ACTIONS": "true"}, marks=(mark,), without=ZONE)
    assert job.what == "This is a container job of GitHub Actions."
    assert job.fix.splitlines()[1:] == [
        'container: {image: IMAGE, options: "-v /sys:/host/sys:ro"}',
        "env: {ENERGYGATE_SYSFS: /host/sys}",
    ]


def test_a_container_that_sees_the_counters_is_in_order(found, tmp_path):
    (mark := tmp_path / ".dockerenv").touch()
    assert found(environ={"GITHUB_ACTIONS": "true", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, marks=(mark,)) == ()


def test_a_pod_that_sees_no_counters_is_told_to_mount_sysfs(found):
    [pod] = found(environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, without=ZONE)
    assert pod.what == "This is a Kubernetes pod."
    assert pod.fix.splitlines()[-1] == "export ENERGYGATE_SYSFS=/host/sys"


def test_arm_is_told_that_it_has_no_rapl(tmp_path):
    host = make_host(tmp_path)
    host.cpuinfo.write_text("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n")
    [arm] = preflight(Roots(sysfs=tmp_path / "sys", proc=tmp_path / "proc"), host, {})
    assert arm.what == "This is an ARM processor."
    assert "--energy-meters=nvml" in arm.fix


@pytest.fixture
def lasting(tmp_path):
    """What a load average on two processors is said to be."""

    def look(average):
        (tmp_path / "stat").write_text("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0\ncpu1 0\n")
        (tmp_path / "loadavg").write_text(f"{average} 0 0 1/1 1\n")
        return lasting_load(tmp_path)

    return look


@pytest.mark.parametrize(("average", "expected"), [("1.00", 0), ("1.01", 1)])
def test_more_load_than_half_the_processors_is_told(lasting, average, expected):
    assert len(lasting(average)) == expected


def test_the_load_average_is_told_with_the_command_that_shows_who_it_is(lasting):
    [loaded] = lasting("3.25")
    assert loaded == Finding(
        what="The load average is 3.25 on 2 processors.",
        why="The processor's counters count the whole machine, so what else runs is in the number.",
        fix="Stop what else runs, or measure later. This shows it:\nps -eo pcpu,pid,args --sort=-pcpu | head",
    )


def test_a_machine_that_says_nothing_of_itself_has_no_findings(tmp_path, host):
    assert preflight(Roots(sysfs=tmp_path / "sys", proc=tmp_path / "proc"), host, {}) == ()
    assert lasting_load(tmp_path) == ()


def test_present_load_is_told_by_what_it_is():
    found = present_load(Load(foreign=0.23, pressure=0.31, steal=0.02))
    assert [finding.what for finding in found] == [
        "Other processes use 23 % of the processors.",
        "Tasks wait for a processor 31 % of the time.",
        "The hypervisor takes 2 % of the processors for others.",
    ]


def test_a_quiet_moment_and_an_unknown_one_are_no_findings():
    assert present_load(Load(foreign=0.05, pressure=0.10, steal=0.005)) == ()
    assert present_load(Load()) == ()


def test_what_a_tick_of_the_clock_explains_is_no_load():
    assert present_load(Load(foreign=0.058, tick_error=0.01)) == ()
