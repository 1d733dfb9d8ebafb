"""What in the surroundings makes measuring impossible or worse, each with the command that mends it.

Pure over what the kernel and the environment say: every path is below an injected root.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from energygate.measure.frequency import frequency_findings
from energygate.measure.load import Load, load_average, processor_ticks
from energygate.measure.machine import Roots
from energygate.meters.diagnosis import Finding
from energygate.meters.host import Host
from energygate.meters.kernel_files import read_text
from energygate.meters.rapl.zones import top_zones
from energygate.units import format_percent

_BARE_METAL: Final = "Use bare metal (EC2: `*.metal`)."
_SELF_HOSTED: Final = (
    "Use a self-hosted runner on bare metal (Settings, Actions, Runners, New self-hosted runner), and in its job:\n"
    "runs-on: [self-hosted, energy]"
)
_STOP_OTHERS: Final = "Stop what else runs, or measure later. This shows it:\nps -eo pcpu,pid,args --sort=-pcpu | head"
_WHOLE_MACHINE: Final = "The processor's counters count the whole machine, so what else runs is in the number."


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
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
    """What is to be mended before anything is measured: where this runs, and the clock."""
    place = Whereabouts(roots=roots, host=host, environ=environ)
    found = [rule(place) for rule in _RULES]
    return *(finding for finding in found if finding is not None), *frequency_findings(roots.sysfs)


def _hosted_runner(place: Whereabouts) -> Finding | None:
    if not place.hosted:
        return None
    image = place.environ.get("ImageOS", "image unknown")
    return Finding(
        what=f"This is a GitHub-hosted runner ({image}).",
        why="It is a virtual machine on a processor that strangers share, and it has no RAPL.",
        fix=_SELF_HOSTED,
    )


def _virtual_machine(place: Whereabouts) -> Finding | None:
    if place.host.virtual_machine is None or place.hosted:
        return None
    return Finding(
        what="This is a virtual machine.",
        why="It shares its processor with others, whose load slows the work and is hardly seen from inside.",
        fix=_BARE_METAL,
    )


def _job_container(place: Whereabouts) -> Finding | None:
    if place.container is None or place.environ.get("GITHUB_ACTIONS") != "true" or _has_zones(place):
        return None
    return Finding(
        what="This is a container job of GitHub Actions.",
        why="The container hides the counters, and on a hosted runner there are none to show.",
        fix="Leave `container:` out of the job, or show it the host's sysfs and read that:\n"
        'container: {image: IMAGE, options: "-v /sys:/host/sys:ro"}\n'
        "env: {ENERGYGATE_SYSFS: /host/sys}",
    )


def _pod(place: Whereabouts) -> Finding | None:
    if not place.environ.get("KUBERNETES_SERVICE_HOST") or _has_zones(place):
        return None
    return Finding(
        what="This is a Kubernetes pod.",
        why="The container runtime hides the counters.",
        fix="Run on the node itself, or mount its sysfs (hostPath /sys at /host/sys, read-only) and read that:\n"
        "export ENERGYGATE_SYSFS=/host/sys",
    )


def _arm(place: Whereabouts) -> Finding | None:
    if "CPU implementer" not in (read_text(place.host.cpuinfo) or ""):
        return None
    return Finding(
        what="This is an ARM processor.",
        why="ARM has no RAPL, so the energy of the processor can't be read from Linux powercap.",
        fix="Measure GPUs with --energy-meters=nvml, or a power meter's own counter through `prometheus: {preset: "
        "custom, …}`.",
    )


_RULES: Final[tuple[Callable[[Whereabouts], Finding | None], ...]] = (
    _hosted_runner,
    _virtual_machine,
    _job_container,
    _pod,
    _arm,
)


def lasting_load(proc: Path) -> tuple[Finding, ...]:
    """What kept the processors busy in the last minute, where it was more than half of them."""
    load, (count, _) = load_average(proc), processor_ticks(proc)
    if load is None or not count or load <= count / 2:
        return ()
    said = f"The load average is {load:.3g} on {count} processor{'' if count == 1 else 's'}."
    return (Finding(what=said, why=_WHOLE_MACHINE, fix=_STOP_OTHERS),)


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


def _has_zones(place: Whereabouts) -> bool:
    try:
        return bool(top_zones(place.roots.sysfs))
    except OSError:  # the folder is there and may not be listed: hidden all the same
        return False
