"""What a suite file may say. The structs refuse unknown keys and impossible values, each with its path.

Times are seconds, percentages are written ``2%``. Keys that name text under test (prompts, a system prompt) keep it
out of their `repr`.
"""

from energygate.workloads.suites.command import CommandSuite, Extract, WorkRules
from energygate.workloads.suites.endpoint import Endpoint, PresetName, Ready, ServerSpec
from energygate.workloads.suites.file import Suite, SuiteFile
from energygate.workloads.suites.inference import InferenceSuite, Load, Timeouts, Tokens
from energygate.workloads.suites.keys import (
    LONGEST_S,
    MOST_TRIALS,
    Limits,
    PositiveSeconds,
    SpanTokens,
    TrialOverrides,
    Trials,
    WarmUps,
)
from energygate.workloads.suites.prompts import Message, PrefixCache, Prompt, Requests, TextFile
from energygate.workloads.suites.python import PythonSuite

__all__ = [
    "LONGEST_S",
    "MOST_TRIALS",
    "CommandSuite",
    "Endpoint",
    "Extract",
    "InferenceSuite",
    "Limits",
    "Load",
    "Message",
    "PositiveSeconds",
    "PrefixCache",
    "PresetName",
    "Prompt",
    "PythonSuite",
    "Ready",
    "Requests",
    "ServerSpec",
    "SpanTokens",
    "Suite",
    "SuiteFile",
    "TextFile",
    "Timeouts",
    "Tokens",
    "TrialOverrides",
    "Trials",
    "WarmUps",
    "WorkRules",
]
