"""What in the surroundings makes measuring impossible or worse, each with the command that mends it.

Pure over what the kernel and the environment say: every path is below an injected root.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from energygate.measure.frequency import frequency_findings
from energygate.measure.load import Load
from energygate.measure.machine import Roots
from energygate.meters.diagnosis import Finding
from energygate.meters.host import Host
from energygate.meters.kernel_files import read_text
from energygate.units import format_percent

_ZONES: Final = ("devices/virtual/powercap/intel-rapl", "class/powercap/intel-rapl")

_BARE_METAL: Final = "Use bare metal (EC2: `*.metal`)."
_SELF_HOSTED: Final = (
    "Use a self-hosted runner on bare metal (Settings, Actions, Runners, New self-hosted runner), and in its job:\n"
    "runs-on: [self-hosted, energy]"
)
_STOP_OTHERS: Final = "Stop what else runs, or measure later. This shows it:\nps -eo pcpu,pid,args --sort=-pcpu | head"
_WHOLE_MACHINE: Final = "RAPL counts the whole machine, so what else runs is in the number."


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the rules look.

    Attributes
    ----------
    roots : Roots
        The kernel's files.
    host : Host
        What the machine says of itself.
    environ : mapping
        The environment's variables.
    """

    roots: Roots
    host: Host
    environ: Mapping[str, str]

    @property
    def hosted(self) -> bool:
        """Whether this is a runner of GitHub's; `ImageOS` alone is set by old versions, and by copies of the image."""
        where = self.environ.get("RUNNER_ENVIRONMENT")
        return where == "github-hosted" if where else bool(self.environ.get("ImageOS"))

    @property
    def container(self) -> str | None:
        """What shows that this is a container."""
        if mark := self.host.container_mark:
            return str(mark)
        return "a Kubernetes pod" if self.environ.get("KUBERNETES_SERVICE_HOST") else None


def preflight(roots: Roots, host: Host, environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is to be mended before anything is measured: where this runs, load, and the clock."""
    around = Surroundings(roots=roots, host=host, environ=environ)
    found = [rule(around) for rule in _RULES]
    return *(finding for finding in found if finding is not None), *frequency_findings(roots.sysfs)


def load_average(proc: Path) -> float | None:
    """The load average of the last minute, or None where the kernel does not say."""
    text = read_text(proc / "loadavg")
    return float(text.split()[0]) if text else None


def processors(proc: Path) -> int:
    """How many processors are online."""
    lines = (read_text(proc / "stat") or "").splitlines()
    return sum(line.startswith("cpu") and line[3:4].isdecimal() for line in lines)


def _hosted_runner(around: Surroundings) -> Finding | None:
    if not around.hosted:
        return None
    image = around.environ.get("ImageOS", "image unknown")
    return Finding(
        what=f"This is a GitHub-hosted runner ({image}).",
        why="It is a virtual machine on a processor that strangers share, and it has no RAPL.",
        fix=_SELF_HOSTED,
    )


def _virtual_machine(around: Surroundings) -> Finding | None:
    name = around.host.virtual_machine
    if name is None or around.hosted:
        return None
    return Finding(
        what=f"This is a virtual machine ({name}).",
        why="It shares its processor with others, whose load slows the work and is hardly seen from inside.",
        fix=_BARE_METAL,
    )


def _job_container(around: Surroundings) -> Finding | None:
    if around.container is None or around.environ.get("GITHUB_ACTIONS") != "true" or _has_zones(around):
        return None
    return Finding(
        what="This is a container job of GitHub Actions.",
        why="The container hides the counters, and on a hosted runner there are none to show.",
        fix="Leave `container:` out of the job, or show it the host's sysfs and read that:\n"
        'container: {image: IMAGE, options: "-v /sys:/host/sys:ro"}\n'
        "env: {ENERGYGATE_SYSFS: /host/sys}",
    )


def _pod(around: Surroundings) -> Finding | None:
    if not around.environ.get("KUBERNETES_SERVICE_HOST") or _has_zones(around):
        return None
    return Finding(
        what="This is a Kubernetes pod.",
        why="The container runtime hides the counters.",
        fix="Run on the node itself, or mount its sysfs (hostPath /sys at /host/sys, read-only) and read that:\n"
        "export ENERGYGATE_SYSFS=/host/sys",
    )


def _arm(around: Surroundings) -> Finding | None:
    if "CPU implementer" not in (read_text(around.host.cpuinfo) or ""):
        return None
    return Finding(
        what="This is an ARM processor.",
        why="ARM has no RAPL, so the energy of the processor can't be read from Linux powercap.",
        fix="Measure GPUs with --energy-meters=nvml, or a power meter's own counter through `prometheus: {preset: "
        "custom, …}`.",
    )


def _loaded(around: Surroundings) -> Finding | None:
    load, count = load_average(around.roots.proc), processors(around.roots.proc)
    if load is None or not count or load <= count / 2:
        return None
    return Finding(
        what=f"The load average is {load:.3g} on {count} processor{'' if count == 1 else 's'}.",
        why=_WHOLE_MACHINE,
        fix=_STOP_OTHERS,
    )


_RULES: Final[tuple[Callable[[Surroundings], Finding | None], ...]] = (
    _hosted_runner,
    _virtual_machine,
    _job_container,
    _pod,
    _arm,
    _loaded,
)


def present_load(load: Load) -> tuple[Finding, ...]:
    """What others do with the processors at this moment, where it is more than a quiet machine has."""
    judged: list[tuple[float | None, float, str, str]] = [
        (load.foreign, 0.05, "Other processes use {} of the processors.", _STOP_OTHERS),
        (load.pressure, 0.10, "Tasks wait for a processor {} of the time.", _STOP_OTHERS),
        (load.steal, 0.005, "The hypervisor takes {} of the processors for others.", _BARE_METAL),
    ]
    return tuple(
        Finding(what=sentence.format(format_percent(round(share, 3))), why=_WHOLE_MACHINE, fix=fix)
        for share, limit, sentence, fix in judged
        if share is not None and share > limit + load.tick_error
    )


def _has_zones(around: Surroundings) -> bool:
    return any(any((around.roots.sysfs / folder).glob("intel-rapl:*")) for folder in _ZONES)
