"""`energygate comment`: the step of the GitHub action that publishes, and the half of a fork's flow that may write."""

import datetime as dt
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from energygate.baseline.store import FolderStore, open_store
from energygate.cli.options import given_run, settings_of, spelt
from energygate.cli.recording import record_file
from energygate.config import DEFAULT_FILE
from energygate.errors import ConfigError, EnergyGateError
from energygate.git import Git
from energygate.github.actions import add_summary, command, event_payload, git_credentials, set_outputs
from energygate.github.event import Activity, Event, activity, read_event
from energygate.github.inputs import PublishInputs
from energygate.publishing import Publisher, Told, annotations_of, publication_of
from energygate.report.json import decode_report
from energygate.report.markdown.recorded import render_recorded

if TYPE_CHECKING:
    from energygate.github.client import Hub

_CODE: Final = "ENERGYGATE_EXIT_CODE"


@click.command()
@click.argument("report", required=False, type=click.Path(path_type=Path))
def comment(report: Path | None) -> None:
    """Publish REPORT, as a step of the GitHub action: event, inputs and token come from the environment."""
    try:
        _Publishing.begin(os.environ).do(report)
    except EnergyGateError as error:
        click.echo(command("error", spelt(error)))
        sys.exit(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Publishing:
    """What to publish, about which event."""

    inputs: PublishInputs
    event: Event
    exit_code: int | None
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def begin(cls, environ: Mapping[str, str]) -> "_Publishing":
        """Read everything. Raises ConfigError."""
        inputs, event = PublishInputs.read(environ), read_event(environ, event_payload(environ))
        return cls(inputs=inputs, event=event, exit_code=_exit_code(environ), environ=environ)

    def do(self, report: Path | None) -> None:
        """Do what the event asks for. Raises EnergyGateError."""
        match activity(self.event, self.inputs.mode):
            case Activity.NOTHING:
                return
            case Activity.RECORD if not self.exit_code and self.inputs.run_file is not None:
                self._record(self.inputs.run_file)
            case Activity.RELAY:
                self._publish(None, relays=True)
            case _:
                self._publish(report)

    def _publish(self, path: Path | None, *, relays: bool = False) -> None:
        with ExitStack() as opened:
            publisher = Publisher(
                event=self.event,
                inputs=self.inputs,
                hub=_hub(self.event, self.inputs, opened),
                environ=self.environ,
                tell=click.echo,
                now=lambda: dt.datetime.now(dt.UTC),
            )
            if relays and self.event.relayed is not None:
                url = publisher.relay(self.event.relayed)
            else:
                url = publisher.publish(self._told(path))
        set_outputs({"comment-url": url or ""}, environ=self.environ, tell=click.echo)

    def _told(self, path: Path | None) -> Told:
        if path is None:
            if not self.exit_code:
                raise ConfigError("There is no report to publish.", fix="Give one: energygate comment REPORT.json.")
            return Told.of_nothing(exit_code=self.exit_code, never_fail=self.inputs.never_fail)
        try:
            report = decode_report(path.read_bytes(), origin=str(path))
        except OSError as error:
            raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix="Give a report that is there.") from error
        here = Path.cwd()
        top = Git(folder=here).answer("rev-parse", "--show-toplevel")
        settings = self.environ.get("ENERGYGATE_CONFIG") or DEFAULT_FILE
        notes = annotations_of(report, top=Path(top) if top else here, here=here, settings=settings)
        code = report.exit_code if self.exit_code is None else self.exit_code
        return Told.of(report, exit_code=code, never_fail=self.inputs.never_fail, notes=notes)

    def _record(self, file: Path) -> None:
        """Store the run, if the store is none that only a commit can change, and say so in the summary."""
        settings = settings_of({"baselines": self.inputs.baselines or None})
        run = given_run(file)
        store = open_store(settings.baselines, folder=settings.folder, environ=self._credentials())
        doubts: tuple[str, ...] = ()
        if isinstance(store, FolderStore):
            kept = f"Its file is the output run-file: commit it below `{settings.baselines}` to keep it."
        else:
            recorded = record_file(file, store, allow_estimates=settings.allow_estimates)
            kept, doubts = f"It is stored as `{recorded.shown}`.", recorded.doubts
        click.echo(kept)
        for doubt in doubts:
            click.echo(command("warning", doubt))
        if self.inputs.summary:
            text = render_recorded(run, publication_of(self.event), kept=kept, doubts=doubts)
            add_summary(text, environ=self.environ, tell=click.echo)

    def _credentials(self) -> dict[str, str]:
        """What git needs to write, where there is a token."""
        added = git_credentials(self.event.server_url, self.inputs.token) if self.inputs.token else {}
        return {**self.environ, **added}


def _hub(event: Event, inputs: PublishInputs, opened: ExitStack) -> "Hub | None":
    if not inputs.token:
        return None
    from energygate.github.client import GateSession, Hub  # noqa: PLC0415  loads github3, which takes long

    return Hub(opened.enter_context(GateSession(event.api_url, inputs.token)), event.repository)


def _exit_code(environ: Mapping[str, str]) -> int | None:
    """What the measuring step decided on; None where there was no such step. Raises ConfigError."""
    text = environ.get(_CODE, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"{_CODE} is no exit code.", fix="Leave it as the action sets it.")
    return int(text)
