"""A GitHub on loopback: pull requests, comments, check runs and artefacts, over real HTTP.

Every exchange is checked against GitHub's own description of its API (contract_github). What breaks it stands in
`violations`, which the fixture `github` wants empty when a test ends.
"""

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace

from contract_github import ENTERPRISE, Exchange, violations
from fakes_github_api import Refused, Token, check_fits, check_token, route, usual_headers
from fakes_github_bodies import REPOSITORY_ID, Artifact, Bodies, CheckRun, Comment, Pull
from fakes_github_faults import Fault, Planned
from fakes_github_http import Answer, Loopback, Request

FORK_ID = 20_240_001
HEAD_SHA = "f5410108c2ab9d1e0c0ffee0c0ffee0c0ffee000"
BASE_SHA = "894ac4b0c2ab9d1e0c0ffee0c0ffee0c0ffee000"


@dataclass
class _Hook:
    """What happens once, after the next exchange of a method whose target has `part` in it."""

    action: Callable[[], object]
    method: str
    part: str


class GitHub:
    """A repository at GitHub.

    Parameters
    ----------
    token : str
        The only one that it knows.
    port : int
        Of loopback; 0 for any.
    public_url : str, optional
        A proxy before it: clients find it there, and every address in an answer starts so.
    not_by_proxy : callable
        Called, with the reason, where a test wants what that proxy cannot carry.

    Attributes
    ----------
    url : str
        The API's root, as github.com has it.
    token_kind : Token
        May be set at any time, like the next two.
    login : str
        Who writes the token's comments.
    reset_at_s : int
        Second of the epoch that `X-RateLimit-Reset` names.
    pulls : dict of int to Pull
    check_runs : list of CheckRun
    artifacts : dict of int to Artifact
    requests : list of Request
        All that came to the API, the refused ones too.
    downloads : list of Request
        All that came to the store of artefacts.
    violations : list of str
    """

    def __init__(self, repository="acme/widgets", token="ghs_test", *, port=0, public_url=None, not_by_proxy=None):
        self.repository = repository
        self.token = token
        self.token_kind = Token.INSTALLATION
        self.login = "github-actions[bot]"
        self.reset_at_s = 2_000_000_000
        self.pulls: dict[int, Pull] = {}
        self.all_comments: dict[int, Comment] = {}
        self.check_runs: list[CheckRun] = []
        self.artifacts: dict[int, Artifact] = {}
        self.requests: list[Request] = []
        self.downloads: list[Request] = []
        self.violations: list[str] = []
        self._faults: list[Planned] = []
        self._hooks: list[_Hook] = []
        self._last_id = 100
        self._lock = threading.RLock()
        self._api = Loopback(self._answer, port)
        self._storage = Loopback(self._download)
        self.url = public_url or self._api.url
        self._public_url, self._not_by_proxy = public_url, not_by_proxy

    @property
    def enterprise_url(self):
        """The API's root as an Enterprise Server has it; links of its answers lead to itself."""
        self.direct("the proxy knows the paths of github.com alone")
        return f"{self.url}{ENTERPRISE}"

    def direct(self, why):
        """Say that no proxy can stand before it in this test."""
        if self._public_url is not None:
            self._not_by_proxy(why)

    def close(self):
        """Stop; what broke the fake itself counts as a violation."""
        for server in (self._api, self._storage):
            server.close()
            self.violations += server.broken

    # What is there

    def pull(self, number=7, *, head_sha=HEAD_SHA, base_sha=BASE_SHA, fork=False, **facts):
        """Open a pull request from a branch `topic`, of a fork or not; `facts` are more attributes of Pull."""
        place = {"head_repository": self.repository, "head_repository_id": REPOSITORY_ID}
        if fork:
            place = {"head_repository": "outsider/widgets", "head_repository_id": FORK_ID}
        known = {"number": number, "head_sha": head_sha, "base_sha": base_sha, "head_ref": "topic"}
        self.pulls[number] = Pull(**known | place | facts)
        if self.pulls[number].head_repository is None:
            self.direct("the proxy insists on a `head.repo`")
        return self.pulls[number]

    def comment(self, number, body, *, login="somebody"):
        """Write a comment; a login of None is that of a deleted user."""
        comment = Comment(id=self.next_id(), number=number, body=body, login=login)
        self.all_comments[comment.id] = comment
        return comment

    def foreign_comments(self, number, count):
        """Write comments of other people."""
        return [self.comment(number, f"comment {n} of others") for n in range(count)]

    def delete_comment(self, comment_id):
        """Delete a comment, as a maintainer does in the browser."""
        del self.all_comments[comment_id]

    def comments(self, number):
        """All comments of a pull request, oldest first."""
        return [each for each in self.all_comments.values() if each.number == number]

    def ours(self, number):
        """The texts of those comments that the token's owner wrote."""
        return [each.body for each in self.comments(number) if each.login == self.login]

    def artifact(self, run_id, name, data, *, head_sha=HEAD_SHA, **facts):
        """Upload an artefact, `data` being the zip; `facts` are more attributes of Artifact."""
        if not facts.get("expired"):
            self.direct("the proxy follows the redirect to the store by itself")
        known = {"id": self.next_id(), "name": name, "run_id": run_id, "head_sha": head_sha, "data": data}
        place = {"size_in_bytes": len(data), "head_branch": "topic", "head_repository_id": FORK_ID, "expired": False}
        artifact = Artifact(**known | place | facts)
        self.artifacts[artifact.id] = artifact
        return artifact

    def next_id(self):
        """A number that no other thing here has; later things have higher ones."""
        self._last_id += 1
        return self._last_id

    # What goes wrong

    def fail(self, fault: Fault, *, times=1, method=None, path=""):
        """Answer the next requests, of a method and with `path` in their target, by a fault of fakes_github_faults."""
        if not fault.is_contract:
            self.direct("the proxy answers instead where the server does not, or not in JSON")
        self._faults.append(Planned(fault, times, method, path))

    def then(self, method, path, action):
        """Run `action` once, after the next exchange of that method with `path` in its target was answered."""
        self._hooks.append(_Hook(action, method, path))

    # What was asked

    @property
    def asked(self):
        """The requests as `METHOD /path?query`, without `/repos/OWNER/NAME`."""
        return [f"{each.method} {each.target.replace(f'/repos/{self.repository}', '', 1)}" for each in self.requests]

    @property
    def writes(self):
        """Those that change something."""
        return [each for each in self.requests if each.method != "GET"]

    # How it answers

    def storage_url(self, artifact):
        """Where an artefact's bytes are: another server, which takes a signature for a token."""
        return f"{self._storage.url}/{artifact.id}?sig={hashlib.sha256(artifact.data).hexdigest()}"

    def _download(self, request):
        with self._lock:
            self.downloads.append(request)
            if (fault := self._fault(request)) is not None:
                return fault.answer
            if "authorization" in request.headers:
                self.violations.append(f"GET {request.path}: the token went to the store of artefacts")
                return Answer(403)
            artifact = self.artifacts[int(request.path.strip("/"))]
        return Answer(200, raw=artifact.data, headers={"Content-Type": "application/zip"})

    def _answer(self, request):
        with self._lock:
            self.requests.append(request)
            fault = self._fault(request)
            answer = self._truth(request) if fault is None or fault.is_done else fault.answer
            self._judge(request, answer, is_contract=fault is None or fault.is_done or fault.is_contract)
            if fault is not None:
                answer = fault.answer
            self._run_hooks(request)
            return replace(answer, headers=usual_headers(self, answer) | answer.headers)

    def _fault(self, request):
        for planned in self._faults:
            if planned.takes(request):
                planned.left -= 1
                return planned.fault
        return None

    def _truth(self, request):
        """What a healthy GitHub answers, having done what was asked."""
        root, path = self.url, request.path
        if path.startswith(f"{ENTERPRISE}/"):
            root, path = f"{root}{ENTERPRISE}", path.removeprefix(ENTERPRISE)
        bodies = Bodies(api=root, web=self.url, repository=self.repository)
        try:
            check_token(self, request)
            function, numbers = route(request.method, path.removeprefix(f"/repos/{self.repository}"))
            check_fits(request)
            return function(self, bodies, request, *numbers)
        except Refused as refused:
            return refused.answer

    def _judge(self, request, answer, *, is_contract):
        status = answer.status if is_contract else None
        self.violations += violations(
            Exchange(request.method, request.target, request.json, status, answer.json if is_contract else None)
        )

    def _run_hooks(self, request):
        for hook in list(self._hooks):
            if hook.method == request.method and hook.part in request.target:
                self._hooks.remove(hook)
                hook.action()


def zipped(**entries):
    """A zip in memory: `zipped(**{"report.json": b"{}"})`."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()
