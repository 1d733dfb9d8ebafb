"""GitHub's REST API: a session that waits as GitHub asks, and the few calls that energygate makes.

Dicts go in and come out, with what `shapes` names in them. No other module imports github3, and but for `transport`
none imports requests.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urljoin

import msgspec
from github3.exceptions import error_for
from github3.session import GitHubSession, TokenAuth
from requests import PreparedRequest, Response, Session
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, RequestException, Timeout
from requests.exceptions import ConnectionError as NoConnection

from energygate.errors import ConfigError
from energygate.github import shapes, wishes
from energygate.github.errors import ArtefactTooLarge, HubLost, HubRefused, HubUnavailable, named, said
from energygate.github.shapes import Answer
from energygate.github.transport import Deadline, DeadlineAdapter
from energygate.github.waiting import Patience, Trouble, silence, trouble_in
from energygate.github.wishes import Wish
from energygate.workloads.text import Redactor

_API_VERSION: Final = "2022-11-28"
_NO_ANSWER: Final = (NoConnection, Timeout, ChunkedEncodingError, ContentDecodingError)
_FOUND: Final = 302
_REDIRECTS: Final = 300  # and all statuses above: nothing was done
_REFUSALS: Final = 400
_MOST_PAGES: Final = 100  # GitHub stops at 2,500 comments; a list that links to itself never ends
_PIECE: Final = 65_536
_MOST_BYTES: Final = 64 << 20  # 100 comments, the most of a page, of 65,536 characters each, all of them escaped: 40 MB


class _Token(TokenAuth):  # type: ignore[misc]  # github3 has no type hints
    """Sends the token and shows nothing of it."""

    def __repr__(self) -> str:
        return "token ***"


def _unsigned(request: PreparedRequest) -> PreparedRequest:
    """Send no Authorization; without any auth of its own, a session would look for one in ~/.netrc."""
    return request


class GateSession(GitHubSession):  # type: ignore[misc]  # github3 has no type hints
    """A session that makes refused requests again when GitHub takes them, and lost ones where that is harmless.

    Parameters
    ----------
    api_url : str
        `https://api.github.com`, or `https://HOST/api/v3`.
    token : str
        Shown nowhere.
    deadline : Deadline, optional
        Of each request by itself.

    Raises
    ------
    ConfigError
        The token can be none.
    """

    def __init__(
        self, api_url: str, token: str, *, patience: Patience | None = None, deadline: Deadline | None = None
    ) -> None:
        super().__init__(default_connect_timeout=4, default_read_timeout=20)
        self._deadline = deadline or Deadline()
        _obey(self, self._deadline)
        self.base_url = api_url.rstrip("/")
        self.auth = _Token(_checked(token))
        self.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": _API_VERSION,
                "User-Agent": f"energygate/{version('energygate')}",
            }
        )
        self.shown = Redactor(key=token)
        self._patience = patience or Patience()

    def request(self, method: str, url: str, **options: Any) -> Response:
        """Make a request, and wait as GitHub asks. Raises HubUnavailable."""
        if method != "GET":
            options["allow_redirects"] = False  # requests would turn the write into a GET
        ask = partial(super().request, method, url, stream=True, **options)
        return self.patiently(method, lambda: self._whole(ask()))

    def _whole(self, response: Response) -> Response:
        """Give the answer with all of its body."""
        with response:
            body = _bounded(response, _MOST_BYTES)
        if body is None:
            raise self.doubtful(response, f"answers with more than {_MOST_BYTES} bytes")
        return _read(response, body)

    def download(self, url: str, most_bytes: int) -> bytes:
        """Give what another host has, which must not see the token; the address may be a secret too.

        Raises
        ------
        HubRefused, HubUnavailable
            As for all that is asked.
        ArtefactTooLarge
            Beyond `most_bytes`.
        """
        with Session() as plain:
            _obey(plain, self._deadline)
            plain.auth = _unsigned
            plain.headers.update({"User-Agent": str(self.headers["User-Agent"]), "Accept-Encoding": "identity"})
            ask = partial(plain.get, url, stream=True, timeout=self.timeout, allow_redirects=False)
            with self.patiently("GET", ask) as response:
                self.expect(response, 200, wishes.GET_ARTEFACT)
                if "Content-Encoding" in response.headers:  # was not asked for, and may unpack to any size
                    raise self.unavailable("sends an artefact that is packed once more")
                try:
                    body = _bounded(response, most_bytes)
                except RequestException as error:  # whose text shows the address
                    raise self.unavailable(f"broke off an artefact ({named(error)})") from None
        if body is None:
            raise ArtefactTooLarge(most_bytes)
        return body

    def patiently(self, method: str, send: Callable[[], Response]) -> Response:
        """Make a request until it is answered, as often and as long as is worth while."""
        attempt = 0
        while not isinstance(sent := self._sent(send, attempt), Response):
            if sent.is_outage and method != "GET":
                raise self.unavailable(sent.what, kind=HubLost)
            why = self._patience.wait(sent, attempt=attempt)
            if why is not None:
                raise self.unavailable(f"{sent.what}{why}")
            attempt += 1
        return sent

    def _sent(self, send: Callable[[], Response], attempt: int) -> Response | Trouble:
        patience, jitter_s = self._patience, self._patience.jitter()
        began_s = patience.clock()
        self._deadline.begin()
        try:
            response = send()
        except _NO_ANSWER as error:
            patience.endure(patience.clock() - began_s)
            return silence(f"is silent ({named(error)})", attempt=attempt, jitter_s=jitter_s)
        except RequestException as error:
            raise self.unavailable(f"cannot be asked ({named(error)})", fix="Mend GITHUB_API_URL.") from None
        status, now_s = response.status_code, patience.clock()
        text = response.text if status >= _REFUSALS else ""  # else there may be much of it
        trouble = trouble_in(status, response.headers, text, attempt=attempt, now_s=now_s, jitter_s=jitter_s)
        if trouble is None:
            return response
        if trouble.is_outage:
            patience.endure(now_s - began_s)
        return trouble

    def expect(self, response: Response, status: int, wish: Wish) -> None:
        """Raise HubRefused or HubUnavailable for any other status."""
        given = response.status_code
        if given >= _REFUSALS:
            error = error_for(response)
            raise HubRefused(given, self.shown(said(error.msg, error.errors)), wish=wish)
        if given != status:
            what = f"answers HTTP {given} instead of {status}"
            raise self.unavailable(what) if given >= _REDIRECTS else self.doubtful(response, what)

    def doubtful(self, response: Response, what: str) -> HubUnavailable:
        """Give the error for an answer that does not tell whether a write was done."""
        return self.unavailable(what, kind=HubUnavailable if response.request.method == "GET" else HubLost)

    def unavailable(
        self, what: str, *, kind: type[HubUnavailable] = HubUnavailable, fix: str = "Run the job again later."
    ) -> HubUnavailable:
        """Give the error for an API that does what it should not."""
        return kind(f"GitHub's API at {self.shown(self.base_url)} {what}.", fix=fix)


class Hub:
    """What is asked of one repository. Each call raises HubRefused, or HubUnavailable; a write also HubLost.

    Parameters
    ----------
    repository : str
        `OWNER/NAME`.
    """

    def __init__(self, session: GateSession, repository: str) -> None:
        self._session = session
        self._root = f"{session.base_url}/repos/{repository}"

    def pull(self, number: int) -> Answer:
        """Give a pull request."""
        response = self._session.get(f"{self._root}/pulls/{number}")
        return self._object(response, 200, shapes.Pull, wishes.SEE_PULL)

    def open_pulls(self, owner: str, branch: str) -> list[Answer]:
        """Give the open pull requests from a branch of an owner."""
        wanted = {"state": "open", "head": f"{owner}:{branch}"}
        return self._pages("pulls", wanted, list[shapes.Pull], wishes.SEE_PULLS)

    def comments(self, number: int) -> list[Answer]:
        """Give every comment on a pull request, oldest first."""
        return self._pages(f"issues/{number}/comments", {}, list[shapes.Comment], wishes.SEE_COMMENTS)

    def create_comment(self, number: int, body: str) -> Answer:
        """Write a comment on a pull request."""
        response = self._session.post(f"{self._root}/issues/{number}/comments", json={"body": body})
        return self._object(response, 201, shapes.Comment, wishes.WRITE_COMMENT)

    def update_comment(self, comment_id: int, body: str) -> Answer:
        """Write a comment anew."""
        response = self._session.patch(f"{self._root}/issues/comments/{comment_id}", json={"body": body})
        return self._object(response, 200, shapes.Comment, wishes.WRITE_COMMENT)

    def check_runs(self, commit: str, name: str) -> list[Answer]:
        """Give every check run of a name on a commit."""
        wanted = {"check_name": name, "filter": "all"}
        return self._pages(
            f"commits/{commit}/check-runs", wanted, shapes.CheckRuns, wishes.SEE_CHECKS, key="check_runs"
        )

    def create_check_run(self, payload: Mapping[str, Any]) -> Answer:
        """Create a check run."""
        response = self._session.post(f"{self._root}/check-runs", json=payload)
        return self._object(response, 201, shapes.CheckRun, wishes.WRITE_CHECK)

    def update_check_run(self, check_run_id: int, payload: Mapping[str, Any]) -> Answer:
        """Change a check run; annotations are added to those it has."""
        response = self._session.patch(f"{self._root}/check-runs/{check_run_id}", json=payload)
        return self._object(response, 200, shapes.CheckRun, wishes.WRITE_CHECK)

    def artifacts(self, run_id: int, name: str) -> list[Answer]:
        """Give what a run has uploaded under a name, once for each attempt."""
        path = f"actions/runs/{run_id}/artifacts"
        return self._pages(path, {"name": name}, shapes.Artefacts, wishes.SEE_ARTEFACTS, key="artifacts")

    def artifact_zip(self, artifact_id: int, most_bytes: int) -> bytes:
        """Give an artefact as it is packed. Raises ArtefactTooLarge beyond `most_bytes`."""
        url = f"{self._root}/actions/artifacts/{artifact_id}/zip"
        response = self._session.get(url, allow_redirects=False)
        self._session.expect(response, _FOUND, wishes.GET_ARTEFACT)
        return self._session.download(urljoin(url, response.headers.get("Location", "")), most_bytes)

    def _object(self, response: Response, status: int, shape: Any, wish: Wish) -> Answer:
        found: Answer = self._json(response, status, shape, wish)
        return found

    def _pages(
        self, path: str, wanted: Mapping[str, str], shape: Any, wish: Wish, key: str | None = None
    ) -> list[Answer]:
        rows: list[Answer] = []
        url: str | None = f"{self._root}/{path}"
        asked: Mapping[str, str] | None = {**wanted, "per_page": "100"}
        for _ in range(_MOST_PAGES):
            response = self._session.get(url, params=asked)
            page = self._json(response, 200, shape, wish)
            rows += page if key is None else page[key]
            url, asked = response.links.get("next", {}).get("url"), None  # which has the parameters in it
            if not url:
                return rows
            if not self._is_there(url):
                raise self._session.unavailable("names another server for the rest of a list")  # which gets no token
        raise self._session.unavailable(f"lists more than {_MOST_PAGES} pages")

    def _is_there(self, url: str) -> bool:
        """Whether the server at an address is the one that is asked, and so may see the token."""
        try:
            return not self._session.should_strip_auth(self._root, url)
        except ValueError:  # it is no address
            return False

    def _json(self, response: Response, status: int, shape: Any, wish: Wish) -> Any:
        self._session.expect(response, status, wish)
        try:
            found = response.json()
            msgspec.convert(found, shape)
        except (ValueError, RecursionError):  # msgspec.ValidationError is a ValueError
            raise self._session.doubtful(response, "answers with what is no answer of GitHub's API") from None
        return found


def _obey(session: Session, deadline: Deadline) -> None:
    """Let all that a session is answered come before the deadline."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter(deadline))


def _bounded(response: Response, most_bytes: int) -> bytes | None:
    """Give a body as it is unpacked; None where it has more bytes. Raises RequestException."""
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        body += piece
        if len(body) > most_bytes:
            return None
    return bytes(body)


def _read(response: Response, body: bytes) -> Response:
    """Give an answer whose body was read apart from it."""
    read = Response()
    read.status_code, read.reason, read.url = response.status_code, response.reason, response.url
    read.headers, read.encoding, read.request = response.headers, response.encoding, response.request
    read.raw = io.BytesIO(body)
    return read


def _checked(token: str) -> str:
    if token and token.isascii() and token.isprintable() and " " not in token:
        return token
    raise ConfigError(
        "The GitHub token holds characters that no token has, or none.",
        why="Without a token nothing is published.",
        fix="Leave github-token at its default, or set it anew.",
    )
