"""A suite that runs a program."""

import re
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import field

from energygate.workloads.suites.keys import (
    Argv,
    Keys,
    Limits,
    Matrix,
    Name,
    PositiveCount,
    PositiveSeconds,
    SpanTokens,
    Text,
    TrialOverrides,
)

_OF_A_PRESET: Final = frozenset({"requests", "input_tokens", "output_tokens"})


class Extract(Keys, frozen=True, kw_only=True):
    """Where a command's output says a count: a dotted path into its last JSON line, or a pattern with one group."""

    json: Text | None = None
    regex: Text | None = None

    def __post_init__(self) -> None:
        if (self.json is None) == (self.regex is None):
            raise ValueError("give either json or regex")
        if self.regex is not None and _groups(self.regex) != 1:
            raise ValueError(f"regex {self.regex!r} needs exactly one group, the count")


def _groups(pattern: str) -> int:
    try:
        return re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"regex {pattern!r}: {error}") from error


class WorkRules(Keys, frozen=True, kw_only=True):
    """How each count of a command is known; what has no rule may still come from its result file.

    Attributes
    ----------
    preset : str or None
        Whose file stands at ``{result}``: it gives `requests`, `input_tokens` and `output_tokens`.
    """

    preset: Literal["vllm-bench"] | None = None
    requests: PositiveCount | Extract | None = None
    input_tokens: PositiveCount | Extract | None = None
    output_tokens: PositiveCount | Extract | None = None
    cached_input_tokens: PositiveCount | Extract | None = None
    reasoning_tokens: PositiveCount | Extract | None = None

    def __post_init__(self) -> None:
        twice = sorted(_OF_A_PRESET & {name for name, _ in self.declared()})
        if self.preset is not None and twice:
            raise ValueError(f"preset {self.preset} gives {', '.join(twice)}: remove either")

    def declared(self) -> Iterator[tuple[str, int | Extract]]:
        """Every count that has a rule, with it."""
        for name in self.__struct_fields__:
            rule = getattr(self, name)
            if name != "preset" and rule is not None:
                yield name, rule


class CommandSuite(Keys, frozen=True, kw_only=True, tag_field="kind", tag="command"):
    """A program; one trial is one run of it, start-up included.

    Attributes
    ----------
    setup : tuple of str or None
        Run once, before anything is measured.
    """

    name: Name
    command: Argv
    setup: Argv | None = None
    env: dict[str, str] = field(default_factory=dict)
    timeout: PositiveSeconds = 600.0
    work: WorkRules = WorkRules()
    tokens: SpanTokens | None = None
    trials: TrialOverrides = TrialOverrides()
    limits: Limits = field(default_factory=dict)
    matrix: Matrix | None = None

    def __post_init__(self) -> None:
        rules = {name for name, _ in self.work.declared()} - {"requests"}
        if self.tokens is not None and (rules or self.work.preset):
            raise ValueError("with tokens.source: spans, work may give requests alone: spans count the tokens")
