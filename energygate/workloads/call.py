"""A Python function as a benchmark, called in our own process."""

import copy
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.workloads.base import WorkDone
from energygate.workloads.counts import with_spans
from energygate.workloads.importing import Guarded, find_callable, require_arguments, where
from energygate.workloads.returned import work_of
from energygate.workloads.spans.source import SpanSource
from energygate.workloads.suites import PythonSuite
from energygate.workloads.text import Redactor, texts_in


class CallWorkload:
    """Calls a function and counts what it returns. See `energygate.workloads.base.Workload`.

    Parameters
    ----------
    name : str
        The benchmark's.
    folder : Path
        The suite file's; modules are looked for here first.
    spans : SpanSource or None
        Counts the tokens, if the suite wants that.
    """

    repeatable = True
    least_passes = 1
    least_warmups = 0
    needs_calibration = True
    notes: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()  # our own process, and what it starts

    def __init__(self, suite: PythonSuite, *, name: str, folder: Path, spans: SpanSource | None = None) -> None:
        self.name = name
        self._suite = suite
        self._folder = folder.resolve()
        self._spans = spans
        self._function: Callable[..., Any] | None = None
        self._results: list[object] = []
        self._calls = 0
        self._models: tuple[str, ...] = ()
        self._opened = ExitStack()

    @property
    def definition(self) -> Mapping[str, object]:
        """Function and arguments. They may hold prompts: hash it, never store it."""
        spans = {} if self._spans is None else {"tokens": "spans"}
        suite = self._suite
        return {"v": 1, "kind": "python", "callable": suite.callable, "args": suite.args, **spans}

    @property
    def labels(self) -> Mapping[str, str]:
        """The model that answered, where spans name it."""
        return {"model": ", ".join(self._models)} if self._models else {}

    def open(self) -> None:
        """Import the function. Raises WorkloadError."""
        if self._spans is not None:
            self._spans.open()  # and never closed: an exporter of our own process is made once, for all its suites
            self._opened.enter_context(_environment(self._spans.environment(os.environ)))
        self._opened.enter_context(_first_on_path(str(self._folder)))
        target, name = self._suite.callable, self._suite.name
        show = Redactor(prompts=tuple(texts_in(self._suite.args)))
        function = find_callable(target, name=name, folder=self._folder, show=show)
        require_arguments(function, self._suite.args, target=target, name=name)
        self._function = function

    def before(self) -> None:
        """Forget the trial before."""
        self._results, self._calls = [], 0

    def run(self, passes: int) -> None:
        """Call it `passes` times, and keep what it returns.

        Each call gets lists and mappings of its own: a function that changes them would do other work the next time.

        Raises
        ------
        MeasurementInvalid
            If it raises anything: the calls end there.
        """
        function, args = self._function, self._suite.args
        is_copied = any(isinstance(value, list | dict) for value in args.values())
        assert function is not None  # noqa: S101  `open` comes first in a workload's life
        results: list[object] = []
        if self._spans is not None:
            self._spans.begin()
        with Guarded() as calling:
            for _ in range(passes):
                result = function(**copy.deepcopy(args) if is_copied else args)
                if result is not None:
                    results += (result,)
        if self._spans is not None:
            self._spans.end()
        if calling.raised is not None:
            raise self._failed(calling.raised)
        self._results, self._calls = results, passes

    def warmed_up(self) -> None:
        """Find nothing wrong: a trial that fails as its warm-up did says why."""

    def after(self) -> WorkDone:
        """Count what the calls returned. Raises MeasurementInvalid."""
        work = work_of(self._results, calls=self._calls)
        if self._spans is None:
            return WorkDone(work=work)
        counted = self._spans.count()
        self._models = counted.models
        return WorkDone(work=with_spans(work, counted.work), conditions=counted.conditions)

    def close(self) -> None:
        """Leave the interpreter as it was, but for what was imported. Safe to call twice."""
        self._opened.close()

    def _failed(self, error: Exception | SystemExit) -> MeasurementInvalid:
        # Its text is not shown: it may quote a prompt or an answer, which nobody here can recognize.
        place = where(error, folder=self._folder)
        raised = type(error).__name__ + (f" at {place}" if place else "")
        return MeasurementInvalid(InvalidCode.WORK_FAILED, f"{self._suite.callable} raised {raised}")


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:  # what was imported may have changed it
            sys.path.remove(folder)


@contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
