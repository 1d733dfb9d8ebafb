"""Runs -> Comparisons: head beside stored sessions, or beside base trials of the same blocks. Pure.

A comparison is evidence, not a decision (docs/statistics.md).
"""

from energygate.compare.interleaved import compare_interleaved
from energygate.compare.machines import hard_key_differences, soft_key_differences
from energygate.compare.obstacles import too_few
from energygate.compare.pairs import are_paired, paired_logs
from energygate.compare.stored import compare
from energygate.compare.values import AnchorCheck, Change, CompareRules, Comparison, LimitCheck, Obstacle
from energygate.history.sessions import FEWEST_TRIALS, usable_trials

__all__ = [
    "FEWEST_TRIALS",
    "AnchorCheck",
    "Change",
    "CompareRules",
    "Comparison",
    "LimitCheck",
    "Obstacle",
    "are_paired",
    "compare",
    "compare_interleaved",
    "hard_key_differences",
    "paired_logs",
    "soft_key_differences",
    "too_few",
    "usable_trials",
]
