"""How far it is: a live line on a terminal, a plain line per benchmark elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from energygate.model import Trial


class LiveProgress:
    """A bar per benchmark on a terminal."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bars.stop()

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Move the benchmark's bar."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=wanted, state="")
        self._bars.update(self._tasks[name], completed=done, total=wanted, state=_state(trial))

    def waiting(self, line: str) -> None:
        """Print it above the bars."""
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


class PlainProgress:
    """A line for each finished benchmark, and for each invalid trial."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Nothing is held open."""

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Print what is worth a line of a log."""
        if trial is not None and (trial.invalid or done == wanted):
            line = f"{name}: {done} of {wanted} trials. {_state(trial) if trial.invalid else ''}".rstrip()
            self.waiting(line)

    def waiting(self, line: str) -> None:
        """Print it."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Waits:
    """Only what is waited for."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.waiting = tell

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Say nothing."""


class Silent:
    """Nobody watches."""

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Say nothing."""

    def waiting(self, line: str) -> None:
        """Say nothing."""


def _state(trial: Trial | None) -> str:
    if trial is None:
        return "warm-up"
    return f"invalid: {trial.invalid}" if trial.invalid else f"{trial.total_j:.3g} J in {trial.duration_s:.3g} s"
