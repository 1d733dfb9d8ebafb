"""How far it is, and how long it takes yet: two live lines on a terminal, plain lines elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from energygate.model import Trial
from energygate.report.outlook import Outlook
from energygate.workloads.text import printable

LIFE_S: Final = 60.0  # a log that is silent for much longer looks like one of a job that hangs


class LiveProgress:
    """A bar for the benchmark that is measured, and one for the session where it has several."""

    def __init__(self, console: Console, outlook: Outlook) -> None:
        name = Column(ratio=2, no_wrap=True, overflow="ellipsis")
        state = Column(ratio=3, no_wrap=True, overflow="ellipsis")
        columns = (
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}", markup=False, table_column=state),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True, expand=True)
        self._outlook = outlook
        self._session: TaskID | None = None
        self._current: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        if self._outlook.total > 1:
            self._session = self._bars.add_task("all benchmarks", total=self._outlook.total, state="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bars.stop()

    def began(self, name: str) -> None:
        """Put its bar in the place of the last one's."""
        self._outlook.began(name)
        if self._current is not None:
            self._bars.remove_task(self._current)
        self._current = self._bars.add_task(printable(name), total=None, state="getting ready")
        self._show_session()

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Move its bar."""
        self._outlook.trial_done(name, done=done, wanted=wanted, trial=trial)
        if self._current is None:
            self._current = self._bars.add_task(printable(name), total=wanted, state="")
        alone = self._outlook.left if self._session is None else ""
        state = ", ".join(said for said in (f"{done} of {wanted}", _state(trial), alone) if said)
        self._bars.update(self._current, completed=done, total=wanted, state=state)
        self._show_session()

    def waiting(self, line: str) -> None:
        """Print it above the bars."""
        self._bars.console.print(printable(line, limit=_LINE), markup=False, highlight=False, soft_wrap=True)

    def _show_session(self) -> None:
        if self._session is not None:
            outlook = self._outlook
            place = f"{outlook.place} of {outlook.total}"
            state = ", ".join(said for said in (place, outlook.left) if said)
            self._bars.update(self._session, completed=max(outlook.place - 1, 0), total=outlook.total, state=state)


class PlainProgress:
    """A line where each of several benchmarks begins and where it ends, for each invalid trial, and now and then."""

    def __init__(self, console: Console, outlook: Outlook) -> None:
        self._console = console
        self._outlook = outlook
        self._pulse = Pulse(outlook)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Nothing is held open."""

    def began(self, name: str) -> None:
        """Say which one it is of how many."""
        self._outlook.began(name)
        if self._outlook.total > 1:
            place = f"{self._outlook.place} of {self._outlook.total}"
            self._print(", ".join(said for said in (f"{name}: benchmark {place}", self._outlook.left) if said))

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Print what is worth a line of a log."""
        self._outlook.trial_done(name, done=done, wanted=wanted, trial=trial)
        if trial is None:
            return
        if trial.invalid or done == wanted:
            self._print(f"{name}: {done} of {wanted} trials. {_state(trial) if trial.invalid else ''}")
        elif self._pulse.is_due:
            self._print(f"{name}: {done} of {wanted} trials, {self._outlook.left}")

    def waiting(self, line: str) -> None:
        """Print it."""
        self._console.print(printable(line, limit=_LINE), markup=False, highlight=False, soft_wrap=True)

    def _print(self, line: str) -> None:
        self._pulse.beat()
        self.waiting(line)


class Pulse:
    """Whether a log has been silent for so long that a line is due: a minute, by the times of the trials."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._told_s = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is."""
        return self._outlook.now_s - self._told_s >= LIFE_S

    def beat(self) -> None:
        """Take note of a line."""
        self._told_s = self._outlook.now_s


class Waits:
    """Only what is waited for."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.waiting = tell

    def began(self, name: str) -> None:
        """Say nothing."""

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Say nothing."""


class Silent:
    """Nobody watches."""

    def began(self, name: str) -> None:
        """Say nothing."""

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Say nothing."""

    def waiting(self, line: str) -> None:
        """Say nothing."""


_LINE: Final = 1000


def _state(trial: Trial | None) -> str:
    if trial is None:
        return "warm-up"
    return f"invalid: {trial.invalid}" if trial.invalid else f"{trial.total_j:.3g} J in {trial.duration_s:.3g} s"
