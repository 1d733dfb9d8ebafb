"""The sticky comment: which one is ours, whether it may be written now, and writing it.

https://docs.github.com/en/rest/issues/comments
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from energygate.github.errors import HubRefused, HubUnavailable
from energygate.github.marker import Marker, read_marker
from energygate.github.shapes import Answer
from energygate.github.written import Fate, Written, write_once
from energygate.model import GateReport, Outcome

if TYPE_CHECKING:
    from energygate.github.client import Hub  # which loads github3


_POINTER: Final = "*Out of date: the result is in [another comment]({url}).*\n"


class When(StrEnum):
    """When a comment is wanted: the input `comment`."""

    ON_CHANGE = "on-change"
    ALWAYS = "always"
    NEVER = "never"


class How(StrEnum):
    """Whether an earlier comment is written anew: the input `comment-mode`."""

    UPDATE = "update"
    NEW = "new"


def has_news(report: GateReport) -> bool:
    """Whether a report says more than that all is well: what `on-change` needs for a first comment."""
    return (
        report.exit_code != 0
        or bool(report.warnings)
        or any(row.outcome is not Outcome.PASS for row in report.comparisons)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A comment to write.

    Attributes
    ----------
    number : int
        Of the pull request.
    id : str
        One comment for each.
    author : str
        Login that owns the token's comments.
    marker : Marker
        Of this attempt, without what was seen earlier.
    news : bool
        What `has_news` says.
    render, render_short : callable
        Give the text below the marker for the earlier verdicts on the same head; the short one where the first is too
        long for GitHub.
    """

    number: int
    id: str
    author: str
    marker: Marker
    when: When
    how: How
    news: bool
    render: Callable[[tuple[str, ...]], str]
    render_short: Callable[[tuple[str, ...]], str]


@dataclass(frozen=True, slots=True)
class _Ours:
    comment: Answer
    marker: Marker | None


def upsert(hub: "Hub", post: Post) -> Written:
    """Write the comment if it is wanted, and this attempt is the newest on the pull request's head."""
    if post.when is When.NEVER:
        return Written(fate=Fate.UNWANTED)
    try:
        return _upsert(hub, post)
    except (HubRefused, HubUnavailable) as error:
        return Written.failed(error)


def _upsert(hub: "Hub", post: Post) -> Written:
    head = post.marker.head
    newer = hub.pull(post.number)["head"]["sha"]
    if newer != head:
        return _superseded(f"the pull request is at {newer[:12]} now, and this is about {head[:12]}")
    found = _ours(hub, post)
    last = _newest(found, head)
    if last is not None and last.age > post.marker.age:
        return _superseded(f"run {last.run}, attempt {last.attempt} has commented on the same commit already")
    post = replace(post, marker=replace(post.marker, seen=post.marker.after(last)))
    if post.how is How.UPDATE and found:
        try:
            first = _save(hub, post, found[0].comment["id"])
        except HubRefused as error:
            if error.status != 404:  # deleted meanwhile
                raise
            found = found[1:]
        else:
            return _with_one(hub, _written(Fate.UPDATED, post, first), found[1:])
    if post.when is When.ALWAYS or post.news or found:
        return _written(Fate.CREATED, post, _save(hub, post, None))
    return Written(fate=Fate.UNWANTED)


def _with_one(hub: "Hub", written: Written, others: Sequence[_Ours]) -> Written:
    """Let the others point at the one that was written: two runs that began at once have each made a comment."""
    try:
        for ours in others:
            _point(hub, ours.comment["id"], str(written.url))
    except (HubRefused, HubUnavailable) as error:
        why = f"{written.why} An older comment is out of date. {error}".lstrip()
        return replace(written, why=why, gave_up=isinstance(error, HubUnavailable))
    return written


def _point(hub: "Hub", comment_id: int, url: str) -> None:
    """Write a comment anew, without a marker: it is ours no more, and is let alone from now on."""
    try:
        hub.update_comment(comment_id, _POINTER.format(url=url))
    except HubRefused as error:
        if error.status != 404:  # deleted meanwhile
            raise


def _save(hub: "Hub", post: Post, comment_id: int | None) -> Answer:
    """Write a comment, a new one without an id."""

    def write(text: str) -> Answer:
        body = f"{post.marker.lines(post.id)}{text}"
        if comment_id is None:
            return hub.create_comment(post.number, body)
        return hub.update_comment(comment_id, body)

    def look() -> Answer | None:
        return next((ours.comment for ours in _ours(hub, post) if ours.marker == post.marker), None)

    try:
        return write_once(lambda: write(post.render(post.marker.seen)), look)
    except HubRefused as error:
        if error.status != 422 or "too long" not in error.message:
            raise
        return write_once(lambda: write(post.render_short(post.marker.seen)), look)


def _ours(hub: "Hub", post: Post) -> Sequence[_Ours]:
    """Give our comments, the oldest first."""
    return sorted(_marked(hub.comments(post.number), post), key=lambda ours: int(ours.comment["id"]))


def _marked(comments: Sequence[Answer], post: Post) -> Iterator[_Ours]:
    for comment in comments:
        if _is_by(post.author, comment):
            try:
                yield _Ours(comment, read_marker(comment.get("body") or "", post.id))
            except LookupError:
                continue


def _is_by(author: str, comment: Answer) -> bool:
    """Whether that login wrote it; GitHub's logins are the same in any case."""
    login = _login(comment)
    return login is not None and login.casefold() == author.casefold()


def _login(comment: Answer) -> str | None:
    user = comment["user"]  # null where the account is gone
    return user["login"] if user else None


def _newest(found: Sequence[_Ours], head: str) -> Marker | None:
    markers = [ours.marker for ours in found if ours.marker is not None and ours.marker.head == head]
    return max(markers, key=lambda marker: marker.age, default=None)


def _superseded(why: str) -> Written:
    return Written(fate=Fate.SUPERSEDED, why=f"Superseded: {why}. Nothing was written.")


def _written(fate: Fate, post: Post, comment: Answer) -> Written:
    login = _login(comment)
    if login is None or _is_by(post.author, comment):
        return Written(fate=fate, url=comment["html_url"])
    why = f"The comment was written by {login}, and would not be found again: set comment-author: {login}."
    return Written(fate=fate, url=comment["html_url"], why=why)
