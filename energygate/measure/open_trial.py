"""One trial while it is measured."""

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from energygate.clock import Clock
from energygate.errors import EnergyGateError, InvalidCode, MeasurementInvalid
from energygate.measure.conditions import Noise
from energygate.measure.queued import finish_queued_work
from energygate.measure.watch import Observed, Unwatched, Watch
from energygate.meters.base import Measured, Window
from energygate.meters.group import Begun, MeterGroup
from energygate.model import MOST_COUNTED, Trial, Work
from energygate.signals import interrupts_held_back
from energygate.workloads.tokens import work_from_usage


@dataclass(slots=True, kw_only=True)
class OpenTrial:
    """One trial while it is measured: a context manager around the work, and the place to count it.

    Attributes
    ----------
    sync : callable
        Called before both readings, where work is queued on a GPU; it waits for what PyTorch has queued unless given.
    fault : MeasurementInvalid or None
        Why there is no right reading, or no work done right.
    doubt : MeasurementInvalid or None
        Why the window does not count although it was read right: its energy and work are kept.
    unknown_load : str
        Why nobody knows what others did meanwhile; empty where it is known, or in no number.
    """

    meters: MeterGroup
    window: Window
    clock: Clock
    iterations: int = 1
    sync: Callable[[], object] = finish_queued_work
    watch: Watch = field(default_factory=Unwatched)
    work: dict[str, int] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    started_s: float = 0.0
    duration_s: float = 0.0
    measured: Measured | None = None
    fault: MeasurementInvalid | None = None
    doubt: MeasurementInvalid | None = None
    noise: Noise | None = None
    unknown_load: str = ""
    recorded: bool = False
    _begun: Begun | None = None
    _look_again: Callable[[], Observed] = Observed

    def __enter__(self) -> Self:
        if self._begun is not None:
            raise EnergyGateError("This trial was entered before.", fix="Enter each trial of `trials()` once.")
        with interrupts_held_back():
            gc.collect()
        self.sync()
        self._look_again = self.watch.begin(self.window)
        self._begun = self.meters.begin(self.window)
        self.started_s = self.clock.now_s()
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        assert self._begun is not None  # noqa: S101  __enter__ has run
        if error is None:
            self.sync()
        self.duration_s = self.clock.now_s() - self.started_s
        if error is not None and not isinstance(error, Exception):
            return False  # an interrupt says nothing about the work: this trial never was
        self._end(self._begun)
        if error is None:
            return False
        if isinstance(error, MeasurementInvalid):
            self.fault = error
            return True
        self.fault = MeasurementInvalid(InvalidCode.WORK_FAILED, f"the workload raised {type(error).__name__}.")
        return False

    def _end(self, begun: Begun) -> None:
        """Read the meters, then look at the machine again."""
        try:
            self.measured = self.meters.end(begun)
        except MeasurementInvalid as fault:
            self.fault = fault
        else:
            self.doubt = self.measured.fault
            self.conditions.update(self.measured.conditions)
        observed = self._look_again()
        self.doubt = self.doubt or observed.fault
        self.noise, self.unknown_load = observed.noise, observed.unknown
        self.conditions.update(observed.conditions)

    def reject(self, fault: MeasurementInvalid) -> None:
        """Say why this trial does not count, for example because its answers were cut off."""
        if self._begun is None:
            self.started_s = self.clock.now_s()  # it is over before its window was opened
        if self.fault is None:
            self.fault = fault

    def add(self, **counts: int) -> None:
        """Count work: requests, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens."""
        if self.recorded:
            raise EnergyGateError(
                "This trial is recorded already, so what is added now would be lost.",
                fix="Call add before the loop over trials() goes on.",
            )
        for name, count in counts.items():
            if name not in Work.__struct_fields__:
                raise TypeError(f"unknown count {name!r}: one of {', '.join(Work.__struct_fields__)}")
            if type(count) is not int or count < 0:  # a bool is no count
                raise TypeError(f"{name} must be a whole number from 0, not {count!r}")
            if (total := self.work.get(name, 0) + count) > MOST_COUNTED:
                raise TypeError(f"{name} must be at most {MOST_COUNTED}, and is more")
            self.work[name] = total

    def add_usage(self, usage: object) -> None:
        """Count one request and the tokens of its `usage`, as OpenAI, Anthropic and Ollama write it."""
        work = work_from_usage(usage)
        known = {name: getattr(work, name) for name in Work.__struct_fields__}
        self.add(requests=1, **{name: n for name, n in known.items() if n is not None and name != "requests"})

    @property
    def is_over(self) -> bool:
        """Whether the window was opened and closed."""
        return self.measured is not None or self.fault is not None

    @property
    def energy_j(self) -> dict[str, float]:
        """Joules by domain. Raises MeasurementInvalid where the reading does not count."""
        if invalid := self.fault or self.doubt:
            raise invalid
        if self.measured is None:
            raise EnergyGateError("This trial is not over yet.", fix="Read its energy after the `with` block.")
        return dict(self.measured.energy_j)

    @property
    def total_j(self) -> float:
        """Joules of all domains. Raises as `energy_j` does."""
        return sum(self.energy_j.values())

    @property
    def j_per_request(self) -> float | None:
        """Joules per counted request, or None where none was counted."""
        return self._per("requests")

    @property
    def j_per_output_token(self) -> float | None:
        """Joules per counted output token, or None where none was counted."""
        return self._per("output_tokens")

    def _per(self, count: str) -> float | None:
        done = self.work.get(count)
        return self.total_j / done if done else None

    def finish(self, *, index: int, epoch_s: float) -> Trial:
        """Freeze it. `epoch_s` is when the run began, on the same clock."""
        measured = self.measured or Measured()
        return Trial(
            index=index,
            started_s=max(0.0, self.started_s - epoch_s),
            duration_s=self.duration_s if measured.duration_s is None else measured.duration_s,
            energy_j=dict(measured.energy_j),
            work=Work(**self.work),
            iterations=self.iterations,
            conditions=self.conditions,
            invalid=str(invalid) if (invalid := self.fault or self.doubt) else None,
        )
