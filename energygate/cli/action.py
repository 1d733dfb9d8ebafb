"""`energygate action`: the step of the GitHub action that measures. It holds no token."""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from energygate.cli.fetching import settings_by
from energygate.cli.helping import Documented
from energygate.cli.spelling import spelt
from energygate.errors import ConfigError, EnergyGateError
from energygate.git import Git, repository_of
from energygate.github.actions import command, event_payload, fence, plain, scrubbed, set_outputs
from energygate.github.base import base_revision
from energygate.github.conclusion import Conclusion, conclude
from energygate.github.event import Activity, Event, activity, read_event
from energygate.github.inputs import MeasureInputs, PublishInputs
from energygate.github.running import run_live
from energygate.measure.worktrees import remove_left
from energygate.model import GateReport
from energygate.report.json import decode_report
from energygate.settings import Settings
from energygate.signals import interrupted_by_sigterm
from energygate.workloads.leftovers import stop_leftovers
from energygate.workloads.process import described

_DYING_S: Final = 1.0  # what is killed holds its notes until the kernel has taken it apart
_LOCK_TIMEOUT_S: Final = 3600.0  # jobs of one machine queue: a second one waits for the first
# They are told by the action's inputs and by nobody else: what is left of them would mean something to the command.
_OURS: Final = frozenset(
    f"ENERGYGATE_{name}"
    for name in (
        *("RUN", "MODE", "AGAINST", "SAVE", "REPORT", "ID", "COMMENT", "COMMENT_MODE", "COMMENT_AUTHOR"),
        *("CHECK_RUN", "ANNOTATIONS", "SUMMARY", "NEVER_FAIL", "RUN_FILE", "WHY"),
    )
)


@click.command(cls=Documented)
def action() -> None:
    """Measure and judge, as a step of the GitHub action.

    Inputs and event come from the environment (docs/github.md).
    """
    with interrupted_by_sigterm():
        try:
            set_outputs(_measured(os.environ), environ=os.environ, tell=click.echo)
        except EnergyGateError as error:
            click.echo(command("error", spelt(error)))
            sys.exit(2)


