"""Publishing a verdict where people look: summary, check run, annotations, comment, in this order.

The job's exit code is the verdict, and is decided already. What cannot be published is said where it can be.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from msgspec import structs

from energygate.errors import EnergyGateError
from energygate.github.actions import Tell, add_summary, annotation_commands, command
from energygate.github.checks import Check, Conclusion, conclusion, publish_check
from energygate.github.comment import Post, has_news, upsert
from energygate.github.errors import HubRefused, HubUnavailable
from energygate.github.event import Event, Relayed
from energygate.github.inputs import CheckRunWhen, PublishInputs
from energygate.github.marker import Marker
from energygate.github.relay import Notice, pull_of, relayed_report
from energygate.github.written import Fate, Written
from energygate.model import Annotation, GateReport
from energygate.report import rows
from energygate.report.annotations import annotations
from energygate.report.foreign import decode_foreign
from energygate.report.markdown import render_headline, render_markdown, render_summary
from energygate.report.markdown.remarks import render_remarks
from energygate.report.markdown.unjudged import render_unjudged, unjudged_title
from energygate.report.publication import Publication

if TYPE_CHECKING:
    from energygate.github.client import Hub  # which loads github3

Render = Callable[[Publication], str]
_RUN_ID_TIME: Final = "%Y%m%dT%H%M%SZ"
_NOTHING: Final = "nothing measured"


def publication_of(event: Event) -> Publication:
    """Where what is said of an event belongs."""
    return Publication(
        repository_url=event.repository_url,
        run_url=event.run_url,
        run_id=event.run_id,
        attempt=event.attempt,
        head=event.commit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is said of one result, wherever it is published.

    Attributes
    ----------
    title : str
        Plain text.
    word : str
        The worst outcome in a word: a later attempt shows it.
    news : bool
        Whether it says more than that all is well.
    """

    title: str
    word: str
    conclusion: Conclusion
    news: bool
    summary: Render
    comment: Render
    short: Render
    annotations: tuple[Annotation, ...] = ()
    started_at: dt.datetime | None = None

    @classmethod
    def of(cls, report: GateReport, *, exit_code: int, never_fail: bool, notes: tuple[Annotation, ...] = ()) -> Self:
        """Tell of a report. Where the job leaves with another code than the report's, that is said too."""
        if exit_code != report.exit_code:
            why = f"the job leaves with {exit_code}, for another reason than these figures: its log says which"
            report = structs.replace(report, exit_code=exit_code, warnings=(why, *report.warnings))
        return cls(
            title=rows.title(report),
            word=rows.in_a_word(report),
            conclusion=conclusion(report, never_fail=never_fail),
            news=has_news(report),
            summary=partial(render_summary, report),
            comment=partial(render_markdown, report),
            short=partial(render_headline, report),
            annotations=notes,
            started_at=_time_of(report.head.run_id),
        )

    @classmethod
    def of_nothing(cls, *, exit_code: int, never_fail: bool) -> Self:
        """Tell that a job failed without a report."""
        render = partial(render_unjudged, exit_code)
        return cls(
            title=unjudged_title(exit_code),
            word=_NOTHING,
            conclusion="neutral" if never_fail else "failure",
            news=True,
            summary=render,
            comment=render,
            short=render,
        )


