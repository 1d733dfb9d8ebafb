"""What `--energy` does inside pytest: hooks, suites in YAML, the summary section; no logic.

Imported only with `--energy`, so that a session without it pays for none of this.
"""

import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, Self

import pytest

from energygate import pytest_sides
from energygate.concluding import render_finished
from energygate.config import load_settings, marker_keys, read_config_suites, read_suites
from energygate.config_keys import MarkerKeys
from energygate.display import Display, Wish
from energygate.encoding import spelt_in
from energygate.errors import EnergyGateError
from energygate.interleaving.confirm import Confirmation
from energygate.interleaving.revision import Revision, base_of
from energygate.measure.energy import Energy
from energygate.model import Location, Trial, reasons_by_code
from energygate.pipeline import Finished, Job, Surroundings, open_job, planned_trials, refuse_too_few_trials
from energygate.pytest_changes import pytest_changes
from energygate.report.outlook import Outlook
from energygate.report.progress import Pulse
from energygate.settings import Mode, NamedSuite, Settings
from energygate.signals import Terminated, interrupts_held_back
from energygate.variables import misspelt
from energygate.workloads.build import doubts
from energygate.workloads.suites import TrialOverrides
from energygate.workloads.text import printable

_MEASURED_AGAIN: Final = {
    "suspects": "what looks worse",
    "unresolved": "what stored runs do not settle",
    "all": "everything",
}


def start(config: pytest.Config, options: dict[str, Any]) -> "Measuring | None":
    """Register what collects and what measures; the latter is None where pytest only collects. Raises UsageError."""
    config.pluginmanager.register(Collecting(), "energygate-collecting")
    if config.getoption("collectonly"):
        return None
    _refuse_company(config)
    with _usage_errors():
        measuring = Measuring.started(config, options)
    config.stash[_MEASURING] = measuring
    config.pluginmanager.register(measuring, "energygate-measuring")
    return measuring


