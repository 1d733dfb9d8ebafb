"""`energygate comment`: the step of the GitHub action that publishes, and the half of a fork's flow that may write."""

import datetime as dt
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from energygate.cli.helping import Documented
from energygate.cli.spelling import spelt
from energygate.cli.storing import Storing
from energygate.config import DEFAULT_FILE
from energygate.errors import ConfigError, EnergyGateError
from energygate.git import Git
from energygate.github.actions import command, event_payload
from energygate.github.event import Activity, Event, Relayed, activity, read_event
from energygate.github.inputs import PublishInputs
from energygate.publishing.places import annotations_of
from energygate.publishing.publisher import Publisher
from energygate.publishing.told import Told
from energygate.report.json import decode_report

if TYPE_CHECKING:
    from energygate.github.client import Hub

_EVENT: Final = "GITHUB_EVENT_NAME"
_CODE: Final = "ENERGYGATE_EXIT_CODE"
_WHY: Final = "ENERGYGATE_WHY"  # the measuring step's words


@click.command(cls=Documented)
@click.argument("report", required=False, type=click.Path(path_type=Path))
def comment(report: Path | None) -> None:
    """Publish REPORT, as a step of the GitHub action.

    Event, inputs and token come from the environment (docs/github.md). On workflow_run there is no REPORT: what the run
    of a fork left is published. In record mode the run is stored.
    """
    if not os.environ.get(_EVENT):
        raise ConfigError(
            f"{_EVENT} is not set, so there is nowhere to publish.",
            why="GitHub Actions says with it what happened, and where.",
            fix="Elsewhere render a report: energygate report REPORT.json --report markdown:FILE.",
        )
    try:
        _Step.begin(os.environ).run(report)
    except EnergyGateError as error:
        click.echo(command("error", spelt(error)))
        sys.exit(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What to publish, about which event."""

    inputs: PublishInputs
    event: Event
    exit_code: int | None
    why: str
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def begin(cls, environ: Mapping[str, str]) -> "_Step":
        """Read everything. Raises ConfigError."""
        inputs, event = PublishInputs.read(environ), read_event(environ, event_payload(environ))
        why = environ.get(_WHY, "")
        return cls(inputs=inputs, event=event, exit_code=_exit_code(environ), why=why, environ=environ)

    def run(self, report: Path | None) -> None:
        """Do what the event asks for. Raises EnergyGateError."""
        match activity(self.event, self.inputs.mode), self.event.relayed:
            case Activity.NOTHING, _:
                return
            case Activity.RECORD, _ if self.exit_code:
                self._storing.store_nothing(self.exit_code, why=self.why)
            case Activity.RECORD, _:
                self._storing.store(self.inputs.run_file)
            case Activity.RELAY, Relayed() as relayed:
                with self._hub() as hub:
                    self._publisher(hub).relay(relayed)
            case _:
                told = self._told(report)
                with self._hub() as hub:
                    self._publisher(hub).publish(told)

    def _told(self, path: Path | None) -> Told:
        if path is None:
            if not self.exit_code:
                raise ConfigError("There is no report to publish.", fix="Give one: energygate comment REPORT.json.")
            return Told.of_nothing(exit_code=self.exit_code, why=self.why, never_fail=self.inputs.never_fail)
        try:
            report = decode_report(path.read_bytes(), origin=str(path))
        except OSError as error:
            raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix="Give a report that is there.") from error
        here = Path.cwd()
        top = Git(folder=here).answer("rev-parse", "--show-toplevel")
        settings = self.environ.get("ENERGYGATE_CONFIG") or DEFAULT_FILE
        notes = annotations_of(report, top=Path(top) if top else here, here=here, settings=settings)
        code = report.exit_code if self.exit_code is None else self.exit_code
        return Told.of(report, exit_code=code, why=self.why, never_fail=self.inputs.never_fail, notes=notes)

    @property
    def _storing(self) -> Storing:
        return Storing(publisher=self._publisher(None), environ=self.environ)

    def _publisher(self, hub: "Hub | None") -> Publisher:
        return Publisher(
            event=self.event,
            inputs=self.inputs,
            hub=hub,
            environ=self.environ,
            tell=click.echo,
            now=lambda: dt.datetime.now(dt.UTC),
        )

    @contextmanager
    def _hub(self) -> Iterator["Hub | None"]:
        if not self.inputs.token:
            yield None
            return
        from energygate.github.client import GateSession, Hub  # noqa: PLC0415  loads github3, which takes long

        with GateSession(self.event.api_url, self.inputs.token) as session:
            yield Hub(session, self.event.repository)


def _exit_code(environ: Mapping[str, str]) -> int | None:
    """What the measuring step decided on; None where there was no such step. Raises ConfigError."""
    text = environ.get(_CODE, "")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,3}", text):
        raise ConfigError(f"{_CODE} is no exit code.", fix="Leave it as the action sets it.")
    return int(text)
