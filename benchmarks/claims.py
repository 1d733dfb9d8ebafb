"""How each benchmark ends: 0 if the run bears out what the documentation claims, 1 if not, 2 if it showed nothing."""

import sys
from collections.abc import Iterable
from typing import NamedTuple, NoReturn


class Claim(NamedTuple):
    """A sentence with this run's figure in it, and whether that figure keeps it.

    Attributes
    ----------
    sentence : str
    kept : bool
    known : str
        Why it is missed, where the documentation says that it is; else nothing.
    """

    sentence: str
    kept: bool
    known: str = ""


def settle(claims: Iterable[Claim]) -> int:
    """Print the claims; the exit code is 1 if one is missed that is not known to be."""
    claims = tuple(claims)
    print("\nclaims")
    for claim in claims:
        print(f"  {_line(claim)}")
    return 0 if all(claim.kept or claim.known for claim in claims) else 1


def _line(claim: Claim) -> str:
    if claim.known and not claim.kept:
        return f"known   {claim.sentence}: missed, as documented: {claim.known}"
    return f"{'kept  ' if claim.kept else 'MISSED'}  {claim.sentence}"


def give_up(reason: str) -> NoReturn:
    """End a benchmark that is broken itself."""
    print(reason, file=sys.stderr)
    raise SystemExit(2)
