"""The variables of the environment that energygate reads, and which of those around it may be meant as one of them."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

_PREFIX: Final = "ENERGYGATE_"
READ: Final = tuple(
    """
    mode meters config sysfs baselines against trials warmup min_time save report lock_timeout fail_on allow_estimates
    budget min_blocks max_blocks max_minutes setup venv seed base json verbose quiet debug
    calibrate detect queued blocks endpoint run until reason by older_than keep dry_run yes
    id comment comment_mode comment_author check_run annotations summary never_fail run_file
    github_token prometheus_token electricitymaps_token watttime_user watttime_password
    """.upper().split()
)
"""What a user may set, without the prefix."""
OURS: Final = ("ASSIGNMENT", "BASELINES_AT", "EXIT_CODE", "PROCESS", "RESULT", "WHY")
"""What one part of energygate tells another."""
_ALIKE: Final = 0.8  # METER and METERS are, VERSION and VERBOSE are not


def misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Say which variables are not read, but are called nearly as one that is."""
    for variable in sorted(environ):
        name = variable.removeprefix(_PREFIX)
        if name == variable or name in {*READ, *OURS} or not environ[variable]:
            continue
        near = get_close_matches(name, READ, n=1, cutoff=_ALIKE)
        if near and variable.isascii() and variable.isidentifier():
            yield f"{variable} is not read. Did you mean {_PREFIX}{near[0]}?"
