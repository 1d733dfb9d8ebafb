"""The object behind the `energy` fixture: measures a callable, or windows that the test opens itself."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from energygate.errors import EnergyGateError
from energygate.measure.idle import AS_THE_TEST_FOUND_IT
from energygate.measure.open_trial import OpenTrial
from energygate.measure.queued import finish_queued_work
from energygate.measure.requirement import TrialSettings
from energygate.measure.session import Session
from energygate.measure.trials import TrialSeries, calibrate
from energygate.model import Location

P = ParamSpec("P")
R = TypeVar("R")


class Energy:
    """One benchmark of a test suite; a test measures once.

    Attributes
    ----------
    sync : callable
        Waits for work that is queued on a GPU, before each reading: set it before measuring, `energy.sync = wait`.
        What PyTorch has queued on CUDA is waited for unasked.
    pids : tuple of int or None
        Processes that the test did not start and that do its work, a server's: set it before measuring. What they and
        their children use is then not taken for foreign load. None if nobody knows them: foreign load is unknown.
    """

    def __init__(self, session: Session, settings: TrialSettings, *, name: str, location: Location | None) -> None:
        self._session = session
        self._settings = settings
        self._name = name
        self._location = location
        self._series: TrialSeries | None = None
        self.sync: Callable[[], object] = finish_queued_work
        self.pids: tuple[int, ...] | None = ()

    @property
    def started(self) -> bool:
        """Whether the test has begun to measure."""
        return self._series is not None

    def __call__(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Measure `function(*args, **kwargs)`, repeated inside a trial until it is long enough; give its last result.

        The joules of one trial are divided by how often it ran.
        """
        if inspect.iscoroutinefunction(function):
            raise EnergyGateError(
                f"{self._name}: {function.__name__} is a coroutine function.",
                why="Calling it does no work yet, so nothing would be measured.",
                fix="Measure `asyncio.run` of it: energy(lambda: asyncio.run(work())).",
            )
        series = self._start(adaptive=True)
        results: list[R] = []

        def run(times: int) -> None:
            result = function(*args, **kwargs)
            for _ in range(times - 1):
                result = function(*args, **kwargs)
            results[:] = [result]

        def run_to_the_end(times: int) -> None:
            run(times)
            series.sync()

        if self._name in self._session.iterations:
            run_to_the_end(1)  # what only the first call costs stays outside, as it does where this is calibrated
        else:
            series.iterations = calibrate(run_to_the_end, wanted_s=series.requirement.duration_s, clock=series.clock)
        for trial in series:
            with trial:
                run(trial.iterations)
        return results[0]

    def trials(self) -> Iterator[OpenTrial]:
        """Give one trial after the other; measure inside `with trial:`, count with `trial.add(requests=1)`."""
        return iter(self._start(adaptive=False))

    def finish(self, *, invalid: str | None = None) -> None:
        """Hand what was measured to the session.

        Parameters
        ----------
        invalid : str or None
            Why nothing of it counts: the test failed, or never measured.
        """
        if self._series is None and invalid is None:
            return
        series = self._series or self._session.series(self._name, self._settings)
        definition: dict[str, Any] = {"v": 1, "kind": "pytest", "name": self._name}
        self._session.record(series, definition=definition, location=self._location, invalid=invalid)

    def _start(self, *, adaptive: bool) -> TrialSeries:
        if self._series is not None:
            raise EnergyGateError(
                f"{self._name}: measured twice in one test.",
                why="Two benchmarks would share one name.",
                fix="Use `energy` once per test; split the test, or parametrize it.",
            )
        self._require_known_work()
        self._session.get_ready(AS_THE_TEST_FOUND_IT)
        self._session.progress.began(self._name)
        self._series = self._session.series(
            self._name,
            self._settings,
            adaptive=adaptive,
            pids=self.pids,
            pids_setting="" if self.pids else "energy.pids",
            sync=self.sync,
        )
        return self._series

    def _require_known_work(self) -> None:
        """Refuse processes that are none, and an estimate of work that nobody knows where it is done."""
        if self.pids is None:
            if any(meter.kind == "estimate" for meter in self._session.meters.meters):
                raise EnergyGateError(
                    f"{self._name}: energy.pids is None, so nobody knows which processes do the work.",
                    why="The estimate counts CPU seconds of processes, so it would charge only the test's own.",
                    fix="Name them: energy.pids = (PID,).",
                )
        elif not _are_pids(self.pids):
            raise TypeError(f"energy.pids must be a tuple of process ids, or None, not {self.pids!r}")


def _are_pids(value: object) -> bool:
    return isinstance(value, tuple) and all(type(pid) is int and pid > 0 for pid in value)
