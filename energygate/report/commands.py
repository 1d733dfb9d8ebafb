"""What to type to see a row again, or to accept it: given only where it can be typed as it is shown."""

import re
import shlex
from typing import Final

from energygate.model import GateReport, Outcome, Row
from energygate.workloads.text import printable

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT: Final = 12
_LONGEST: Final = 500
_CUT: Final = "\N{HORIZONTAL ELLIPSIS}"  # how a long command ends that names its benchmark
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
    if inside and file.endswith(_SUITES):
        files = [] if file == _CONFIG else [file]
        return shlex.join(["energygate", "run", *files, *(["--against", base] if base else [])])
    if inside and file.endswith(_TESTS):
        return shlex.join(["pytest", "--energy", *([f"--energy-against={base}"] if base else []), name])
    return ""


def accepting(row: Row) -> str:
    """Give the command that accepts a row's increase; empty where there is none, or where it cannot be typed."""
    if row.outcome is not Outcome.REGRESSED or not _can_be_typed(row.benchmark):
        return ""
    return f"energygate baseline accept {shlex.quote(row.benchmark)} --reason '{_CUT}' --run RUN.json"


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
