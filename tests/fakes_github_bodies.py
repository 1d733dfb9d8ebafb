"""What the fake GitHub keeps, and how the API shows it: examples of GitHub's description, filled in."""

import functools
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from contract_github import read_contract

REPOSITORY_ID = 1296269
AT = "2026-01-01T00:00:00Z"


@dataclass(kw_only=True)
class Pull:
    """A pull request; tests may change it while the code under test runs."""

    number: int
    head_sha: str
    base_sha: str
    head_ref: str
    head_repository: str | None
    """None: the fork was deleted."""
    head_repository_id: int
    base_ref: str = "main"
    state: str = "open"


@dataclass(kw_only=True)
class Comment:
    """A comment on a pull request."""

    id: int
    number: int
    body: str
    login: str | None
    """None: the user was deleted."""


@dataclass(kw_only=True)
class CheckRun:
    """A check run; annotations in the order in which they came, as they were sent."""

    id: int
    name: str
    head_sha: str
    status: str = "queued"
    conclusion: str | None = None
    started_at: str | None = AT
    completed_at: str | None = None
    external_id: str | None = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that a workflow run left, with the facts that the API tells of it."""

    id: int
    name: str
    run_id: int
    head_sha: str
    data: bytes
    size_in_bytes: int
    head_branch: str
    head_repository_id: int
    expired: bool


@dataclass(frozen=True, kw_only=True)
class Bodies:
    """The answers' bodies, with every address at this server.

    Parameters
    ----------
    api, web : str
        Root of the API and of the pages.
    """

    api: str
    web: str
    repository: str

    @property
    def root(self):
        """The repository in the API."""
        return f"{self.api}/repos/{self.repository}"

    def pull(self, pull):
        """The answer to `GET pulls/N`."""
        return self._pull("pull-request", pull)

    def listed_pull(self, pull):
        """An entry of `GET pulls`."""
        return self._pull("pull-request-simple-items", pull)

    def _pull(self, example, pull):
        text = self._text(example).replace("1347", str(pull.number))
        shown = json.loads(text)
        [shown] = shown if isinstance(shown, list) else [shown]
        for team in shown["requested_teams"]:
            team["type"] = "organization"  # missing from the example
        head, base = shown["head"], shown["base"]
        self._side(base, self.repository, REPOSITORY_ID, pull.base_ref, pull.base_sha)
        self._side(head, pull.head_repository or "ghost/gone", pull.head_repository_id, pull.head_ref, pull.head_sha)
        if pull.head_repository is None:
            head["repo"] = None
        closed_at = None if pull.state == "open" else AT
        return shown | {"id": pull.number, "state": pull.state, "closed_at": closed_at, "merged_at": None}

    def _side(self, side, repository, repository_id, ref, sha):
        owner, name = repository.split("/")
        side |= {"label": f"{owner}:{ref}", "ref": ref, "sha": sha}
        side["user"]["login"] = side["repo"]["owner"]["login"] = owner
        side["repo"] |= {
            "id": repository_id,
            "name": name,
            "full_name": repository,
            "fork": repository_id != REPOSITORY_ID,
        }

    def comment(self, comment):
        """The answer to the requests of one comment; lists have the same."""
        shown = json.loads(self._text("issue-comment"))
        if comment.login is None:
            shown["user"] = None
        else:
            kind = "Bot" if comment.login.endswith("[bot]") else "User"
            shown["user"] |= {"login": comment.login, "type": kind}
        return shown | {
            "id": comment.id,
            "url": f"{self.root}/issues/comments/{comment.id}",
            "html_url": f"{self.web}/{self.repository}/pull/{comment.number}#issuecomment-{comment.id}",
            "issue_url": f"{self.root}/issues/{comment.number}",
            "body": comment.body,
        }

    def check_run(self, run):
        """The answer to the requests of one check run."""
        shown = json.loads(self._text("check-run-example-of-completed-conclusion"))
        url = f"{self.root}/check-runs/{run.id}"
        shown["output"] |= {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        }
        kept = ("id", "name", "head_sha", "status", "conclusion", "started_at", "completed_at", "external_id")
        return shown | {
            **{name: getattr(run, name) for name in kept},
            "details_url": run.details_url or self.web,
            "url": url,
            "html_url": f"{self.web}/{self.repository}/runs/{run.id}",
            "pull_requests": [],
        }

    def artifact(self, artifact):
        """An entry of a workflow run's artefacts."""
        url = f"{self.root}/actions/artifacts/{artifact.id}"
        kept = ("id", "name", "size_in_bytes", "expired")
        return json.loads(self._text("artifact")) | {
            **{name: getattr(artifact, name) for name in kept},
            "url": url,
            "archive_download_url": f"{url}/zip",
            "digest": f"sha256:{hashlib.sha256(artifact.data).hexdigest()}",
            "workflow_run": {
                "id": artifact.run_id,
                "repository_id": REPOSITORY_ID,
                "head_repository_id": artifact.head_repository_id,
                "head_branch": artifact.head_branch,
                "head_sha": artifact.head_sha,
            },
        }

    def _text(self, example):
        return _own(example, self.api, self.web, self.repository)


@functools.cache
def _own(example, api, web, repository):
    """An example as JSON, with every address in it at this server."""
    text = json.dumps(read_contract("sub.json.gz").example(example))
    text = re.sub(r"https?://api\.github\.com/repos/[\w.-]+/[\w.-]+", f"{api}/repos/{repository}", text)
    text = re.sub(r"https?://api\.github\.com", api, text)
    text = re.sub(r"https?://(?!127\.)[\w.-]+", web, text)
    return re.sub(r"(git://|git@|git:)[\w-]+(\.[\w-]+)+", r"\g<1>127.0.0.1", text)
