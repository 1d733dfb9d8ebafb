"""The parts of GitHub's answers that energygate relies on: an answer without them is none of GitHub's API."""

from typing import Any

from msgspec import Struct

Answer = dict[str, Any]
"""An object of JSON, as GitHub gives it."""


class Repository(Struct):
    """A repository; that of a fork may be gone."""

    id: int


class Side(Struct):
    """One side of a pull request."""

    sha: str
    repo: Repository | None


class Pull(Struct):
    """A pull request."""

    number: int
    state: str
    head: Side


class User(Struct):
    """Who wrote something."""

    login: str


class Comment(Struct):
    """A comment on an issue or pull request. Its author may be gone."""

    id: int
    html_url: str
    user: User | None
    body: str | None = None


class Output(Struct):
    """What a check run shows."""

    annotations_count: int


class CheckRun(Struct):
    """A check run."""

    id: int
    output: Output
    html_url: str | None
    external_id: str | None


class CheckRuns(Struct):
    """One page of check runs."""

    check_runs: list[CheckRun]


class Source(Struct):
    """The run that an artefact is of."""

    id: int | None = None
    head_sha: str | None = None


class Artefact(Struct):
    """What a run has uploaded."""

    id: int
    name: str
    size_in_bytes: int
    expired: bool
    workflow_run: Source | None = None


class Artefacts(Struct):
    """One page of artefacts."""

    artifacts: list[Artefact]