def _measured(environ: Mapping[str, str]) -> dict[str, str]:
    """Do what the event asks for; give the step's outputs. Raises EnergyGateError."""
    inputs = MeasureInputs.read(environ)
    PublishInputs.read(environ)  # what is misspelt is said before anything is measured
    event = read_event(environ, event_payload(environ))
    what = activity(event, inputs.mode)
    if what is Activity.RELAY:
        click.echo(plain(f"nothing to measure: the result of another run is published for {event.commit[:12]}"))
        return {"exit-code": "0"}
    if what is Activity.NOTHING:
        click.echo(command("notice", f"nothing to measure: {event.name} was {event.action}"))
        return {"exit-code": "0"}
    return _Step.begin(inputs, event, what, environ).run()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One measurement: what to run, where, and where its results go."""

    inputs: MeasureInputs
    settings: Settings
    what: Activity
    base: str | None
    git: Git
    here: Path
    folder: Path
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def begin(cls, inputs: MeasureInputs, event: Event, what: Activity, environ: Mapping[str, str]) -> "_Step":
        """Decide everything before anything is run. Raises ConfigError."""
        here = Path.cwd()
        settings = settings_by(inputs, here)
        git = repository_of(here)
        # Not settings.sides.against: the change under test wrote that, and is judged by the baselines of its base.
        base = base_revision(event, what, against=inputs.against, git=git)
        click.echo(plain(f"{what}: commit {event.commit[:12]}, base {base or 'none'}"))
        return cls(
            inputs=inputs,
            settings=settings,
            what=what,
            base=base,
            git=git,
            here=here,
            folder=_folder(environ),
            environ=environ,
        )

    def run(self) -> dict[str, str]:
        """Set up, measure and conclude; give the step's outputs. Raises EnergyGateError."""
        if self.inputs.setup:
            status = self._run(self.settings.sides.setup, self.git.folder)
            if status != 0:
                return self._outputs(Conclusion(exit_code=2, why=f"input setup: the command {described(status)}."))
        status = self._run(("bash", "-euo", "pipefail", "-c", self.inputs.run), self.here)
        report = self._reported()
        concluded = conclude(
            self.what,
            status,
            verdict=None if report is None else report.exit_code,
            is_saved=self._saved.is_file(),
        )
        return self._outputs(concluded, verdict=None if report is None else report.verdict)

    def _reported(self) -> GateReport | None:
        """Read what the command has reported, if anything. Raises ConfigError."""
        if not self._report.is_file():
            return None
        try:
            return decode_report(self._report.read_bytes(), origin="the report")
        except OSError as error:
            raise ConfigError(
                f"Cannot read the report: {error.strerror}.", fix="Let the command leave it readable."
            ) from error

    def _run(self, argv: tuple[str, ...], cwd: Path) -> int:
        try:
            with fence(click.echo):
                return run_live(argv, cwd=cwd, environ=self._environment(), scratch=self.folder, write=_write)
        except KeyboardInterrupt:
            stop_leftovers(patience_s=_DYING_S)  # the command may not have had the time
            remove_left(self.git)
            raise

    def _outputs(self, concluded: Conclusion, *, verdict: str | None = None) -> dict[str, str]:
        if concluded.why:
            click.echo(command("error", concluded.why))
        files = {"report": self._report, "run-file": self._saved}
        named = {name: str(path) for name, path in files.items() if path.is_file()}
        said = {"verdict": verdict or "", "why": concluded.why}
        return {"exit-code": str(concluded.exit_code), **{name: text for name, text in said.items() if text}, **named}

    def _environment(self) -> dict[str, str]:
        """The environment of what is measured."""
        kept = {name: value for name, value in scrubbed(self.environ).items() if name not in _OURS}
        timeout = self.environ.get("ENERGYGATE_LOCK_TIMEOUT") or f"{self.settings.lock_timeout_s or _LOCK_TIMEOUT_S:g}"
        told = {"ENERGYGATE_SAVE": str(self._saved), "ENERGYGATE_LOCK_TIMEOUT": timeout}
        if self.what is Activity.GATE:
            told |= {
                "ENERGYGATE_MODE": "gate",
                "ENERGYGATE_AGAINST": self.base or "none",
                "ENERGYGATE_REPORT": f"json:{self._report}",
            }
        else:
            told["ENERGYGATE_MODE"] = "measure"  # what is stored is stored by the step that may write
        # Absolute, since the command may change its folder.
        if self.inputs.config:
            told["ENERGYGATE_CONFIG"] = str(self.here / self.inputs.config)
        if self.inputs.baselines:
            told["ENERGYGATE_BASELINES"] = self.settings.baselines
        if self.inputs.setup:
            # Two trees cannot be installed in one environment.
            told["ENERGYGATE_VENV"] = self.environ.get("ENERGYGATE_VENV") or "true"
        return kept | told | _own_programs(self.environ)

    @property
    def _report(self) -> Path:
        return self.folder / "report.json"

    @property
    def _saved(self) -> Path:
        return self.folder / "run.json"


def _folder(environ: Mapping[str, str]) -> Path:
    """Make a folder for the results, which the runner removes with the job. Raises ConfigError."""
    try:
        return Path(tempfile.mkdtemp(prefix="energygate-report-", dir=environ.get("RUNNER_TEMP") or None))
    except OSError as error:
        raise ConfigError(
            f"Cannot make a folder for the report: {error.strerror} ({error.filename}).",
            fix="Make room, and let this user write in RUNNER_TEMP.",
        ) from error


def _own_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """Let `energygate`, `pytest` and `pip` be those of the virtual environment that runs this."""
    if sys.prefix == sys.base_prefix:
        return {}
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join((own, environ.get("PATH") or os.defpath))
    return {"PATH": path, "VIRTUAL_ENV": sys.prefix}


def _write(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
