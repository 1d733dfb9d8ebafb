"""A program as a benchmark: one trial is one run, with its start-up."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from energygate.errors import InvalidCode, MeasurementInvalid, WorkloadError
from energygate.signals import interrupts_held_back
from energygate.workloads.base import WorkDone
from energygate.workloads.counts import Produced, count_work, with_spans
from energygate.workloads.leftovers import Note, temporary_folder
from energygate.workloads.process import Output, Process, child_environment, described, log_tail, new_mark
from energygate.workloads.spans.source import SpanSource
from energygate.workloads.suites import CommandSuite
from energygate.workloads.text import filled_in, for_file_name, printable

_GRACE_S: Final = 5.0


class CommandWorkload:
    """Runs a program and counts what it says it did. See `energygate.workloads.base.Workload`.

    Parameters
    ----------
    name : str
        The benchmark's.
    folder : Path
        The suite file's, where the program runs.
    spans : SpanSource or None
        Counts the tokens, if the suite wants that.
    scratch : Path or None
        Where its own folder is made; None for the system's temporary one.
    left_s : callable or None
        How long a run may take at the moment, if that is less than its suite says.
    """

    repeatable = False
    least_passes = 1
    least_warmups = 0
    needs_calibration = False
    notes: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()

    def __init__(
        self,
        suite: CommandSuite,
        *,
        name: str,
        folder: Path,
        spans: SpanSource | None = None,
        environ: Mapping[str, str] = os.environ,
        scratch: Path | None = None,
        left_s: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self._suite = suite
        self._folder = folder
        self._environ = environ
        self._spans = spans
        self._models: tuple[str, ...] = ()
        self._parent = scratch
        self._left_s = left_s
        self._scratch: Path | None = None
        self._mark = new_mark()
        self._trials = 0
        self._process: Process | None = None
        self._status: int | None = None
        self._fault: str | None = None
        self._opened = ExitStack()

    @property
    def definition(self) -> Mapping[str, object]:
        """The arguments and the rules that count its work."""
        work = self._suite.work
        rules = {name: msgspec.to_builtins(rule) for name, rule in work.declared()}
        preset = {} if work.preset is None else {"preset": work.preset}
        spans = {} if self._spans is None else {"tokens": "spans"}
        return {"v": 1, "kind": "command", "command": list(self._suite.command), "work": rules | preset, **spans}

    @property
    def labels(self) -> Mapping[str, str]:
        """The model that answered, where spans name it; else the arguments are all that is known of a program."""
        return {"model": ", ".join(self._models)} if self._models else {}

    def open(self) -> None:
        """Run `setup`, once. Raises WorkloadError."""
        prefix = f"energygate-{for_file_name(self._suite.name)}-"
        parent = self._parent or temporary_folder()
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            note = Note(self._scratch, name=self._suite.name, mark=self._mark)
            self._opened.callback(note.remove)
            self._opened.callback(shutil.rmtree, self._scratch, ignore_errors=True)
            note.write()
        except OSError as error:
            raise WorkloadError(
                f"{self._suite.name}: cannot write in {parent}: {error.strerror}.",
                fix="Make room there, or let TMPDIR name a folder that this user may write.",
            ) from error
        self._opened.callback(self._stop)
        self._folder_of_trial.mkdir()
        if self._spans is not None:
            self._spans.open()
            self._opened.callback(self._spans.close)
        if self._suite.setup is not None:
            self._run(self._suite.setup)
            if sentence := self._ended_badly():
                raise WorkloadError(f"{self._suite.name}: setup: {sentence}")

    def before(self) -> None:
        """Give the trial a folder of its own: what the one before left, and be it a folder, is never counted."""
        self._stop()
        shutil.rmtree(self._folder_of_trial, ignore_errors=True)
        self._trials += 1
        self._folder_of_trial.mkdir()

    def run(self, passes: int) -> None:
        """Run the program once, and wait for it.

        Raises
        ------
        ValueError
            If asked for several passes: each would overwrite the result of the one before.
        """
        if passes != 1:
            raise ValueError(f"a command is not repeatable, so one trial is one run, not {passes}")
        if self._spans is not None:
            self._spans.begin()
        self._run(self._suite.command)
        if self._spans is not None:
            self._spans.end()

    def warmed_up(self) -> None:
        """Find nothing wrong: a trial that fails as its warm-up did says why."""

    def after(self) -> WorkDone:
        """Count what it did. Raises MeasurementInvalid."""
        if sentence := self._ended_badly():
            raise MeasurementInvalid(InvalidCode.WORK_FAILED, sentence)
        stdout, _, result = self._files
        work = count_work(self._suite.work, Produced(stdout=stdout, result=result))
        if self._spans is None:
            return WorkDone(work=work)
        counted = self._spans.count()
        self._models = counted.models
        return WorkDone(work=with_spans(work, counted.work), conditions=counted.conditions)

    def close(self) -> None:
        """Stop what runs and remove what was written. Safe to call twice."""
        with interrupts_held_back():  # they would leave some of it
            self._opened.close()

    @property
    def _folder_of_trial(self) -> Path:
        assert self._scratch is not None  # noqa: S101  `open` comes first in a workload's life
        return self._scratch / str(self._trials)

    @property
    def _files(self) -> tuple[Path, Path, Path]:
        folder = self._folder_of_trial
        return folder / "stdout", folder / "stderr", folder / "result.json"

    def _run(self, command: tuple[str, ...]) -> None:
        stdout, stderr, result = self._files
        values = {"python": sys.executable, "result": str(result)}
        exporting = {} if self._spans is None else self._spans.environment(self._environ)
        added = {name: filled_in(value, values) for name, value in self._suite.env.items()}
        argv = [filled_in(word, values) for word in command]
        self._status = self._fault = None
        try:
            with interrupts_held_back():  # what is starting would be nobody's
                self._process = Process.start(
                    argv,
                    cwd=self._folder,
                    env=child_environment(self._environ, {"ENERGYGATE_RESULT": str(result), **exporting, **added}),
                    output=Output(stdout=stdout, stderr=stderr),
                    mark=self._mark,
                )
        except OSError as error:
            self._fault = f"cannot start {printable(argv[0])}: {error.strerror}. Correct command, setup or env."
            return
        patience_s = self._suite.timeout if self._left_s is None else min(self._suite.timeout, self._left_s())
        self._status = self._process.wait(patience_s)
        if self._status is None:
            self._fault = f"{argv[0]} still ran after {patience_s:g} s (timeout), and was killed"

    def _ended_badly(self) -> str | None:
        """How the last run failed, in words; stops what it left running."""
        self._stop()
        if self._fault is not None:
            return self._fault
        if not self._status:
            return None
        stdout, stderr, _ = self._files
        said = stderr if stderr.stat().st_size else stdout  # test runners, for example, complain on stdout
        return f"the command {described(self._status)}. Its last lines: {log_tail(said)}"

    def _stop(self) -> None:
        if self._process is not None:
            self._process.stop(_GRACE_S)
            self._process = None
