"""From what was found to the files to write and the commands that come next; pure."""

import shlex
from dataclasses import dataclass
from typing import Final, Literal

from energygate.starter.filling import filled
from energygate.starter.found import CONFIG, RUNNER, Machine, Repository
from energygate.starter.model_suite import chat_suite
from energygate.starter.workflows import WORKFLOWS, workflow

_BENCHMARKS: Final = "benchmarks"
_PROGRAM: Final = "{}/program.energy.yml"
_ESTIMATES: Final = """\
# No energy counter could be read where this was written, so CPU seconds stand in for joules, and every number is
# labelled an estimate. Delete this line where only measurements may decide.
allow_estimates: true"""
_COUNTERS: Final = """\
# May numbers that are no measurement decide? If not, they are shown, and the outcome is `invalid`.
#allow_estimates: false"""

_EDIT: Final = "write the release in the place of OWNER/energygate@...; the runner must have the labels {labels}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterFile:
    """A file to write.

    Attributes
    ----------
    path : str
        Relative to the project's folder, or to the top of its repository.
    at : {"folder", "top"}
        Which of them.
    about : str
        What it is for, in a few words.
    edit : str
        What only a person knows, and has to write there.
    """

    path: str
    text: str
    about: str
    edit: str = ""
    at: Literal["folder", "top"] = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Everything that `energygate init` would write, and what to type then.

    Attributes
    ----------
    first : str
        The command that gives first figures; a verdict needs stored sessions.
    then : tuple of (str, str)
        Further commands, each with what it is for.
    """

    files: tuple[StarterFile, ...]
    first: str
    then: tuple[tuple[str, str], ...]


def choose(repository: Repository, machine: Machine) -> Start:
    """Decide which files a project gets, and which command gives its first figures."""
    folder = repository.benchmarks or _BENCHMARKS
    benchmark = _test(repository, folder) if repository.is_python else _program(folder)
    suites = [] if repository.is_python else [benchmark]
    if repository.server is not None:
        text = chat_suite(repository.server, estimated=not machine.usable)
        about, edit = "joules per request and token", "see that server and model are right"
        suites.append(StarterFile(path="chat.energy.yml", text=text, about=about, edit=edit))
    config = _config(machine, folder, tuple(suite.path for suite in suites))
    written = dict.fromkeys((config, benchmark, *suites))  # of another language, the first benchmark is a suite
    first = _measure(benchmark.path) if repository.is_python else f"energygate run {benchmark.path}"
    then = _then(first, suites if repository.is_python else suites[1:])
    go = f"cd {shlex.quote(repository.way)} && " if repository.way else ""
    return Start(
        files=(*written, *(_workflows(repository, machine, folder) if repository.wants_workflow else ())),
        first=f"{go}{first}",
        then=tuple((f"{go}{command}", about) for command, about in then),
    )


def _measure(path: str) -> str:
    return (
        f"python -m pytest --energy {path}"  # which finds modules in the project's own folder, as pytest alone does not
    )


def _test(repository: Repository, folder: str) -> StarterFile:
    path = f"{folder}/test_energy.py"
    package = f"\n# import {repository.package}, and measure what it does\n" if repository.package else ""
    text = filled("test_energy.py", path=path, package=package)
    return StarterFile(path=path, text=text, about="a first benchmark")


def _program(folder: str) -> StarterFile:
    text = filled("program.energy.yml")
    return StarterFile(path=_PROGRAM.format(folder), text=text, about="a first benchmark")


def _config(machine: Machine, folder: str, suites: tuple[str, ...]) -> StarterFile:
    text = filled(
        CONFIG,
        sysfs=_sysfs(machine.sysfs),
        estimates=_COUNTERS if machine.usable else _ESTIMATES,
        gate=filled("gate-counters" if machine.usable else "gate-estimates").rstrip(),
        folder=folder,
        suites="\n".join(["suites:", *(f"  - {path}" for path in suites)]) if suites else "#suites: []",
    )
    return StarterFile(path=CONFIG, text=text, about="the settings, each explained")


def _sysfs(sysfs: str) -> str:
    said = "# Where sysfs is mounted; in a container often /host/sys."
    return f"{said}\n#sysfs: /sys" if sysfs == "/sys" else f"{said}\nsysfs: '{sysfs.replace(chr(39), chr(39) * 2)}'"


def _workflows(repository: Repository, machine: Machine, folder: str) -> tuple[StarterFile, ...]:
    command = (
        f"python -m pytest --energy-only {folder}"
        if repository.is_python
        else f"energygate run {_PROGRAM.format(folder)}"
    )
    return tuple(
        StarterFile(
            path=f".github/workflows/{name}",
            text=workflow(name, repository, command=command, estimates=not machine.usable),
            about=about,
            edit=_EDIT.format(labels=", ".join(repository.runner or RUNNER)),
            at="top",
        )
        for name, about in WORKFLOWS.items()
    )


def _then(first: str, suites: list[StarterFile]) -> tuple[tuple[str, str], ...]:
    record = first.replace("pytest --energy", "pytest --energy --energy-mode=record")
    recording = record if record != first else f"{first} --mode record"
    return (
        (recording, "commit, then three times on the main branch: the sessions to compare with"),
        (
            f"energygate ab --base HEAD -- {first}",
            "after a change, instead: HEAD and working tree, measured in turn",
        ),
        *((f"energygate run {suite.path}", "after a look at how it starts the server") for suite in suites),
    )
