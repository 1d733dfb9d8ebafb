"""What to type to see a row again, or to accept it: given only where it can be typed as it is shown."""

import json
import math
import re
import shlex
from typing import Final

from energygate.model import GateReport, Outcome, Row
from energygate.workloads.text import printable

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT: Final = 12
_LONGEST: Final = 500
_CUT: Final = "\N{HORIZONTAL ELLIPSIS}"  # how a long command ends that names its benchmark
_STEP: Final = 5  # percent, to which a budget is rounded up
_ROOM: Final = 1  # percent, so that the same increase does not miss it by a hair
_CONFIG: Final = "energygate.yml"
_SUITES: Final = (".yml", ".yaml")
_TESTS: Final = (".py",)


def again(report: GateReport, row: Row) -> str:
    """Give the command that measures a row's benchmark again; empty where none is known.

    It measures beside the base where its commit is known, and else against the stored runs.
    """
    name, base = row.benchmark, _base(report)
    if not _can_be_typed(name):
        return ""
    if _is_command(report, row):
        return _in_turns(name, base)
    file, _, inside = name.partition("::")
    store = _given_store(report)
    if not all(map(_can_be_typed, store)):
        return ""
    if inside and file.endswith(_SUITES):
        files = [] if file == _CONFIG else [file]
        against = ["--against", base] if base else []
        return shlex.join(["energygate", "run", *files, *against, *(f"--baselines={each}" for each in store)])
    if inside and file.endswith(_TESTS):
        against = [f"--energy-against={base}"] if base else []
        return shlex.join(
            ["python", "-m", "pytest", "--energy", *against, *(f"--energy-baselines={each}" for each in store), name]
        )
    return ""


def accepting(report: GateReport, row: Row) -> str:
    """Give the command that accepts a row's increase; empty where there is none, or where it cannot be typed.

    Where all branches share a store, the run is one that was stored after the merge.
    """
    if row.outcome is not Outcome.REGRESSED or not all(map(_can_be_typed, (row.benchmark, *_given_store(report)))):
        return ""
    run = "RUN_ID" if is_shared(report) else "RUN.json"
    command = f"energygate baseline accept {shlex.quote(row.benchmark)} --reason '{_CUT}' --run {run}"
    return f"{command}{option(report)}"


def is_shared(report: GateReport) -> bool:
    """Whether the report was made with a store that all branches share."""
    return report.baseline.store is not None and report.baseline.store.is_shared


def option(report: GateReport) -> str:
    """What a command must say to read the store that the report was made with, with the blank before it."""
    return "" if report.baseline.store is None else report.baseline.store.option


def own_budget(report: GateReport, row: Row) -> str:
    """Give the lines of `energygate.yml` that let a row's increase pass; empty where it cannot be accepted."""
    if row.ratio_high is None or not accepting(report, row):
        return ""
    percent = _STEP * math.ceil((100 * (row.ratio_high - 1) + _ROOM) / _STEP)
    return f"  {json.dumps(row.benchmark, ensure_ascii=False)}: {{budget: {percent}%}}"


def _given_store(report: GateReport) -> tuple[str, ...]:
    store = report.baseline.store
    return (store.name,) if store is not None and store.is_given else ()


def _is_command(report: GateReport, row: Row) -> bool:
    """Whether the benchmark is a command that `energygate ab` measured from outside: its name is what was typed."""
    file, separator, _ = row.benchmark.partition("::")
    is_node = bool(separator) and file.endswith((*_SUITES, *_TESTS)) and " " not in file
    return report.baseline.how == "interleaved" and row.location is None and not is_node


def _in_turns(command: str, base: str) -> str:
    """Repeat a command that is the benchmark itself, unless only its beginning is its name."""
    return f"energygate ab --base {base} -- {command}" if base and not command.endswith(_CUT) else ""


def _can_be_typed(name: str) -> bool:
    """Whether a name is what it looks like, and no option."""
    return 0 < len(name) <= _LONGEST and printable(name, limit=_LONGEST) == name and not name.startswith("-")


def _base(report: GateReport) -> str:
    """The commit that was measured in turns with the head; empty where stored runs decided, or it has none."""
    if report.base is not None:
        commit = report.base.commit
    else:
        commit = next(iter(report.baseline.commits), None) if report.baseline.how == "interleaved" else None
    return commit[:_SHORT] if commit is not None and _COMMIT.fullmatch(commit) else ""
