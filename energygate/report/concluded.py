"""What follows from a report's comparisons, by the functions that conclude it for a run: a file may say otherwise."""

from typing import Final

from msgspec import structs

from energygate.errors import ConfigError
from energygate.gate import exit_code, overall, worst_first
from energygate.model import GateReport, Outcome, count_outcomes
from energygate.report.soundness import impossible
from energygate.workloads.text import printable

_FIX: Final = "Write the report again, by --report json:FILE; it is not to be changed by hand."
_CONCLUSIONS: Final = ("exit_code", "verdict")


def concluded(report: GateReport) -> GateReport:
    """Give a report with the verdict, the counts and the exit code of its comparisons, the worst of them first."""
    rows = worst_first(report.comparisons)
    code = exit_code(rows, [outcome for outcome in Outcome if outcome in report.policy.fail_on])
    return structs.replace(
        report, verdict=overall(rows, code), exit_code=code, counts=count_outcomes(rows), comparisons=rows
    )


def require_concluded(report: GateReport, *, origin: str) -> GateReport:
    """Give a report that can be, with the worst of its comparisons first, and counted anew, as every format shows it.

    Raises
    ------
    ConfigError
        Where it has numbers that cannot be, or its verdict is not that of its comparisons: no two formats would agree
        on it.
    """
    if broken := impossible(report):
        raise ConfigError(f"{origin}: {broken}.", fix=_FIX)
    found = concluded(report)
    for name in _CONCLUSIONS:
        said, follows = getattr(report, name), getattr(found, name)
        if said != follows:
            raise ConfigError(
                f"{origin}: $.{name}: it says {printable(str(said))}, and its comparisons come to {follows}.",
                fix=_FIX,
            )
    return found
