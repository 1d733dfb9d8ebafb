"""What the fake GitHub does for each request that it knows, and what it refuses to whom."""

import hashlib
import re
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from contract_github import Exchange, violations
from fakes_github_bodies import CheckRun, Comment
from fakes_github_http import Answer

MOST_CHARACTERS = 65_536
DOCUMENTATION = "https://docs.github.com/rest"


class Refused(Exception):  # noqa: N818 (no error of the fake: an answer)
    """What the server answers instead of doing it."""

    def __init__(self, status, message, *errors):
        body = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
        self.answer = Answer(status, body | ({"errors": list(errors)} if errors else {}))


def route(method, path):
    """What answers a request of a repository, and the numbers in its path, which stands below it: `/pulls/7`."""
    for known, expression, function in ROUTES:
        if method == known and (matched := re.fullmatch(expression, path)):
            return function, [int(number) for number in matched.groups()]
    raise Refused(404, "Not Found")


class Token(StrEnum):
    """What kind of token the client has."""

    INSTALLATION = "installation"
    READ_ONLY = "read-only"
    PERSONAL = "personal"
    OTHER_APP = "another App than the one that made the check runs"


def check_token(github, request):
    """Refuse what the token may not do."""
    said = request.headers.get("authorization")
    if said is None:
        raise Refused(401, "Requires authentication")
    if not re.fullmatch(rf"(?i:token|bearer) {re.escape(github.token)}", said):
        raise Refused(401, "Bad credentials")
    kind, is_check = github.token_kind, "/check-runs" in request.path
    if request.method == "GET":
        return
    if kind is Token.READ_ONLY:
        raise Refused(403, "Resource not accessible by integration")
    if kind is Token.PERSONAL and is_check:
        raise Refused(403, "You must authenticate via a GitHub App.")
    if kind is Token.OTHER_APP and is_check and request.method == "PATCH":
        said = "Invalid app_id `15368` - check run can only be modified by the GitHub App that created it."
        raise Refused(403, said)


def usual_headers(github, answer):
    """What goes with every answer."""
    used = len(github.requests)
    return {
        "Content-Type": "application/json; charset=utf-8",
        "ETag": f'W/"{hashlib.sha256(answer.body).hexdigest()}"',
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-RateLimit-Limit": "1000",
        "X-RateLimit-Remaining": str(1000 - used),
        "X-RateLimit-Used": str(used),
        "X-RateLimit-Reset": str(github.reset_at_s),
        "X-RateLimit-Resource": "core",
    }


def check_fits(request):
    """Refuse what GitHub's description does not allow."""
    if broken := violations(Exchange(request.method, request.target, request.json)):
        raise Refused(422, "\n\n".join(["Invalid request.", *broken]))


def get_pull(github, bodies, request, number):
    return Answer(200, bodies.pull(found(github.pulls, number)))


def list_pulls(github, bodies, request):
    state, head = request.query.get("state", "open"), request.query.get("head")
    pulls = [
        bodies.listed_pull(each)
        for each in sorted(github.pulls.values(), key=lambda pull: -pull.number)
        if state in ("all", each.state) and head in (None, head_of(each))
    ]
    return paged(bodies, request, pulls)


def head_of(pull):
    """The branch as the query `head` names it."""
    return f"{(pull.head_repository or 'ghost/gone').split('/')[0]}:{pull.head_ref}"


def list_comments(github, bodies, request, number):
    found(github.pulls, number)
    return paged(bodies, request, [bodies.comment(each) for each in github.comments(number)])


def create_comment(github, bodies, request, number):
    found(github.pulls, number)
    comment = github.comment(number, fitting(request.json["body"]), login=github.login)
    shown = bodies.comment(comment)
    return Answer(201, shown, {"Location": shown["url"]})


def get_comment(github, bodies, request, comment_id):
    return Answer(200, bodies.comment(found(github.all_comments, comment_id)))


def update_comment(github, bodies, request, comment_id):
    comment: Comment = found(github.all_comments, comment_id)
    comment.body = fitting(request.json["body"])
    return Answer(200, bodies.comment(comment))


