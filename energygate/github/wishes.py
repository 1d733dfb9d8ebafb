"""What GitHub is asked to do: the words for a refusal, and what mends it."""

from dataclasses import dataclass
from typing import Final

_UNAUTHORIZED: Final = 401
_HIDDEN: Final = {403, 404}  # GitHub answers 404 where a token may not even know
_CURES: Final = {
    "authenticate via a github app": "A personal token cannot write check runs: leave github-token at its default, "
    "or set check-run: never.",
    "invalid app_id": "The check run belongs to another GitHub App: publish with one and the same App.",
    "locked": "Unlock the conversation of the pull request.",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What GitHub is asked to do, and the permission that a job needs for it.

    Attributes
    ----------
    to : str
        How a sentence goes on after "GitHub refused to".
    """

    to: str
    permission: str

    def cure(self, status: int, message: str) -> str:
        """Give what mends a refusal."""
        said = message.lower()
        for sign, cure in _CURES.items():
            if sign in said:
                return cure
        if status == _UNAUTHORIZED:
            return "Give github-token a token that is valid; its default is the job's own."
        if status in _HIDDEN:
            return (
                f"Give the job `permissions: {self.permission}`. The token of a fork's or Dependabot's run can only "
                "read, whatever the job asks for: docs/github.md says how to publish for those."
            )
        return "Mend what GitHub names."


SEE_PULL: Final = Wish("show the pull request", "pull-requests: read")
SEE_PULLS: Final = Wish("list the pull requests", "pull-requests: read")
SEE_COMMENTS: Final = Wish("list the comments", "pull-requests: read")
WRITE_COMMENT: Final = Wish("write the comment", "pull-requests: write")
SEE_CHECKS: Final = Wish("list the check runs", "checks: read")
WRITE_CHECK: Final = Wish("write the check run", "checks: write")
SEE_ARTEFACTS: Final = Wish("list the artefacts", "actions: read")
GET_ARTEFACT: Final = Wish("give the artefact", "actions: read")
