"""The first two lines of a comment, which nobody sees: whose it is, and which run wrote it about which commit."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from energygate.model import Commit, Count

MOST_SEEN: Final = 10
_SECOND: Final = re.compile(r"<!-- energygate:run (\{.*\}) -->")
_VERDICT: Final = re.compile("[a-z][a-z_ ]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """One attempt of one run of a workflow, and the verdict that it published.

    Attributes
    ----------
    head : str
        The commit that was judged.
    attempt : int
        From 1.
    verdict : str
        A word or two in lower case: the next attempt on the same head shows it.
    seen : tuple of str
        Earlier verdicts on the same head, oldest first; at most ten.
    """

    head: Commit
    run: Count
    attempt: Count
    verdict: str
    seen: Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_SEEN)] = ()

    def __post_init__(self) -> None:
        for verdict in (self.verdict, *self.seen):
            if not _VERDICT.fullmatch(verdict):
                raise ValueError(f"{verdict!r} is no verdict")

    @property
    def age(self) -> tuple[int, int]:
        """Greater for what was started later."""
        return self.run, self.attempt

    def lines(self, comment_id: str) -> str:
        """Both lines, each with its end."""
        return f"{first_line(comment_id)}\n<!-- energygate:run {msgspec.json.encode(self).decode()} -->\n"

    def after(self, last: "Marker | None") -> tuple[str, ...]:
        """Verdicts to show as earlier ones, where `last` is the newest that was published on the same head."""
        if last is None:
            return ()
        return last.seen if last.age == self.age else (*last.seen, last.verdict)[-MOST_SEEN:]


def first_line(comment_id: str) -> str:
    """The line by which a comment is known."""
    return f"<!-- energygate:v1:{comment_id} -->"


def read_marker(body: str, comment_id: str) -> Marker | None:
    """Give the marker of a comment; None where somebody has changed it.

    Raises
    ------
    LookupError
        It is no comment of that id.
    """
    first, _, rest = body.replace("\r\n", "\n").partition("\n")
    if first != first_line(comment_id):
        raise LookupError(comment_id)
    found = _SECOND.fullmatch(rest.partition("\n")[0])
    try:
        return msgspec.json.decode(found[1], type=Marker) if found else None
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