@dataclass(slots=True, kw_only=True)
class Publisher:
    """Publishes for one event.

    Parameters
    ----------
    hub : Hub or None
        None where there is no token: then neither a check run nor a comment is written.
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
    remarks: list[str] = field(default_factory=list)

    def publish(self, told: Told) -> str | None:
        """Publish; give the address of the comment, where there is one."""
        publication = publication_of(self.event)
        if self.inputs.summary:
            self._summarise(told.summary(publication))
        checked = self._check(told, publication)
        if self.inputs.annotations and not checked:
            for line in annotation_commands(told.annotations):
                self.tell(line)
        number = None if self.event.pull is None else self.event.pull.number
        url = None if number is None else self._comment(told, publication, number)
        self._tell_remarks()
        return url

    def relay(self, relayed: Relayed) -> str | None:
        """Publish what the run of a fork reported, as a comment alone. Raises RelayRefused."""
        if self.hub is None:
            self.remarks.append("input github-token: empty, so nothing is published.")
            self._tell_remarks()
            return None
        try:
            found = _fetched(self.hub, relayed, f"energygate-{self.inputs.id}")
        except (HubRefused, HubUnavailable) as error:
            self.remarks.append(str(error))
            self._tell_remarks()
            return None
        if isinstance(found, Notice):
            self.tell(command("notice", found.sentence))
            return None
        number, data = found
        report = decode_foreign(data, relayed.head_sha)
        told = Told.of(report, exit_code=report.exit_code, never_fail=False)
        run_url = f"{self.event.repository_url}/actions/runs/{relayed.run_id}"
        publication = replace(
            publication_of(self.event), head=relayed.head_sha, run_url=run_url, run_id=relayed.run_id, relayed=True
        )
        url = self._comment(told, publication, number)
        self._tell_remarks()
        return url

    def _summarise(self, text: str) -> None:
        try:
            add_summary(text, environ=self.environ, tell=self.tell)
        except EnergyGateError as error:
            self.remarks.append(str(error))

    def _check(self, told: Told, publication: Publication) -> bool:
        """Say whether there is a check run now, which shows the annotations."""
        if self.hub is None or self.inputs.check_run is CheckRunWhen.NEVER:
            return False
        check = Check(
            id=self.inputs.id,
            head=self.event.commit,
            run=self.event.run_id,
            attempt=self.event.attempt,
            run_url=self.event.run_url,
            conclusion=told.conclusion,
            started_at=told.started_at or self.now(),
            completed_at=self.now(),
            title=told.title,
            summary=told.comment(publication),
            annotations=told.annotations if self.inputs.annotations else (),
        )
        return self._noted(publish_check(self.hub, check)).fate is Fate.CREATED

    def _comment(self, told: Told, publication: Publication, number: int) -> str | None:
        if self.hub is None:
            return None
        post = Post(
            number=number,
            id=self.inputs.id,
            author=self.inputs.comment_author,
            marker=Marker(head=publication.head, run=self.event.run_id, attempt=self.event.attempt, verdict=told.word),
            when=self.inputs.comment,
            how=self.inputs.comment_mode,
            news=told.news,
            render=lambda seen: told.comment(replace(publication, seen=seen)),
            render_short=lambda seen: told.short(replace(publication, seen=seen)),
        )
        return self._noted(upsert(self.hub, post)).url

    def _noted(self, written: Written) -> Written:
        """Keep what is to be said of it; ask nothing more of a GitHub that cannot be asked."""
        if written.fate is Fate.SUPERSEDED:
            self.tell(command("notice", written.why))
        elif written.why:
            self.remarks.append(written.why)
        if written.gave_up:
            self.hub = None
        return written

    def _tell_remarks(self) -> None:
        if not self.remarks:
            return
        self.tell(command("warning", "\n".join(self.remarks), title="energygate: not all is published"))
        if self.inputs.summary:
            self._summarise(render_remarks(self.remarks))


def annotations_of(report: GateReport, *, top: Path, here: Path, settings: str) -> tuple[Annotation, ...]:
    """Give the annotations of a report, with paths that begin at the repository's top, where GitHub looks for them.

    Parameters
    ----------
    here : Path
        Where it was measured: a benchmark's place is known from there, or from a folder above.
    settings : str
        The settings file, for what has no place of its own.
    """
    found = annotations(report, settings=settings)
    return tuple(replace(each, path=_from_top(each.path, top=top, here=here)) for each in found)


def _from_top(path: str, *, top: Path, here: Path) -> str:
    for folder in (here, top, *here.parents):
        if folder.is_relative_to(top) and (folder / path).is_file():
            return str((folder / path).relative_to(top))
    return path


def _fetched(hub: "Hub", relayed: Relayed, artefact: str) -> tuple[int, bytes] | Notice:
    """Give the pull request and the report's bytes, or why there is nothing to publish."""
    number = pull_of(hub, relayed)
    if isinstance(number, Notice):
        return number
    data = relayed_report(hub, relayed, artefact)
    return data if isinstance(data, Notice) else (number, data)


def _time_of(run_id: str) -> dt.datetime | None:
    """When a run began, as its id says."""
    try:
        return dt.datetime.strptime(run_id.partition("-")[0], _RUN_ID_TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
