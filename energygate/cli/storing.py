"""The part of `energygate comment` that stores what a job of the default branch has measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from energygate.baseline.base import Store
from energygate.baseline.store import open_store
from energygate.cli.options import given_run, settings_of
from energygate.cli.recording import doubts_about, record_file
from energygate.cli.spelling import spelt
from energygate.errors import BaselineError, ConfigError, EnergyGateError
from energygate.github.actions import command, git_credentials, plain
from energygate.history.sessions import sessions_of
from energygate.model import Run
from energygate.publishing.publisher import Publisher
from energygate.report.markdown.recorded import BY_A_COMMIT, kept_as, not_kept, render_recorded, render_unrecorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Storing:
    """Stores a run, and says in the summary what became of it.

    Parameters
    ----------
    publisher : Publisher
        Of the event, and with its inputs. Nothing is asked of GitHub's API.
    """

    publisher: Publisher
    environ: Mapping[str, str] = field(repr=False)

    def store(self, file: Path | None) -> None:
        """Store the run that was saved. Raises EnergyGateError; the file stays."""
        if file is None:
            raise ConfigError(
                "There is no run to record.",
                fix="Name in ENERGYGATE_RUN_FILE what --save wrote; to publish a report, set ENERGYGATE_MODE to gate.",
            )
        run = given_run(file)
        try:
            kept, doubts = self._kept(file)
        except EnergyGateError as error:
            self.publisher.publish_summary(partial(render_recorded, run, kept=not_kept(spelt(error))))
            raise
        if doubts:
            click.echo(command("warning", "\n".join(doubts)))
        self.publisher.publish_summary(partial(render_recorded, run, kept=kept, doubts=doubts))

    def store_nothing(self, exit_code: int, *, why: str) -> None:
        """Say that the job failed, and why, as far as that is known."""
        self.publisher.publish_summary(partial(render_unrecorded, exit_code, why=why))

    def _kept(self, file: Path) -> tuple[str, tuple[str, ...]]:
        """Store the run, unless only a commit can: say where it is, and what to look after."""
        settings = settings_of({"baselines": self.publisher.inputs.baselines or None})
        store = open_store(settings.baselines, folder=settings.folder, environ=self._credentials())
        if store.folder is not None:
            doubts = doubts_about(given_run(file), file, allow_estimates=settings.allow_estimates)
            click.echo(f"not stored, since only a commit changes a folder: {plain(str(file))}")
            return BY_A_COMMIT, doubts
        recorded = record_file(file, store, allow_estimates=settings.allow_estimates)
        click.echo(f"stored as {plain(str(recorded.shown))}")
        many, unread = _sessions(given_run(file), store)
        kept = kept_as(str(recorded.shown), session=many, wanted=settings.policy.min_sessions)
        return kept, (*recorded.doubts, *unread)

    def _credentials(self) -> dict[str, str]:
        """What git is told: how to write, where there is a token."""
        token, server_url = self.publisher.inputs.token, self.publisher.event.server_url
        return {**self.environ, **(git_credentials(server_url, token, environ=self.environ) if token else {})}


def _sessions(run: Run, store: Store) -> tuple[int, tuple[str, ...]]:
    """Count the sessions of the benchmark that has fewest, without those that have none; or say why it cannot."""
    try:
        stored = store.load(run.machine.fingerprint)
    except BaselineError as error:  # of another file: this run is stored
        return 0, (spelt(error),)
    return min((len(each) for each in sessions_of(run.benchmarks, stored.runs) if each), default=0), ()
