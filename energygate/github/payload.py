"""What is read of an event's payload, which anybody may have written: a fork's branch may be called anything.

Only what is named here is read, and each value is checked for its form: names end up in commands of git and in
addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from energygate.conversion import convert

SHA: Final = r"\A(?:[0-9a-f]{40}|[0-9a-f]{64})\Z"
FULL_NAME: Final = r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,100}\Z"
# What `git check-ref-format` allows, as far as it matters outside git.
REF: Final = r"\A(?!-)(?!.*(?:\.\.|@\{))[^\x00-\x20\x7f~^:?*\[\\]{1,255}\Z"
WORD: Final = r"\A[a-z_]{1,50}\Z"

Sha = Annotated[str, Meta(pattern=SHA)]
FullName = Annotated[str, Meta(pattern=FULL_NAME)]
Ref = Annotated[str, Meta(pattern=REF)]
Word = Annotated[str, Meta(pattern=WORD)]
Login = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?\Z")]
Number = Annotated[int, Meta(ge=1, lt=10**18)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request, as its event tells of it.

    Attributes
    ----------
    base_sha : str
        The base branch when the event was made; it may be older than what the merge commit was made with.
    is_foreign : bool
        Whether its branch lies in another repository: then the job's token can write nothing.
    """

    number: int
    head_sha: str
    base_sha: str
    is_foreign: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """The run of another workflow, whose result is to be published here.

    Attributes
    ----------
    attempt : int
        From 1.
    source : Source or None
        None where the fork was deleted meanwhile.
    """

    run_id: int
    attempt: int = 1
    event: str
    head_sha: str
    head_branch: str
    source: "Source | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The repository that a pull request comes from."""

    id: int
    owner: str


class _Named(Struct, frozen=True):
    full_name: FullName


class _Repository(Struct, frozen=True):
    default_branch: Ref


class _Head(Struct, frozen=True):
    sha: Sha
    repo: _Named | None = None  # a fork may be deleted


class _Base(Struct, frozen=True):
    sha: Sha


class _PullRequest(Struct, frozen=True):
    number: Number
    head: _Head
    base: _Base


class _Label(Struct, frozen=True):
    name: str


class _OnPullRequest(Struct, frozen=True):
    action: Word
    pull_request: _PullRequest
    label: _Label | None = None

    def facts(self, repository: str) -> dict[str, Any]:
        head = self.pull_request.head
        pull = Pull(
            number=self.pull_request.number,
            head_sha=head.sha,
            base_sha=self.pull_request.base.sha,
            is_foreign=head.repo is None or head.repo.full_name.casefold() != repository.casefold(),
        )
        label = None if self.label is None else self.label.name
        return {"action": self.action, "label": label, "pull": pull, "commit": head.sha}


class _MergeGroup(Struct, frozen=True):
    head_sha: Sha
    base_sha: Sha


class _OnMergeGroup(Struct, frozen=True):
    merge_group: _MergeGroup

    def facts(self, _repository: str) -> dict[str, Any]:
        return {"merge_base_sha": self.merge_group.base_sha, "commit": self.merge_group.head_sha}


class _OnBranch(Struct, frozen=True):
    repository: _Repository

    def facts(self, _repository: str) -> dict[str, Any]:
        return {"default_branch": self.repository.default_branch}


class _OnSchedule(Struct, frozen=True):
    def facts(self, _repository: str) -> dict[str, Any]:
        return {}  # it may lack `repository`, and runs on the default branch


class _Owner(Struct, frozen=True):
    login: Login


class _HeadRepository(Struct, frozen=True):
    id: Number
    owner: _Owner


class _WorkflowRun(Struct, frozen=True, kw_only=True):
    id: Number
    run_attempt: Number = 1
    event: Word
    head_sha: Sha
    head_branch: Ref
    head_repository: _HeadRepository | None  # a fork may be deleted


class _OnWorkflowRun(Struct, frozen=True):
    workflow_run: _WorkflowRun

    def facts(self, _repository: str) -> dict[str, Any]:
        run, source = self.workflow_run, self.workflow_run.head_repository
        relayed = Relayed(
            run_id=run.id,
            attempt=run.run_attempt,
            event=run.event,
            head_sha=run.head_sha,
            head_branch=run.head_branch,
            source=None if source is None else Source(id=source.id, owner=source.owner.login),
        )
        return {"relayed": relayed, "commit": run.head_sha}


_Payload = _OnPullRequest | _OnMergeGroup | _OnBranch | _OnSchedule | _OnWorkflowRun
_KINDS: Final[Mapping[str, type[_Payload]]] = {
    "pull_request": _OnPullRequest,
    "merge_group": _OnMergeGroup,
    "push": _OnBranch,
    "schedule": _OnSchedule,
    "workflow_dispatch": _OnBranch,
    "workflow_run": _OnWorkflowRun,
}
KNOWN: Final = tuple(_KINDS)
ON_BRANCHES: Final = ("push", "schedule", "workflow_dispatch")


def facts_of(name: str, payload: object, repository: str) -> dict[str, Any]:
    """Give what an Event takes from the payload of a known event. Raises ConfigError, naming what is wrong where."""
    return convert(payload, _KINDS[name], origin=f"the payload of {name}").facts(repository)
