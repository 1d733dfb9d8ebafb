"""Publishing for one event: what the places refuse is said in the others, and costs nothing else."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from energygate.errors import EnergyGateError
from energygate.github.actions import Tell, add_summary, annotation_commands, command, set_outputs
from energygate.github.checks import Check, publish_check
from energygate.github.comment import Post, When, upsert
from energygate.github.errors import HubRefused, HubUnavailable
from energygate.github.event import Event, Relayed
from energygate.github.inputs import CheckRunWhen, PublishInputs
from energygate.github.marker import Marker
from energygate.github.relay import Notice
from energygate.github.written import Fate, Written
from energygate.publishing.relaying import fetched, publication_of_relayed, told_of_relayed
from energygate.publishing.told import Render, Told
from energygate.report.markdown.remarks import render_remarks
from energygate.report.publication import Publication

if TYPE_CHECKING:
    from energygate.github.client import Hub  # which loads github3

_NOT_RELAYED: Final = (
    "The input github-token is empty, so the fork's result is not published. Leave it at its default, and give the job "
    "`permissions: {actions: read, pull-requests: write}`."
)
_NOT_ALL: Final = "energygate: not all is published"
_NOT_TRIED: Final = "The comment is as it was: nothing more was asked of GitHub."


@dataclass(slots=True, kw_only=True)
class Publisher:
    """Publishes for one event.

    Parameters
    ----------
    hub : Hub or None
        None where nothing is to be asked of GitHub, or nothing more: then neither a check run nor a comment is written.
    environ : mapping
        Names the runner's files.
    tell : callable
        Writes a line to the job's log.
    """

    event: Event
    inputs: PublishInputs
    hub: "Hub | None"
    environ: Mapping[str, str] = field(repr=False)
    tell: Tell
    now: Callable[[], dt.datetime]
    _remarks: list[str] = field(default_factory=list, init=False)
    _gave_up: bool = field(default=False, init=False)

    def publish(self, told: Told) -> None:
        """Publish a result: summary, check run, annotations, comment, outputs."""
        publication = publication_of(self.event)
        self._summarise(told.summary(publication))
        if not self._is_checked(told, publication):
            self._annotate(told)
        url = None if self.event.pull is None else self._comment(told, publication, self.event.pull.number)
        self._finish(url)

    def publish_summary(self, render: Render) -> None:
        """Publish what is for the summary alone."""
        self._summarise(render(publication_of(self.event)))
        self._tell_remarks()

    def relay(self, relayed: Relayed) -> None:
        """Publish what the run of a fork reported, as a comment alone. Raises RelayRefused."""
        self._finish(self._relay(relayed))

    def _relay(self, relayed: Relayed) -> str | None:
        if self.hub is None:
            self._remarks.append(_NOT_RELAYED)
            return None
        try:
            found = fetched(self.hub, relayed, self.inputs.id)
        except (HubRefused, HubUnavailable) as error:
            self._remarks.append(f"The fork's result is not published. {error}")
            return None
        if isinstance(found, Notice):
            self.tell(command("notice", found.sentence))
            return None
        number, data = found
        publication = publication_of_relayed(relayed, self.event.repository_url)
        return self._comment(told_of_relayed(data, relayed), publication, number)

    def _summarise(self, text: str) -> None:
        if not self.inputs.summary:
            return
        try:
            add_summary(text, environ=self.environ, tell=self.tell)
        except EnergyGateError as error:
            self._remarks.append(str(error))

    def _is_checked(self, told: Told, publication: Publication) -> bool:
        """Create the check run; say whether it is there, and so shows the annotations."""
        if self.hub is None or self.inputs.check_run is CheckRunWhen.NEVER:
            return False
        now = self.now()
        check = Check(
            id=self.inputs.id,
            head=publication.head,
            run=publication.run_id,
            attempt=publication.attempt,
            run_url=publication.run_url,
            conclusion=told.conclusion,
            started_at=told.started_at or now,
            completed_at=now,
            title=told.title,
            summary=told.comment(publication),
            annotations=told.annotations if self.inputs.annotations else (),
        )
        return self._noted(publish_check(self.hub, check), "check run").fate is Fate.CREATED

    def _annotate(self, told: Told) -> None:
        """Annotate by commands to the runner, of which it keeps few."""
        if not self.inputs.annotations:
            return
        for line in annotation_commands(told.annotations, spent={"warning"} if self._remarks else ()):
            self.tell(line)

    def _comment(self, told: Told, publication: Publication, number: int) -> str | None:
        """Write the comment; give its address, if it is there."""
        if self.hub is None:
            if self._gave_up and self.inputs.comment is not When.NEVER:
                self._remarks.append(_NOT_TRIED)
            return None
        post = Post(
            number=number,
            id=self.inputs.id,
            author=self.inputs.comment_author,
            marker=Marker(
                head=publication.head, run=publication.run_id, attempt=publication.attempt, verdict=told.word
            ),
            when=self.inputs.comment,
            how=self.inputs.comment_mode,
            news=told.news,
            render=lambda seen: told.comment(replace(publication, seen=seen)),
            render_short=lambda seen: told.short(replace(publication, seen=seen)),
        )
        return self._noted(upsert(self.hub, post), "comment").url

    def _noted(self, written: Written, what: str) -> Written:
        """Keep what is to be said of it; ask nothing more of a GitHub that cannot be asked."""
        if written.fate is Fate.SUPERSEDED:
            self.tell(command("notice", written.why))
        elif written.fate is Fate.UNAVAILABLE:
            self._remarks.append(f"The {what} may be missing or out of date: {written.why}")
        elif written.why:
            self._remarks.append(written.why)
        if written.gave_up:
            self.hub, self._gave_up = None, True
        return written

    def _finish(self, url: str | None) -> None:
        try:
            set_outputs({"comment-url": url or ""}, environ=self.environ, tell=self.tell)
        except EnergyGateError as error:
            self._remarks.append(str(error))
        self._tell_remarks()

    def _tell_remarks(self) -> None:
        """Say what is not published: where people look first, and in the log."""
        if not self._remarks:
            return
        self._summarise(render_remarks(tuple(self._remarks)))
        each_once = dict.fromkeys(self._remarks)  # a summary that cannot be written is so twice
        self.tell(command("warning", "\n".join(each_once), title=_NOT_ALL))


def publication_of(event: Event) -> Publication:
    """Where what is said of an event belongs."""
    return Publication(
        repository_url=event.repository_url,
        run_url=event.run_url,
        run_id=event.run_id,
        attempt=event.attempt,
        head=event.commit,
    )
