"""What is said of one result, in the forms that the places need where it is published."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

from msgspec import structs

from energygate.github.checks import Conclusion, conclusion
from energygate.github.comment import has_news
from energygate.model import Annotation, GateReport
from energygate.report import rows
from energygate.report.markdown import render_headline, render_markdown, render_summary
from energygate.report.markdown.unjudged import render_unjudged, unjudged_title
from energygate.report.publication import Publication

Render = Callable[[Publication], str]
_RUN_ID_TIME: Final = "%Y%m%dT%H%M%SZ"
_NOTHING: Final = "nothing measured"
_FAILED: Final = "failed"


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
    comment, short : callable
        Give the comment, and the little that is left of it where it is too long for GitHub.
    started_at : datetime or None
        None where it is not known.
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
    def of(
        cls,
        report: GateReport,
        *,
        exit_code: int,
        never_fail: bool,
        why: str = "",
        notes: tuple[Annotation, ...] = (),
    ) -> Self:
        """Tell of a report. Where the job leaves with another code than the report's, that is said, and `why`."""
        title, word = rows.title(report), rows.in_a_word(report)
        if exit_code != report.exit_code:
            other = f"the job leaves with {exit_code}, for another reason than these figures"
            other += f". {why}" if why else ": its log says which"
            report = structs.replace(report, exit_code=exit_code, warnings=(other, *report.warnings))
            title, word = f"the job leaves with {exit_code}; {title}", _FAILED
        return cls(
            title=title,
            word=word,
            conclusion=conclusion(report, never_fail=never_fail),
            news=has_news(report),
            summary=partial(render_summary, report),
            comment=partial(render_markdown, report),
            short=partial(render_headline, report),
            annotations=notes,
            started_at=_time_of(report.head.run_id),
        )

    @classmethod
    def of_nothing(cls, *, exit_code: int, never_fail: bool, why: str = "") -> Self:
        """Tell that a job failed without a report, and why, as far as that is known."""
        render = partial(render_unjudged, exit_code, why=why)
        return cls(
            title=unjudged_title(exit_code),
            word=_NOTHING,
            conclusion="neutral" if never_fail else "failure",
            news=True,
            summary=render,
            comment=render,
            short=render,
        )


def _time_of(run_id: str) -> dt.datetime | None:
    """When a run began, as its id says."""
    try:
        return dt.datetime.strptime(run_id.partition("-")[0], _RUN_ID_TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
