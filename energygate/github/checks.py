"""The check run: its conclusion, its text, and its annotations in batches.

https://docs.github.com/en/rest/checks/runs
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal

from energygate.github.errors import HubRefused, HubUnavailable
from energygate.github.shapes import Answer
from energygate.github.written import Fate, Written, write_once
from energygate.model import Annotation, GateReport, Outcome
from energygate.workloads.text import printable

if TYPE_CHECKING:
    from energygate.github.client import Hub  # which loads github3

Conclusion = Literal["failure", "neutral", "success"]
_BATCH: Final = 50
_MOST_ANNOTATIONS: Final = 500
_MOST_TITLE: Final = 120
_MOST_SUMMARY_BYTES: Final = 60_000  # GitHub takes 65,535 characters
_MOST_NOTE_TITLE: Final = 255
_MOST_MESSAGE_BYTES: Final = 65_536
_PROVEN: Final = {Outcome.PASS, Outcome.IMPROVED}


def conclusion(report: GateReport, *, never_fail: bool = False) -> Conclusion:
    """Give what the check run says: success for proven passes alone."""
    if report.exit_code != 0:
        return "neutral" if never_fail else "failure"
    rows = report.comparisons
    return "success" if rows and all(row.outcome in _PROVEN for row in rows) else "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check run to create.

    Attributes
    ----------
    id : str
        One check run for each.
    head : str
        The commit that was judged.
    run_url : str
        Where its details are.
    title : str
        Plain text.
    summary : str
        Markdown.
    annotations : tuple of Annotation
        Worst first.
    """

    id: str
    head: str
    run: int
    attempt: int
    run_url: str
    conclusion: Conclusion
    started_at: dt.datetime
    completed_at: dt.datetime
    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()

    @property
    def name(self) -> str:
        """How pull requests list it."""
        return "energygate" if self.id == "default" else f"energygate/{self.id}"

    @property
    def external_id(self) -> str:
        """How this attempt finds it again."""
        return f"energygate:{self.run}.{self.attempt}:{self.id}"


def publish_check(hub: "Hub", check: Check) -> Written:
    """Create the check run, already completed, and add to it what does not fit into one request.

    One that another attempt has left on the commit stays as it is: its annotations cannot be taken away.
    """
    first, *more = payloads(check)
    try:
        created = write_once(partial(hub.create_check_run, first), partial(_look, hub, check, 0))
    except (HubRefused, HubUnavailable) as error:
        return Written.failed(error)
    url, shown = created["html_url"], len(first["output"]["annotations"])
    for payload in more:
        due = shown + len(payload["output"]["annotations"])
        try:
            write_once(partial(hub.update_check_run, created["id"], payload), partial(_look, hub, check, due))
        except (HubRefused, HubUnavailable) as error:
            why = f"The check run shows {shown} of {len(check.annotations)} annotations. {error}"
            return Written(fate=Fate.CREATED, url=url, why=why, gave_up=isinstance(error, HubUnavailable))
        shown = due
    return Written(fate=Fate.CREATED, url=url)


def _look(hub: "Hub", check: Check, annotations: int) -> Answer | None:
    """Give the check run, if it is there and has so many annotations."""
    for found in hub.check_runs(check.head, check.name):
        if found["external_id"] == check.external_id and found["output"]["annotations_count"] >= annotations:
            return found
    return None


def payloads(check: Check) -> tuple[dict[str, Any], ...]:
    """Give the body that creates the check run, and those that add annotations to it."""
    notes = [_note(annotation) for annotation in check.annotations if _is_placed(annotation)][:_MOST_ANNOTATIONS]
    output = {
        "title": printable(check.title, limit=_MOST_TITLE),
        "summary": _summary(check.summary, unseen=len(check.annotations) - len(notes)),
    }
    first, *more = _batches(notes)
    created = {
        "name": check.name,
        "head_sha": check.head,
        "status": "completed",
        "conclusion": check.conclusion,
        "started_at": _utc(check.started_at),
        "completed_at": _utc(check.completed_at),
        "external_id": check.external_id,
        "details_url": check.run_url,
        "output": {**output, "annotations": first},
    }
    return created, *({"output": {**output, "annotations": batch}} for batch in more)


def _batches(notes: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, max(1, len(notes)), _BATCH):
        yield notes[start : start + _BATCH]


def _is_placed(annotation: Annotation) -> bool:
    """Whether GitHub can show it: one that it cannot would cost all of the others."""
    path = PurePosixPath(annotation.path)
    is_inside = bool(path.name) and not path.is_absolute() and ".." not in path.parts
    return annotation.line >= 1 and is_inside and annotation.path.isprintable()


def _note(annotation: Annotation) -> dict[str, Any]:
    return {
        "path": str(PurePosixPath(annotation.path)),
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level,
        "title": printable(annotation.title, limit=_MOST_NOTE_TITLE),
        "message": _message(annotation.message),
    }


def _message(text: str) -> str:
    """Give lines without control characters, of at most 64 KB in all."""
    lines = "\n".join(printable(line, limit=_MOST_MESSAGE_BYTES) for line in text.splitlines())
    data = lines.encode()
    if len(data) <= _MOST_MESSAGE_BYTES:
        return lines
    cut = data[: _MOST_MESSAGE_BYTES - len("…".encode())]
    return cut.decode(errors="ignore") + "…"


def _summary(text: str, *, unseen: int) -> str:
    """Give the text, if it is short enough, below how many annotations it does not come with."""
    left_out = f"{unseen} annotation{'s are' if unseen > 1 else ' is'} left out: the JSON report has all.\n\n"
    note = left_out if unseen else ""
    if len(f"{note}{text}".encode()) <= _MOST_SUMMARY_BYTES:
        return f"{note}{text}"
    return f"{note}The report is too long to be shown here: see the summary of the run."


def _utc(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