def fitting(body):
    """A comment's text, if it is one."""
    said = None
    if len(body) > MOST_CHARACTERS:
        said = f"Body is too long (maximum is {MOST_CHARACTERS} characters)"
    if not body.strip():
        said = "Body cannot be blank"
    if said is not None:
        error = {"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": said}
        raise Refused(422, "Validation Failed", error)
    return body


def create_check_run(github, bodies, request):
    sent = request.json
    if sent.get("status") == "completed" and "conclusion" not in sent:
        github.violations.append("POST check-runs: `completed` needs a conclusion")
        raise Refused(422, "Invalid request.\n\nA completed check run needs a conclusion.")
    run = CheckRun(id=github.next_id(), name=sent["name"], head_sha=sent["head_sha"])
    change(run, sent)
    github.check_runs.append(run)
    return Answer(201, bodies.check_run(run))


def update_check_run(github, bodies, request, check_run_id):
    run = found({each.id: each for each in github.check_runs}, check_run_id)
    change(run, request.json)
    return Answer(200, bodies.check_run(run))


def change(run, sent):
    """Take over what was sent; annotations are added to those there, and a conclusion completes."""
    fields = ("name", "status", "conclusion", "started_at", "completed_at", "external_id", "details_url")
    output = sent.get("output", {})
    for part, names in ((sent, fields), (output, ("title", "summary", "text"))):
        for name in names:
            setattr(run, name, part.get(name, getattr(run, name)))
    if "conclusion" in sent:
        run.status = "completed"
    run.annotations += output.get("annotations", [])


def list_check_runs(github, bodies, request):
    commit, name = request.path.split("/")[-2], request.query.get("check_name")
    runs = [
        bodies.check_run(each) for each in github.check_runs if each.head_sha == commit and name in (None, each.name)
    ]
    page = paged(bodies, request, runs)
    return Answer(200, {"total_count": len(runs), "check_runs": page.json}, page.headers)


def list_artifacts(github, bodies, request, run_id):
    name = request.query.get("name")
    artifacts = [
        bodies.artifact(each)
        for each in sorted(github.artifacts.values(), key=lambda artifact: -artifact.id)
        if each.run_id == run_id and name in (None, each.name)
    ]
    page = paged(bodies, request, artifacts)
    return Answer(200, {"total_count": len(artifacts), "artifacts": page.json}, page.headers)


def download_artifact(github, bodies, request, artifact_id):
    artifact = found(github.artifacts, artifact_id)
    if artifact.expired:
        raise Refused(410, "Artifact has expired")
    return Answer(302, headers={"Location": github.storage_url(artifact)})


def found(kept, key):
    if key not in kept:
        raise Refused(404, "Not Found")
    return kept[key]


def paged(bodies, request, rows):
    """One page of a list, and where the others are."""
    size = min(int(request.query.get("per_page", 30)), 100)
    page, last = int(request.query.get("page", 1)), max(1, -(-len(rows) // size))
    numbers = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    if page >= last:
        del numbers["next"], numbers["last"]
    if page == 1:
        del numbers["prev"], numbers["first"]
    here = f"{bodies.api}{urlsplit(request.target).path.removeprefix('/api/v3')}"
    links = [f'<{here}?{urlencode(request.query | {"page": n})}>; rel="{name}"' for name, n in numbers.items()]
    return Answer(200, rows[(page - 1) * size : page * size], {"Link": ", ".join(links)} if links else {})


ROUTES = (
    ("GET", r"/pulls", list_pulls),
    ("GET", r"/pulls/(\d+)", get_pull),
    ("GET", r"/issues/(\d+)/comments", list_comments),
    ("POST", r"/issues/(\d+)/comments", create_comment),
    ("GET", r"/issues/comments/(\d+)", get_comment),
    ("PATCH", r"/issues/comments/(\d+)", update_comment),
    ("POST", r"/check-runs", create_check_run),
    ("PATCH", r"/check-runs/(\d+)", update_check_run),
    ("GET", r"/commits/[0-9a-f]+/check-runs", list_check_runs),
    ("GET", r"/actions/runs/(\d+)/artifacts", list_artifacts),
    ("GET", r"/actions/artifacts/(\d+)/zip", download_artifact),
)
