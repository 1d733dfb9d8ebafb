"""What the keys of every kind of suite are made of. Every number has both bounds: `.inf` is YAML for one too.

A description says in words what may be written: in the JSON Schema, and where something else is refused.
"""

import json
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from energygate.model import MOST_COUNTED

# `$` alone would let a final line break through, and `\Z` is unknown to the readers of a JSON Schema.
_END: Final = r"$(?!\n)"
LONGEST_S: Final = 1e9
MOST_TRIALS: Final = 1_000_000

_SECONDS: Final = "a number of seconds such as 1.5"
Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}" + _END,
        description="at most 64 letters, digits, dots, underscores and hyphens, a letter or digit first",
    ),
]
Argv = Annotated[tuple[str, ...], Meta(min_length=1, description="a list with an item for each word: [python, -m, …]")]
Text = Annotated[str, Meta(min_length=1)]
UrlPath = Annotated[
    str, Meta(pattern=r"^/[^\s\x00-\x1f\x7f]*" + _END, description="a path that begins with / and has no blank")
]
PositiveSeconds = Annotated[float, Meta(gt=0, le=LONGEST_S, description=_SECONDS)]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_S, description=_SECONDS)]
PositiveCount = Annotated[int, Meta(ge=1, le=MOST_COUNTED)]
Pid = Annotated[int, Meta(ge=1, le=2**22)]  # the most that Linux gives out
Trials = Annotated[int, Meta(ge=1, le=MOST_TRIALS)]
WarmUps = Annotated[int, Meta(ge=0, le=MOST_TRIALS)]
MaxTokens = Annotated[int, Meta(ge=1, le=1_000_000)]
LimitMetric = Literal["j_per_request", "j_per_output_token", "j_per_total_token", "energy_j"]
Limits = dict[LimitMetric, Annotated[float, Meta(gt=0, le=1e12)]]

MatrixPath = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*" + _END)]
Matrix = Annotated[dict[MatrixPath, Annotated[tuple[Any, ...], Meta(min_length=1)]], Meta(min_length=1)]


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping in a suite file whose keys are all known."""


def require_json(name: str, value: object) -> None:
    """Raise ValueError unless it can be written as JSON: it is sent so, or hashed so. YAML knows dates and `.nan`."""
    try:
        json.dumps(value, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} may hold text, numbers, true, false, null, lists and mappings of them") from error


class TrialOverrides(Keys, frozen=True, kw_only=True):
    """How a benchmark is measured, where it differs from the configuration. What is None is taken from there."""

    count: Trials | None = None
    warmup: WarmUps | None = None
    min_time: PositiveSeconds | None = None
    min_time_gpu: PositiveSeconds | None = None
    cooldown: Seconds | None = None
    max_invalid: Annotated[float, Meta(ge=0, le=1)] | None = None


class SpanTokens(Keys, frozen=True, kw_only=True):
    """Tokens are counted by the OpenTelemetry spans that the work itself sends while it runs."""

    source: Literal["spans"]
