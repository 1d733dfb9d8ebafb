"""Did anybody else use the server? Then its joules are not those of our requests."""

from dataclasses import dataclass
from typing import Final

from energygate import units
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work
from energygate.workloads.inference.counters import Counts

_NOTED: Final = 0.01
_BLIND: Final = 0.1
_KINDS: Final = {"input": "input_tokens", "output": "output_tokens"}


@dataclass(slots=True)
class Foreign:
    """Looks for other people's tokens in each trial, and remembers how many it could not have seen."""

    _unseen: int = 0
    _share: float = 0.0

    def check(self, answered: Work, served: Counts) -> None:
        """Compare the tokens of a trial's answers with what the counters grew by. What is unknown is skipped.

        Raises
        ------
        MeasurementInvalid
            If they differ by more than the server's rounding, or that is too coarse to tell.
        """
        known = {
            kind: (ours, theirs, served.rounding.get(name, 0))
            for kind, name in _KINDS.items()
            if (ours := getattr(answered, name)) is not None and (theirs := getattr(served, name)) is not None
        }
        said = f"the server counted {_listed(known, 1)} tokens, the answers have {_listed(known, 0)}"
        if any(theirs - ours > rounding for ours, theirs, rounding in known.values()):
            raise MeasurementInvalid(
                InvalidCode.FOREIGN_REQUESTS, f"{said}. Others use the server: measure while nobody else does."
            )
        if any(ours - theirs > rounding for ours, theirs, rounding in known.values()):
            raise MeasurementInvalid(InvalidCode.WORK_FAILED, f"{said}. One of both is wrong.")
        # The true surplus may be larger than the written one by as much as the rounding.
        unseen = sum(theirs - ours + rounding for ours, theirs, rounding in known.values() if rounding)
        share = unseen / max(sum(ours for ours, _, _ in known.values()), 1)
        if share > _BLIND:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, f"{_unseen(unseen, share)} Start it anew before the run.")
        if share > self._share:
            self._unseen, self._share = unseen, share

    @property
    def note(self) -> str | None:
        """Say how many foreign tokens a trial may hold, if that is much."""
        return _unseen(self._unseen, self._share).removesuffix(".") if self._share > _NOTED else None


def _unseen(tokens: int, share: float) -> str:
    return (
        f"the server writes its counters with six digits, so foreign requests of up to {tokens} tokens in a trial "
        f"({units.format_percent(share)} of its own) would be unseen."
    )


def exact_work(served: Counts) -> Work:
    """Take the server's counts for the trial's own, where the answers say none.

    Raises
    ------
    MeasurementInvalid
        If the server rounds them, or does not count output tokens.
    """
    if served.output_tokens is None:
        raise MeasurementInvalid(InvalidCode.READ_ERROR, "the server's counters hold no output tokens")
    if served.rounding:
        raise MeasurementInvalid(
            InvalidCode.READ_ERROR,
            f"the server writes its counters with six digits, so each may be off by "
            f"{max(served.rounding.values())} tokens. Start it anew, or set tokens.source: usage.",
        )
    return Work(
        input_tokens=served.input_tokens,
        output_tokens=served.output_tokens,
        cached_input_tokens=served.cached_input_tokens,
    )


def _listed(known: dict[str, tuple[int, int, int]], which: int) -> str:
    return " and ".join(f"{found[which]} {kind}" for kind, found in known.items())
