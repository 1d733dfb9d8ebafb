"""What was found, what was written and what to type now: as text, or as one JSON document; pure."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from energygate.starter.choice import Start
from energygate.starter.found import CONFIG, Machine, Repository
from energygate.starter.keeping import Fate, Placed
from energygate.workloads.text import printable

_WIDTH: Final = 80
_LABEL: Final = 9
_VERBS: Final = {Fate.WRITTEN: "wrote", Fate.KEPT: "kept", Fate.PLANNED: "would"}
_FIRST: Final = "first figures; a verdict needs sessions to compare with"
_SERVERS: Final = {"vllm": "vLLM", "sglang": "SGLang", "ollama": "Ollama", "generic": "a model server"}


def told(repository: Repository, machine: Machine, placed: Sequence[Placed], start: Start) -> str:
    """Give it as text. What to type comes last, in its order."""
    return "".join(f"{line}\n" for line in _lines(repository, machine, placed, start))


def told_as_json(repository: Repository, machine: Machine, placed: Sequence[Placed], start: Start) -> dict[str, Any]:
    """Give the same for programs."""
    return {
        "schema": "energygate.init/1",
        "found": [*_found(repository), *_measured(machine)],
        "counters": list(machine.usable),
        "refusals": list(machine.refusals),
        "files": [
            {"path": each.shown, "fate": str(each.fate), "about": each.file.about, "edit": each.file.edit}
            for each in placed
        ],
        "first": start.first,
        "then": [{"command": command, "about": about} for command, about in start.then],
    }


def _lines(repository: Repository, machine: Machine, placed: Sequence[Placed], start: Start) -> Iterator[str]:
    for sentence in (*_found(repository), *_measured(machine)):
        yield from _wrapped("found", sentence)
    yield from _meaning(machine, placed)
    width = max(len(each.shown) for each in placed)
    for each in placed:
        about = "is there already, and left as it is" if each.fate is Fate.KEPT else each.file.about
        yield f"{_VERBS[each.fate]:{_LABEL}}{each.shown:{width}}  {about}"
    yield from _edits(placed)
    for label, (command, about) in zip(_labels(len(start.then)), ((start.first, _FIRST), *start.then), strict=True):
        yield f"{label:{_LABEL}}{command}"
        yield from _wrapped("", about)


def _labels(further: int) -> list[str]:
    return ["now", *("then" if index == 0 else "later" for index in range(further))]


def _found(repository: Repository) -> Iterator[str]:
    kind = "a Python project" if repository.is_python else "a project that is not in Python"
    shown = f" ({repository.language})" if repository.language else ", as nothing says otherwise"
    package = f", package {repository.package}" if repository.package else ""
    yield f"{kind}{shown}{package}"
    if repository.peers:
        files = f"{repository.peers} file{'s' if repository.peers > 1 else ''}"
        yield f"tests with pytest-benchmark in {files}: `energy(f, x)` is called as `benchmark(f, x)` is"
    if repository.server is not None:
        server = repository.server
        model = f", model {server.model}" if server.model else ""
        yield f"{_SERVERS.get(server.name, server.name)} in {printable(server.file)}{model}"
    if not repository.wants_workflow:
        yield "GitLab CI: no workflow of GitHub is written; docs/gitlab.md has the job"


def _measured(machine: Machine) -> Iterator[str]:
    if machine.usable:
        yield f"energy counters that can be read here: {' and '.join(machine.usable)}"
    else:
        yield f"no energy counter that can be read here. {' '.join(_sentence(each) for each in machine.refusals)}"


def _sentence(text: str) -> str:
    shown = printable(text)
    return shown if shown.endswith(".") else f"{shown}."


def _meaning(machine: Machine, placed: Sequence[Placed]) -> Iterator[str]:
    """What it means that there is no counter."""
    if machine.usable:
        return
    kept = any(each.file.path == CONFIG and each.fate is Fate.KEPT for each in placed)
    leave = "lets" if machine.allows_estimates or not kept else "does not let"
    yield from _wrapped(
        "so",
        f"CPU seconds stand in for joules here, and every number is labelled an estimate. {CONFIG} {leave} them decide "
        "(`allow_estimates`). `energygate doctor` says how to get a counter.",
    )


def _edits(placed: Sequence[Placed]) -> Iterator[str]:
    """What only a person knows."""
    new = [each for each in placed if each.fate is not Fate.KEPT and each.file.edit]
    for edit in dict.fromkeys(each.file.edit for each in new):
        where = " and ".join(each.shown for each in new if each.file.edit == edit)
        yield from _wrapped("edit", f"{where}: {edit}")


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        width=_WIDTH,
        initial_indent=f"{label:{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
