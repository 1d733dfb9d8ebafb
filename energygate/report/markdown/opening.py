"""What stands above the table: the verdict in one sentence, how it came about, and what has to be said first."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from energygate.model import POLICY_CHANGE, GateReport, Outcome, count_outcomes
from energygate.report import rows
from energygate.report.markdown.escaping import commit, listed, span
from energygate.report.publication import Publication
from energygate.units import format_percent

_RELAYED: Final = (
    "Measured by the pull request's own code on a run that a maintainer allowed; figures as that run reported them."
)
_POLICY: Final = "This change also changes how it is judged:"
_WORD: Final = re.compile("[a-z ]{1,40}")
_LONGEST: Final = 500
_MOST_WARNINGS: Final = 10
_MOST_METERS: Final = 8
_MOST_COMMITS: Final = 3


def headline(report: GateReport) -> str:
    """Give the heading: the worst that was found."""
    return f"## Energy: {rows.headline(report, quote=partial(span, limit=200))}"


def opening(report: GateReport, publication: Publication | None) -> Iterator[str]:
    """Give the heading, the paragraphs below it, and the alerts; what changes the policy comes first."""
    yield headline(report)
    if publication is not None and publication.relayed:
        yield _RELAYED
    yield _verdict(report)
    yield _compared(report, publication)
    policy = [warning for warning in report.warnings if warning.startswith(POLICY_CHANGE)]
    yield from alert("IMPORTANT", policy, above=_POLICY)
    yield from alert("WARNING", [warning for warning in report.warnings if warning not in policy])


def alert(kind: str, texts: Sequence[str], *, above: str = "") -> Iterator[str]:
    """Give one alert for all these texts; nothing where there is none."""
    if not texts:
        return
    shown = [span(text, _LONGEST) for text in texts[:_MOST_WARNINGS]]
    if len(texts) > _MOST_WARNINGS:
        shown.append(f"{len(texts) - _MOST_WARNINGS} more")
    single = len(shown) == 1 and not above
    lines = shown if single else [f"- {text}" for text in shown]
    yield "\n".join(f"> {line}".rstrip() for line in (f"[!{kind}]", *([above, ""] if above else []), *lines))


def _verdict(report: GateReport) -> str:
    meters = report.meters[:_MOST_METERS]
    how = rows.provenance(meters, quote=partial(span, limit=200))
    more = f" and {len(report.meters) - len(meters)} more" if len(report.meters) > len(meters) else ""
    doubts = "".join(f" **These figures are {rows.DOUBTFUL[label]}.**" for label in rows.labels(report))
    return (
        f"{_tally(report) or 'No benchmark'}. Budget {format_percent(report.policy.budget)}. "
        f"{how[0].upper()}{how[1:]}{more} on {span(report.machine.label)}.{doubts}"
    )


def _tally(report: GateReport) -> str:
    """How many benchmarks have each outcome: in bold what policy fails on."""
    counts = count_outcomes(report.comparisons)
    shown = [(outcome, f"{n} {rows.WORDS[Outcome(outcome)]}") for outcome, n in counts.items()]
    failing = report.policy.fail_on
    return " \N{MIDDLE DOT} ".join(f"**{words}**" if outcome in failing else words for outcome, words in shown)


def _compared(report: GateReport, publication: Publication | None) -> str:
    url = "" if publication is None else publication.repository_url
    head = report.head.commit if publication is None else publication.head
    return f"Head {commit(head, url)} against {_bases(report, url)}.{_attempts(publication)}"


def _bases(report: GateReport, url: str) -> str:
    """What the head was compared with: a base that was measured in turns with it, or stored runs."""
    runs = len(report.baseline.runs)
    stored = f"{runs} stored run{'' if runs == 1 else 's'}"
    commits = [commit(name, url) for name in dict.fromkeys(report.baseline.commits)]
    if report.base is not None:
        screened = f"; screened by {stored}" if runs else ""
        return f"base {commit(report.base.commit, url)}, measured in turns with it{screened}"
    if report.baseline.how == "interleaved":
        return f"base {listed(commits, _MOST_COMMITS) or 'without a commit'}, measured in turns with it"
    if not runs:
        where = report.baseline.store
        return "no stored session" if where is None else f"no stored session of {span(where.name, limit=200)}"
    named = f"{stored} of {listed(commits, _MOST_COMMITS)}" if commits else f"{stored} without a commit"
    return f"{named}{rows.alone(report)}"


def _attempts(publication: Publication | None) -> str:
    if publication is None or (publication.attempt == 1 and not publication.seen):
        return ""
    seen = ", ".join(word if _WORD.fullmatch(word) else span(word) for word in publication.seen[-_MOST_WARNINGS:])
    if publication.attempt == 1:  # of another run of the workflow
        return f" This commit was measured before: {seen}."
    return f" This is attempt {publication.attempt}{f'; earlier: {seen}' if seen else ''}."
