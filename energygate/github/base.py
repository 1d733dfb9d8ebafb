"""Which commit the head is measured against, asked of the clone that is checked out."""

from typing import Final

from energygate.errors import ConfigError
from energygate.git import Git, commit_of
from energygate.github.event import Activity, Event, Pull

AUTO: Final = "auto"
NONE: Final = "none"
_FIX: Final = "Fetch the history: fetch-depth: 0 for actions/checkout. Or measure without a base: against: none."


def base_revision(event: Event, activity: Activity, *, against: str, git: Git) -> str | None:
    """Give the revision to measure beside HEAD, or None where there is none to measure.

    Never the tip of the base branch: that would blame a change for what others merged meanwhile.

    Parameters
    ----------
    against : str
        The action's input: `auto`, `none`, or a revision.
    git : Git
        In the working tree that is measured.

    Raises
    ------
    ConfigError
        The base is not in this clone, or HEAD has nothing to do with the pull request.
    """
    if activity is not Activity.GATE or against == NONE:
        return None
    if against != AUTO:
        commit_of(git, against)
        return against
    if event.pull is not None:
        return _of_pull(event.pull, git)
    if event.merge_base_sha is not None:
        return _present(event.merge_base_sha, git)
    return _first_parent(git) if event.is_default_branch else _where_it_left(event, git)


def _of_pull(pull: Pull, git: Git) -> str:
    """The first parent of GitHub's merge commit is today's base; of the branch alone, where it left its base."""
    parents = _parents(git)
    if len(parents) > 1 and parents[1] == pull.head_sha:
        return _present(parents[0], git)
    head = git("rev-parse", "--verify", "HEAD")
    if head != pull.head_sha:
        raise ConfigError(
            f"HEAD is {head[:12]}: neither the pull request's head {pull.head_sha[:12]} nor GitHub's merge of it.",
            why="What is measured would be reported as that pull request.",
            fix="Check out what the event is about: actions/checkout without ref, or with "
            "ref: ${{ github.event.pull_request.head.sha }}, and fetch-depth: 0. Or against: none.",
        )
    base = _present(pull.base_sha, git)
    found = git.answer("merge-base", "HEAD", base)
    if not found:
        raise ConfigError(
            f"HEAD and {base[:12]}, the base of the pull request, have no common commit in this clone.",
            why="Base and head are measured in turn.",
            fix=_FIX,
        )
    return found


def _first_parent(git: Git) -> str | None:
    """What the default branch was before its last commit; the first commit has nothing before it."""
    parents = _parents(git)
    return _present(parents[0], git) if parents else None


def _where_it_left(event: Event, git: Git) -> str | None:
    """Where a branch left the default branch, if this clone has both.

    What has not left it, such as the tag of a release, has no base: it would be measured against itself.
    """
    if event.default_branch is None:
        return None
    base = git.answer("merge-base", "HEAD", f"refs/remotes/origin/{event.default_branch}")
    return base if base and base != git("rev-parse", "--verify", "HEAD") else None


def _parents(git: Git) -> tuple[str, ...]:
    """HEAD's parents as its commit names them: in a shallow clone git's own log pretends that there are none."""
    header = git("cat-file", "-p", "HEAD").partition("\n\n")[0]
    return tuple(line.removeprefix("parent ") for line in header.splitlines() if line.startswith("parent "))


def _present(commit: str, git: Git) -> str:
    if git.answer("cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise ConfigError(
            f"The base commit {commit} is not in this clone.", why="Base and head are measured in turn.", fix=_FIX
        )
    return commit