class Collecting:
    """Collects suites in YAML, and leaves out what doesn't measure; registered only with `--energy`."""

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> "SuiteCollector | None":
        """Collect suites in YAML."""
        if file_path.name.endswith(".energy.yml") or file_path.name == "energygate.yml":
            return SuiteCollector.from_parent(parent, path=file_path)
        return None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep only what measures, with `--energy-only`."""
        if config.getoption("--energy-only"):
            others = [item for item in items if not _measures(item)]
            items[:] = [item for item in items if _measures(item)]
            config.hook.pytest_deselected(items=others)


class Measuring:
    """The plugin that measures; registered only with `--energy`, and not where pytest only collects."""

    def __init__(self, config: pytest.Config, settings: Settings, job: Job, lines: "_Lines") -> None:
        self.config = config
        self.settings = settings
        self.job = job
        self.lines = lines
        self.seen: set[str] = set()
        self.deselected: set[str] = set()
        self.visited: set[Path] = set()
        self.running: Energy | None = None
        self.outcome_of_test = ""
        self.failure_of_test: str | None = None
        self.finished: Finished | None = None
        self.failure: str | None = None
        self.stop: BaseException | None = None
        self.notes: tuple[str, ...] = ()

    @classmethod
    def started(cls, config: pytest.Config, options: dict[str, Any]) -> Self:
        """Open the meters and the baselines, so that what is wrong with them stops the session before it runs."""
        settings = load_settings(
            options,
            prefix="--energy-",
            environ=os.environ,
            folder=config.rootpath,
            here=config.invocation_params.dir,
        )
        here = config.invocation_params.dir.resolve()
        found = base_of(settings, folder=here, environ=os.environ) if settings.mode is Mode.GATE else (None, ())
        stack = ExitStack()
        config.add_cleanup(stack.close)
        lines = _Lines(config)
        surroundings = Surroundings(progress=lines)
        base = found[0].as_base if found[0] else None
        job = stack.enter_context(open_job(settings, surroundings, base=base))
        if base is not None:
            collected = [here / argument.partition("::")[0] for argument in config.args]
            changes = pytest_changes([config.rootpath.resolve(), here, *collected], base)
            job.policy_changes = (*job.policy_changes, *changes)
        measuring = cls(config, settings, job, lines)
        measuring.confirm_with(found, here, surroundings)
        return measuring

    def confirm_with(
        self, found: tuple[Revision | None, tuple[str, ...]], here: Path, surroundings: Surroundings
    ) -> None:
        """Let suspects be measured again beside the base, if there is one."""
        base, self.notes = found
        if base is None:
            return
        again = pytest_sides.command(
            [str(argument) for argument in self.config.invocation_params.args],
            positional=self.config.args,
            rootdir=self.config.rootpath.resolve(),
            here=here,
        )
        which = _MEASURED_AGAIN[self.settings.policy.confirm.which]
        self.notes = (f"{which} is measured again, in turn with {base.shown}",)
        self.job.confirm_with(
            Confirmation(
                base=base,
                command=again,
                settings=self.settings,
                job=self.job,
                here=here,
                surroundings=surroundings,
                tell=self._tell_below,
            )
        )

    def _tell_below(self, text: str) -> None:
        """Write a line below those of the tests, of which the last may be open."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.flush()
        _say(self.config, f"energy: {printable(text, limit=1000)}")

    def energy(self, item: pytest.Item) -> Energy:
        """Give the fixture's object for a test."""
        self.refuse_to_repeat(item)
        if any(marker.args for marker in item.iter_markers("energy")):
            pytest.fail("@pytest.mark.energy takes keyword arguments only", pytrace=False)
        fault: EnergyGateError | None = None
        try:
            keys = _keys_of(item)
            self.settings.rules_for(item.nodeid, keys.as_rules())  # refuses what cannot be judged before it is measured
        except EnergyGateError as error:
            fault = error
        if fault is not None:  # outside the handler, or pytest would show the sentence once more for its cause
            pytest.fail(str(fault), pytrace=False)
        self.failure_of_test, self.outcome_of_test = None, ""
        self.running = self.job.energy(item.nodeid, keys, location=_location(item))
        return self.running

    def refuse_to_repeat(self, item: pytest.Item) -> None:
        """Fail a test that was measured before: a run holds each benchmark once."""
        if any(benchmark.name == item.nodeid for benchmark in self.job.session.benchmarks):
            pytest.fail(
                f"{item.nodeid} was measured before in this session, and a second measurement would replace or mix "
                "the first. Leave out whatever runs a test again: reruns of failed tests, --keep-duplicates.",
                pytrace=False,
            )

    def finish_test(self) -> None:
        """Keep what the running test measured; after a failure it is kept and does not count."""
        with interrupts_held_back():  # or what it measured would be lost between two hands
            self._finish_test()

    def _finish_test(self) -> None:
        running, self.running = self.running, None
        if running is not None and not running.started and self.outcome_of_test == "passed":
            self.failure_of_test = "the test takes `energy` and measured nothing with it. Call it, or do without it."
            running.finish(invalid=self.failure_of_test)
        elif running is not None and running.started:
            running.finish(invalid=self.failure_of_test)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remember what went wrong with a test: what it measured is not the energy of work done right."""
        report = yield
        if report.when == "call":
            self.outcome_of_test = report.outcome
        self.failure_of_test = self.failure_of_test or _failure(report, call)
        if report.when == "teardown":
            self.finish_test()
            self.lines.outlook.over(report.nodeid)
        return report

    def pytest_report_header(self) -> list[str]:
        """Say which meters measure, and why others don't."""
        warnings = (f"warning: {sentence}" for sentence in misspelt(os.environ))
        notes = (*warnings, *self.job.notes, *self.notes)
        return [_spelt(f"energy: {printable(line, limit=1000)}") for note in notes for line in note.splitlines()]

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep what another process asked for, where it did."""
        assignment = self.settings.assignment
        if assignment is not None and assignment.names is not None:
            config.hook.pytest_deselected(items=[item for item in items if not assignment.wants(item.nodeid)])
            items[:] = [item for item in items if assignment.wants(item.nodeid)]

    def pytest_collect_file(self, file_path: Path) -> None:
        """Remember which files pytest looked into: what it was told to ignore is not missing."""
        self.visited.add(file_path)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Remember what was left out on purpose: it is not missing."""
        self.deselected.update(item.nodeid for item in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember what should measure, and refuse a recording of which nothing can come."""
        self.seen = {item.nodeid for item in session.items}
        wanted = [(item.nodeid, own) for item in session.items if (own := _trials_of(item)) is not None]
        suites = [item.named.suite for item in session.items if isinstance(item, SuiteItem)]
        with _usage_errors():
            refuse_too_few_trials(self.settings, wanted)
        self.lines.plan(planned_trials(self.settings, wanted))
        for doubt in (doubt for suite in suites for doubt in doubts(suite)):
            _say(self.config, f"\nenergy: {printable(doubt)}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember what stopped the session."""
        self.stop = excinfo.value

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge or record what was measured; an interrupted session keeps what it has, and decides nothing."""
        try:
            self._conclude_or_save(exitstatus)
        except EnergyGateError as error:
            self.failure = "; ".join(part for part in (self.failure, str(error)) if part)
        if self.stop is not None and exitstatus in _ENDED:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        if isinstance(self.stop, Terminated):
            session.exitstatus = self.stop.exit_code
        elif self._is_part_of_a_job():
            # A benchmark that is not here, or not measurable, is no failure of this process: the one that asked judges.
            if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
                session.exitstatus = pytest.ExitCode.OK
        elif session.exitstatus == pytest.ExitCode.OK and (self.failure or (self.finished and self.finished.exit_code)):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _is_part_of_a_job(self) -> bool:
        """Whether another process asked for this one, and got what it asked for."""
        return self.settings.assignment is not None and self.finished is not None and not self.finished.unwritten

    def _conclude_or_save(self, exitstatus: int) -> None:
        """Let an interrupt cost what is still to do, never the run; pytest itself would end with a traceback."""
        try:
            self._conclude(exitstatus)
        except KeyboardInterrupt as stop:
            self.stop, self.failure = stop, _STOPPED
            self.job.save()

    def _conclude(self, exitstatus: int) -> None:
        if exitstatus not in _ENDED:
            self.failure_of_test, self.failure = "the session was stopped before this test ended.", _STOPPED
            self.finish_test()
            self.job.save()
        elif exitstatus == pytest.ExitCode.TESTS_FAILED and self.settings.mode is Mode.RECORD:
            self.failure = "tests failed, so nothing was recorded: a baseline is what works"
            self.job.save()
        else:
            self.finished = self.job.finish(in_scope=self._in_scope)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the energy section; its last line is the verdict in words."""
        terminalreporter.section("energy", sep="=")
        if self.failure is not None:
            terminalreporter.write_line(_spelt(f"energy: FAILED, {self.failure}"), red=True)
        if self.finished is not None:
            terminalreporter.write(_spelt(render_finished(self.finished, _display(self.config, terminalreporter))))
            for sentence in self.finished.unwritten:
                terminalreporter.write_line(_spelt(f"energy: FAILED, {sentence}"), red=True)

    def _in_scope(self, name: str) -> bool:
        """Whether a stored benchmark should have been measured: its file was collected, and nobody deselected it."""
        if name in self.seen:
            return True
        if name in self.deselected or getattr(self.config.option, "lf", False):
            return False
        file = self.config.rootpath / name.partition("::")[0]
        ignored = file not in self.visited and file.exists()
        return not ignored and any(_covers(argument, name, self.config) for argument in self.config.args)


_STOPPED: Final = "the session was stopped, so nothing was judged and nothing was recorded"
_ENDED: Final = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
_MEASURING: Final[pytest.StashKey[Measuring]] = pytest.StashKey()


class SuiteCollector(pytest.File):
    """A YAML file of suites."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give an item per suite that stands in the file itself."""
        read = read_config_suites if self.path.name == "energygate.yml" else read_suites
        with _collect_errors():
            suites = read(self.path, folder=self.config.rootpath)
        for named in suites:
            yield SuiteItem.from_parent(self, name=named.suite.name, named=named)


class SuiteItem(pytest.Item):
    """One suite of a YAML file."""

    def __init__(self, *, named: NamedSuite, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.named = named

    def runtest(self) -> None:
        """Measure the suite; the test fails where what stops it makes its benchmark invalid, or no trial is valid."""
        plugin = self.config.stash[_MEASURING]
        plugin.refuse_to_repeat(self)
        benchmark = plugin.job.measure(self.named)
        reasons = [] if benchmark.valid else [reason for reason, _ in reasons_by_code(benchmark.trials)]
        if failure := benchmark.invalid or "\n".join(reasons):
            pytest.fail(failure, pytrace=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show our own errors as their sentence alone."""
        if isinstance(excinfo.value, EnergyGateError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where the suite stands; pytest would write the dots of a bare name as colons."""
        return self.path, None, f"suite {self.name}"


class _Lines:
    """Progress inside pytest, which says itself which test runs: invalid trials with `-v`, and what time it takes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.plan({})

    def plan(self, wanted: Mapping[str, int]) -> None:
        """Learn how many trials each benchmark is to have."""
        self.outlook = Outlook(wanted)
        self._pulse = Pulse(self.outlook)

    def began(self, name: str) -> None:
        """Take note."""
        self.outlook.began(name)

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Write a line past pytest's capture, where there is something to say or nothing was said for long."""
        self.outlook.trial_done(name, done=done, wanted=wanted, trial=trial)
        if trial is None:
            return
        if trial.invalid is not None and self._config.get_verbosity() > 0:
            self.waiting(f"{name}: trial {trial.number} {trial.invalid}")
        elif self._pulse.is_due and self._config.get_verbosity() >= 0:
            self.waiting(f"energy: {self._how_far(name, done, wanted)}")

    def waiting(self, line: str) -> None:
        """Write it past pytest's capture."""
        self._pulse.beat()
        _say(self._config, f"\n{printable(line, limit=1000)}")

    def _how_far(self, name: str, done: int, wanted: int) -> str:
        place = f"benchmark {self.outlook.place} of {self.outlook.total}"
        said = (f"{name}: {done} of {wanted} trials", place, self.outlook.left)
        return ", ".join(part for part in said if part)


def _say(config: pytest.Config, text: str) -> None:
    """Write a line past pytest's capture."""
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _spelt(text: str) -> str:
    """Spell a text for stdout: pytest would escape all of it, line ends too, where one character is missing there."""
    return spelt_in(sys.stdout.encoding or "utf-8", text)


def _display(config: pytest.Config, reporter: pytest.TerminalReporter) -> Display:
    """How the section is shown: in colour where pytest's own lines are, and where a CI service's log shows it."""
    refused = config.option.color == "no" or os.environ.get("PY_COLORS") == "0"
    wish: Wish = "yes" if reporter.hasmarkup else "no" if refused else "auto"
    return Display.of(sys.stdout, os.environ, verbose=config.get_verbosity() > 0, wish=wish)


def _refuse_company(config: pytest.Config) -> None:
    """Refuse plugins beside which no number would be right."""
    # Here, in the process that starts the workers: one that refused by itself would be replaced for ever.
    spread = config.getoption("numprocesses", None) or config.getoption("tx", None)
    if spread or config.getoption("dist", "no") != "no":
        raise pytest.UsageError(
            "--energy does not go with -n (pytest-xdist): the counters count the whole machine, so tests that run "
            "side by side would measure each other. Leave out -n, or add -n 0."
        )
    if config.pluginmanager.hasplugin("pytest_energy_reporter"):
        raise pytest.UsageError(
            "--energy does not go with pytest-energy-reporter, which runs every marked test again. "
            "Add -p no:pytest_energy_reporter."
        )


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Show our own errors as pytest shows usage errors, one sentence without a traceback; and end as SIGTERM asks."""
    try:
        yield
    except EnergyGateError as error:
        raise pytest.UsageError(str(error)) from error
    except Terminated as stop:  # pytest alone would end with 2
        pytest.exit("terminated before any test ran", returncode=stop.exit_code)


@contextmanager
def _collect_errors() -> Iterator[None]:
    try:
        yield
    except EnergyGateError as error:
        raise pytest.Collector.CollectError(str(error)) from error


def _failure(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str | None:
    """Why what a test measured does not count, or None where this phase of it went well."""
    cause = "" if call.excinfo is None else f" ({call.excinfo.typename})"
    if report.failed:
        failed = "the test failed" if report.when == "call" else f"the test's {report.when} failed"
        return f"{failed}{cause}, so what it measured does not count. Mend the test."
    if report.skipped and hasattr(report, "wasxfail"):
        return f"the test failed as expected{cause}, so what it measured does not count. Measure what works."
    if report.skipped:
        return "the test was skipped, so what it measured does not count. Skip it before it measures."
    return None


def _keys_of(item: pytest.Item) -> MarkerKeys:
    """What its markers say, the nearest last. Raises ConfigError."""
    arguments: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("energy"))):
        arguments |= marker.kwargs
    return marker_keys(arguments, origin=item.nodeid)


def _trials_of(item: pytest.Item) -> TrialOverrides | None:
    """What an item that measures says of its trials; None for others, and for one whose markers are wrong: it fails."""
    if isinstance(item, SuiteItem):
        return item.named.suite.trials
    try:
        return _keys_of(item).as_trials() if _measures(item) else None
    except EnergyGateError:
        return None


def _measures(item: pytest.Item) -> bool:
    return isinstance(item, SuiteItem) or "energy" in getattr(item, "fixturenames", ())


def _location(item: pytest.Item) -> Location:

    path, line, _ = item.location
    return Location(file=path, line=(line or 0) + 1)


def _covers(argument: str, name: str, config: pytest.Config) -> bool:
    """Whether a command-line argument (a folder, a file, a node id) takes in the benchmark of that node id."""
    path, _, inner = argument.partition("::")
    full = (config.invocation_params.dir / path).resolve()
    file, _, test = name.partition("::")
    own = (config.rootpath / file).resolve()
    if inner:
        return full == own and (test == inner or test.startswith((f"{inner}::", f"{inner}[")))
    return own == full or own.is_relative_to(full)
