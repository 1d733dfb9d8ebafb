"""Whether the processor's clock is steady, and the commands that make it so."""

from pathlib import Path
from typing import Final

from energygate.measure.cpu_settings import CpuSettings
from energygate.meters.diagnosis import Finding

_CPU: Final = "devices/system/cpu"
_NO_TURBO: Final = f"{_CPU}/intel_pstate/no_turbo"
_BOOST: Final = f"{_CPU}/cpufreq/boost"
_POLICIES: Final = f"/sys/{_CPU}/cpufreq/policy*"
_WHY: Final = "The clock then follows load and temperature, and the energy of the same work follows the clock."
_UNIT: Final = """\
sudo tee /etc/systemd/system/energygate-clock.service <<'EOF'
[Unit]
Description=Steady processor clock for energy measurements
[Service]
Type=oneshot
RemainAfterExit=yes
{commands}
[Install]
WantedBy=multi-user.target
EOF
sudo systemctl daemon-reload && sudo systemctl enable --now energygate-clock"""


def frequency_findings(sysfs: Path) -> tuple[Finding, ...]:
    """What lets the clock change, and last how to keep it steady after a boot. What the kernel hides is no finding."""
    found = [rule(sysfs) for rule in (_governor, _preference, _turbo, _lasting)]
    return tuple(finding for finding in found if finding is not None)


def frequency_note(sysfs: Path) -> tuple[str, ...]:
    """One sentence where the clock may change while a run measures."""
    governors = [name for name in CpuSettings(sysfs).read()["governor"] or () if name != "performance"]
    free = [*([f"governor {' and '.join(governors)}"] if governors else []), *(["turbo on"] if _turbo(sysfs) else [])]
    if not free:
        return ()
    return (f"clock: not steady ({', '.join(free)}), which adds noise. `energygate doctor` has the commands.",)


def frequency_words(sysfs: Path) -> str:
    """Governor and turbo in words, unknown where the kernel does not say."""
    known = CpuSettings(sysfs).read()
    turbo = {True: "on", False: "off", None: "unknown"}[known["turbo"]]
    return f"governor {' and '.join(known['governor'] or ('unknown',))}, turbo {turbo}"


def _governor(sysfs: Path) -> Finding | None:
    governors = CpuSettings(sysfs).read()["governor"]
    if not governors or governors == ["performance"]:
        return None
    return Finding(
        what=f"The CPU governor is {' and '.join(governors)}.",
        why=_WHY,
        fix="sudo cpupower frequency-set -g performance\n"
        "# without cpupower:\n"
        f"echo performance | sudo tee {_POLICIES}/scaling_governor",
    )


def _preference(sysfs: Path) -> Finding | None:
    """The preference of intel_pstate and amd-pstate; another governor sets it, so that is said first."""
    preferences = CpuSettings(sysfs).read()["epp"]
    if not preferences or preferences == ["performance"] or _governor(sysfs) is not None:
        return None
    return Finding(
        what=f"The processor's energy preference is {' and '.join(preferences)}.",
        why=_WHY,
        fix=f"echo performance | sudo tee {_POLICIES}/energy_performance_preference",
    )


def _turbo(sysfs: Path) -> Finding | None:
    switch = _turbo_switch(sysfs)
    if switch is None:
        return None
    off, path = switch
    return Finding(
        what="Turbo is on.",
        why="How far the clock rises depends on temperature and neighbours, and so does the energy of the same work.",
        fix=f"echo {off} | sudo tee {path}",
    )


def _turbo_switch(sysfs: Path) -> tuple[int, str] | None:
    """What is to be written where to switch turbo off, or None where it is off, or nobody knows."""
    if not CpuSettings(sysfs).read()["turbo"]:
        return None
    return (1, f"/sys/{_NO_TURBO}") if (sysfs / _NO_TURBO).exists() else (0, f"/sys/{_BOOST}")


def _lasting(sysfs: Path) -> Finding | None:
    commands = []
    if _governor(sysfs) is not None:
        commands.append(f"for policy in {_POLICIES}; do echo performance > $$policy/scaling_governor; done")
    if switch := _turbo_switch(sysfs):
        commands.append(f"echo {switch[0]} > {switch[1]}")
    if not commands:
        return None
    return Finding(
        what="The next boot lets the clock go again.",
        why="Runs before and after it would be of two machines, and not be compared.",
        fix=_UNIT.format(commands="\n".join(f"ExecStart=/bin/sh -c '{command}'" for command in commands)),
    )
