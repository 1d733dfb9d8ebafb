"""Blocks: one trial of the base and one of the head side by side, in random order, until enough is known.

Pure: who measures a side, what is precise enough, chance and time are passed in. A benchmark never stops because of
what was found, only because of how precisely (docs/statistics.md).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final, Protocol

from msgspec import structs

from energygate.errors import InvalidCode
from energygate.measure.deadline import Deadline
from energygate.measure.equal_work import other_work
from energygate.measure.trials import NOT_WORTH_REPEATING
from energygate.model import Trial

_LOOK_EVERY: Final = 2
_EACH_ORDER: Final = 5  # of ten blocks


class Side(StrEnum):
    """Which of the two a trial is of. Both words are of equal length: paths are too."""

    BASE = "base"
    HEAD = "head"


class Confirm(Protocol):
    """How many blocks are measured, and for how long: see `energygate.policy.Confirm`."""

    @property
    def min_blocks(self) -> int: ...  # noqa: D102
    @property
    def max_blocks(self) -> int: ...  # noqa: D102
    @property
    def max_minutes(self) -> float | None: ...  # noqa: D102


Order = tuple[Side, Side]
Pair = tuple[Trial, Trial]
Measure = Callable[[Side, int, Sequence[str]], Mapping[str, Trial]]
"""Gives a trial of each of those benchmarks, on that side and in that block."""


def balanced_orders(random: Random) -> Iterator[Order]:
    """Which side of a block is measured first: of every ten blocks five begin with either, shuffled."""
    while True:
        ten: list[Order] = [(Side.BASE, Side.HEAD), (Side.HEAD, Side.BASE)] * _EACH_ORDER
        random.shuffle(ten)
        yield from ten


class Stop(StrEnum):
    """Why a benchmark was measured no further."""

    PRECISE = "precise enough"
    MOST_BLOCKS = "max_blocks"
    TIME = "max_minutes"
    INVALID = "too many void blocks"


@dataclass(slots=True, kw_only=True)
class Account:
    """What was measured of one benchmark, and why it ended.

    Attributes
    ----------
    pairs : list of (base, head)
        Every block, in order; one with an invalid side is void.
    tolerant : bool
        Whether noisy trials count: dropping them would pick the quiet moments of a machine that is never quiet.
    """

    name: str
    confirm: Confirm
    max_invalid: float
    pairs: list[Pair] = field(default_factory=list)
    stopped: Stop | None = None
    tolerant: bool = False

    @property
    def counted(self) -> list[Pair]:
        """The blocks of which both sides count."""
        return [pair for pair in self.pairs if not any(map(self._fault, pair))]

    @property
    def void(self) -> int:
        """How many blocks don't count."""
        return len(self.pairs) - len(self.counted)

    def trials(self, side: Side) -> tuple[Trial, ...]:
        """Give the trials of one side as a Run stores them: what does not count says why."""
        each = [pair[0 if side is Side.BASE else 1] for pair in self.pairs]
        found = [structs.replace(trial, index=i, invalid=self._fault(trial)) for i, trial in enumerate(each)]
        other = other_work(found)
        return tuple(structs.replace(trial, invalid=other.get(trial.index, trial.invalid)) for trial in found)

    def invalid(self, side: Side) -> str | None:
        """Why nothing of it counts, if this side is the one to blame; else None."""
        if self.stopped is not Stop.INVALID:
            return None
        to_blame, reason = self._commonest_fault
        return f"{self.void} of {len(self.pairs)} blocks are void. {reason}" if side is to_blame else None

    @property
    def noisy(self) -> str | None:
        """Why no verdict can rest on it although it was measured, or None."""
        found = [sentence for pair in self.pairs for trial in pair if (sentence := _noise(trial))]
        if not (self.tolerant and found):
            return None
        return f"{len(found)} of {2 * len(self.pairs)} trials are noisy: {found[-1]}"

    @property
    def sentence(self) -> str:
        """What was run and why it ended, as the report says it."""
        void = f", {self.void} more void ({self._why_void})" if self.void else ""
        return f"{_blocks(len(self.counted))} measured{void}; {self._why()}"

    def add(self, base: Trial, head: Trial, precise: Callable[[Sequence[Pair]], bool]) -> None:
        """Take one block, and see whether it was the last. `precise` is told nothing of what was found."""
        self.pairs.append((base, head))
        if len(self.counted) >= self.confirm.min_blocks:
            self._reject_other_work()
        if self._is_spoilt():
            self.stopped = Stop.INVALID
            return
        n = len(self.counted)
        if n >= self.confirm.min_blocks and n % _LOOK_EVERY == 0 and precise(self.counted):
            self.stopped = Stop.PRECISE
        elif n >= self.confirm.max_blocks:
            self.stopped = Stop.MOST_BLOCKS

    def _reject_other_work(self) -> None:
        """Void the blocks of a trial that did other work than the median one of its side."""
        sides = [self.trials(side) for side in Side]
        for at, pair in enumerate(self.pairs):
            base, head = (
                structs.replace(trial, invalid=trial.invalid or _other(judged[at]))
                for trial, judged in zip(pair, sides, strict=True)
            )
            self.pairs[at] = base, head

    def _is_spoilt(self) -> bool:
        """Whether there are more void blocks than are repeated. Lets noisy trials count if they alone are the cause."""
        if any(_code(trial) in NOT_WORTH_REPEATING for trial in self.pairs[-1]):
            return True
        allowed = math.ceil(self.max_invalid * max(self.confirm.min_blocks, len(self.counted)))
        if self.void <= allowed:
            return False
        self.tolerant = self.tolerant or any(_noise(trial) for pair in self.pairs for trial in pair)
        return self.void > allowed

    def _fault(self, trial: Trial) -> str | None:
        noise = None if self.tolerant else _noise(trial)
        return trial.invalid or (f"{InvalidCode.NOISY}: {noise}" if noise else None)

    @property
    def _why_void(self) -> str:
        side, reason = self._commonest_fault
        return f"{side}: {reason.rstrip('.')}"

    @property
    def _commonest_fault(self) -> tuple[Side, str]:
        """The side and the first sentence of the fault that came most often: sentences hold numbers, codes do not."""
        (side, code), _ = Counter((each, fault.partition(":")[0]) for each, fault in self._faults).most_common(1)[0]
        return side, next(fault for each, fault in self._faults if each is side and fault.startswith(f"{code}:"))

    @property
    def _faults(self) -> Iterator[tuple[Side, str]]:
        for pair in self.pairs:
            for side, trial in zip(Side, pair, strict=True):
                if fault := self._fault(trial):
                    yield side, fault

    def _why(self) -> str:
        match self.stopped:
            case Stop.PRECISE:
                return "stopped because that is precise enough for its budget"
            case Stop.MOST_BLOCKS:
                return f"stopped at the most that is measured, {self.confirm.max_blocks} (confirm.max_blocks)"
            case Stop.TIME:
                return f"stopped after {self.confirm.max_minutes:g} minutes (confirm.max_minutes)"
            case Stop.INVALID:
                return "stopped because too many blocks are void"
            case None:
                return "stopped before it was decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """How far it is after a block.

    Attributes
    ----------
    active : int
        Benchmarks that go on.
    least, most : int
        Blocks in all, if no further one is void.
    left_s : tuple of float
        About how long the fewest and the most of those that are left take.
    """

    block: int
    active: int
    least: int
    most: int
    left_s: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interleaving:
    """How blocks are measured.

    Attributes
    ----------
    deadline : Deadline
        When the last one has to be done.
    precise : callable
        Whether a benchmark's blocks are precise enough, by its name.
    tell : callable
        Who wants to hear how far it is.
    """

    confirm: Confirm
    max_invalid: float
    random: Random
    deadline: Deadline
    precise: Callable[[str, Sequence[Pair]], bool]
    tell: Callable[[Progressed], None]

    def run(self, accounts: Mapping[str, Account], measure: Measure) -> None:
        """Measure blocks until every account has stopped. After an interrupt they hold every complete block."""
        started_s = self.deadline.clock.now_s()
        orders = balanced_orders(self.random)
        block = 0
        while active := [name for name, account in accounts.items() if account.stopped is None]:
            if not self.deadline.left_s:
                for name in active:
                    accounts[name].stopped = Stop.TIME
                return
            block += 1
            found = {side: measure(side, block, active) for side in next(orders)}
            out_of_time = not self.deadline.left_s
            for name in active:
                base, head = found[Side.BASE][name], found[Side.HEAD][name]
                if out_of_time and (base.invalid or head.invalid):
                    continue  # it may have been cut off
                accounts[name].add(base, head, lambda pairs, name=name: self.precise(name, pairs))  # type: ignore[misc]
            self._tell(block, list(accounts.values()), self.deadline.clock.now_s() - started_s)

    def _tell(self, block: int, accounts: Sequence[Account], elapsed_s: float) -> None:
        counts = [len(account.counted) for account in accounts if account.stopped is None]
        most = max((self.confirm.max_blocks - n for n in counts), default=0)
        least = max((max(self.confirm.min_blocks - n, _LOOK_EVERY - n % _LOOK_EVERY) for n in counts), default=0)
        each_s = elapsed_s / block
        self.tell(
            Progressed(
                block=block,
                active=len(counts),
                least=block + least,
                most=block + most,
                left_s=(each_s * least, each_s * most),
            )
        )


def _noise(trial: Trial) -> str | None:
    """What was noisy about a trial that counts otherwise: see `energygate.measure.trials`."""
    cpu = trial.conditions.get("cpu")
    return None if trial.invalid is not None or not isinstance(cpu, Mapping) else cpu.get("noisy")


def _other(trial: Trial) -> str | None:
    return trial.invalid if _code(trial) == InvalidCode.WORK_DIFFERS else None


def _code(trial: Trial) -> str:
    return (trial.invalid or "").partition(":")[0]


def _blocks(count: int) -> str:
    return f"{count} block{'' if count == 1 else 's'}"
