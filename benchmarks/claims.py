"""How each benchmark ends: 0 if the run bears out what the documentation claims, 1 if not, 2 if it showed nothing."""

import sys
from collections.abc import Iterable
from typing import NamedTuple, NoReturn


class Claim(NamedTuple):
    """A sentence with this run's figure in it, and whether that figure keeps it."""

    sentence: str
    kept: bool


def settle(claims: Iterable[Claim]) -> int:
    """Print the claims; the exit code is 1 if one is missed."""
    claims = tuple(claims)
    print("\nclaims")
    for claim in claims:
        print(f"  {'kept  ' if claim.kept else 'MISSED'}  {claim.sentence}")
    return 0 if all(claim.kept for claim in claims) else 1


def give_up(reason: str) -> NoReturn:
    """End a benchmark that is broken itself."""
    print(reason, file=sys.stderr)
    raise SystemExit(2)
