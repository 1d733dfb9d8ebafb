"""Policy x Comparisons -> Verdicts. Pure: the same evidence always gives the same verdict (docs/statistics.md)."""

from energygate.gate.decide import decide
from energygate.gate.outcomes import Outcomes, Stage, paired_outcomes, stored_outcomes
from energygate.gate.rules import compare_rules
from energygate.gate.stages import decided_alone, merge, queue
from energygate.gate.whole import exit_code, overall, worst_first

__all__ = [
    "Outcomes",
    "Stage",
    "compare_rules",
    "decide",
    "decided_alone",
    "exit_code",
    "merge",
    "overall",
    "paired_outcomes",
    "queue",
    "stored_outcomes",
    "worst_first",
]
