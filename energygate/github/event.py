"""What happened on GitHub, and what energygate does about it: pure, over variables and a payload."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from energygate.errors import ConfigError
from energygate.github.payload import FULL_NAME, KNOWN, ON_BRANCHES, REF, SHA, WORD, Pull, Relayed, Source, facts_of
from energygate.workloads.text import printable

__all__ = ["ActionMode", "Activity", "Event", "Pull", "Relayed", "Source", "activity", "read_event"]

_COUNT: Final = r"\A[1-9][0-9]{0,17}\Z"
_ADDRESS: Final = r"\Ahttps?://[A-Za-z0-9_.:/%\[\]-]+\Z"
_TARGET: Final = "pull_request_target"
_GATED: Final = frozenset({"opened", "synchronize", "reopened", "ready_for_review", "labeled"})


class Activity(StrEnum):
    """What to do about an event."""

    GATE = "gate"
    RECORD = "record"
    RELAY = "relay"
    NOTHING = "nothing"


class ActionMode(StrEnum):
    """The input `mode`: `auto` goes by the event."""

    AUTO = "auto"
    GATE = "gate"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, checked.

    Attributes
    ----------
    action, label : str or None
        What was done to the pull request, and the label that was set.
    default_branch : str or None
        None where the event does not tell.
    ref : str
        In full, such as `refs/heads/main`; empty where there is none.
    commit : str
        The one that results are published for.
    merge_base_sha : str or None
        What a merge group was made on.
    """

    name: str
    action: str | None = None
    label: str | None = None
    repository: str
    default_branch: str | None = None
    ref: str
    commit: str
    run_id: int
    attempt: int
    server_url: str
    api_url: str
    pull: Pull | None = None
    merge_base_sha: str | None = None
    relayed: Relayed | None = None

    @property
    def repository_url(self) -> str:
        """Where people look at the repository."""
        return f"{self.server_url}/{self.repository}"

    @property
    def run_url(self) -> str:
        """Where people look at this run of the workflow."""
        return f"{self.repository_url}/actions/runs/{self.run_id}"

    @property
    def is_default_branch(self) -> bool:
        """Whether it happened on the default branch; a schedule runs nowhere else."""
        named = None if self.default_branch is None else f"refs/heads/{self.default_branch}"
        return self.name == "schedule" or self.ref == named


def read_event(environ: Mapping[str, str], payload: object) -> Event:
    """Read what GitHub Actions tells of the event.

    Parameters
    ----------
    environ : mapping
        Its variables, `GITHUB_EVENT_NAME` and others.
    payload : object
        The document at `GITHUB_EVENT_PATH`. Nobody vouches for it: a fork's branch may be called anything.

    Raises
    ------
    ConfigError
        The event is none that is acted on, or a variable or part of the payload is missing or not of its form; it is
        named, and what it says is not shown.
    """
    name = _variable(environ, "GITHUB_EVENT_NAME", WORD)
    _require_known(name)
    repository = _variable(environ, "GITHUB_REPOSITORY", FULL_NAME)
    facts = facts_of(name, payload, repository)
    if "commit" not in facts:
        facts["commit"] = _variable(environ, "GITHUB_SHA", SHA)
    return Event(
        name=name,
        repository=repository,
        ref=_variable(environ, "GITHUB_REF", REF) if environ.get("GITHUB_REF") else "",
        run_id=int(_variable(environ, "GITHUB_RUN_ID", _COUNT)),
        attempt=int(_variable(environ, "GITHUB_RUN_ATTEMPT", _COUNT, default="1")),
        server_url=_variable(environ, "GITHUB_SERVER_URL", _ADDRESS, default="https://github.com").rstrip("/"),
        api_url=_variable(environ, "GITHUB_API_URL", _ADDRESS, default="https://api.github.com").rstrip("/"),
        **facts,
    )


def activity(event: Event, mode: str) -> Activity:
    """Decide what to do. `mode` is the action's input. Raises ConfigError where it would store what nobody merged."""
    _require_known(event.name)
    if event.name == "workflow_run":
        return Activity.RELAY
    if event.name == "pull_request" and event.action not in _GATED:
        return Activity.NOTHING
    may_record = event.name in ON_BRANCHES and event.is_default_branch
    if mode == ActionMode.RECORD and not may_record:
        raise ConfigError(
            f"input mode: record, on {event.name} of {printable(event.ref) or 'no branch'}.",
            why="Baselines are what was merged: of this event's commit nobody has decided that yet.",
            fix="Record on push, schedule or workflow_dispatch of the default branch, or leave mode: auto.",
        )
    if mode == ActionMode.AUTO:
        return Activity.RECORD if may_record else Activity.GATE
    return Activity(mode)


def _require_known(name: str) -> None:
    if name == _TARGET:
        raise ConfigError(
            f"The event is {_TARGET}, which is refused whatever the inputs say.",
            why="It gives a token that can write to a job that would run the code of a fork.",
            fix="Use pull_request; for forks the two workflows of docs/github.md#forks.",
        )
    if name not in KNOWN:
        raise ConfigError(
            f"energygate does nothing about the event {printable(name)}.",
            fix=f"Let the workflow run on one of: {', '.join(KNOWN)}.",
        )


def _variable(environ: Mapping[str, str], name: str, pattern: str, *, default: str | None = None) -> str:
    value = environ.get(name) or default
    if value is None:
        raise ConfigError(
            f"{name} is not set.",
            why="GitHub Actions says with it what happened.",
            fix="Outside of it use energygate run, or pytest --energy.",
        )
    if not re.search(pattern, value):
        raise ConfigError(
            f"{name} is nothing that GitHub Actions would set.", fix="Leave it as GitHub Actions sets it."
        )
    return value
