"""The fake GitHub keeps GitHub's contract, has only addresses of its own, and refuses what GitHub refuses."""

import re

import fakes_github_faults as faults
import pytest
import requests
from fakes_github import BASE_SHA, HEAD_SHA, Token, zipped

NOTE = {"path": "bench.py", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "slow"}
RUN = {"name": "energygate", "head_sha": HEAD_SHA}
OUTPUT = {"title": "t", "summary": "s"}


@pytest.fixture(params=["url", "enterprise_url"], ids=["github.com", "Enterprise"])
def ask(github, request):
    """Send a request to either root and give the answer: `ask("GET", "/pulls/7")`."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"token {github.token}"

        def send(method, path, sent=None, **options):
            url = path if path.startswith("http") else f"{getattr(github, request.param)}/repos/acme/widgets{path}"
            return session.request(method, url, json=sent, **{"timeout": 10} | options)

        yield send


def addresses(text):
    return set(re.findall(r"(?:[a-z]+://|git@|git:)([^/{\"]+)", text)) | set(re.findall(r"[\w.-]*github\.com", text))


def test_every_address_in_an_answer_is_the_fakes_own(github, ask):
    github.pull(7, fork=True)
    github.comment(7, "hello")
    github.artifact(5, "energygate-default", b"", expired=True)
    bodies = [
        ask("GET", "/pulls/7"),
        ask("GET", "/pulls?state=open&head=outsider:topic"),
        ask("GET", "/issues/7/comments"),
        ask("POST", "/check-runs", RUN | {"conclusion": "success", "output": OUTPUT}),
        ask("GET", "/actions/runs/5/artifacts"),
    ]
    own = {github.url.removeprefix("http://"), "127.0.0.1", "127.0.0.1:acme", "127.0.0.1:octocat"}
    assert [each.status_code for each in bodies] == [200, 200, 200, 201, 200]
    assert set().union(*(addresses(each.text) for each in bodies)) - own == set()


def test_a_pull_request_says_what_the_test_set(github, ask):
    github.pull(7, fork=True)
    shown = ask("GET", "/pulls/7").json()
    assert (shown["number"], shown["state"], shown["head"]["sha"], shown["base"]["sha"]) == (
        7,
        "open",
        HEAD_SHA,
        BASE_SHA,
    )
    assert shown["head"]["repo"]["full_name"] == "outsider/widgets"
    assert [each["number"] for each in ask("GET", "/pulls?head=outsider:topic").json()] == [7]
    assert ask("GET", "/pulls?head=acme:topic").json() == []
    assert ask("GET", "/pulls/8").status_code == 404


def test_a_deleted_fork_has_no_repository(github, ask):
    github.pull(7, head_repository=None)
    assert ask("GET", "/pulls/7").json()["head"]["repo"] is None


def test_following_the_links_gives_each_comment_once(github, ask):
    github.pull(7)
    ids = [each.id for each in github.foreign_comments(7, 120)]
    page = ask("GET", "/issues/7/comments?per_page=500")
    got = [each["id"] for each in page.json()]
    assert len(got) == 100
    assert page.links["last"]["url"] == page.links["next"]["url"]
    rest = ask("GET", page.links["next"]["url"])
    assert got + [each["id"] for each in rest.json()] == ids
    assert set(rest.links) == {"prev", "first"}


@pytest.mark.parametrize(
    ("body", "said"),
    [("x" * 65_537, "Body is too long (maximum is 65536 characters)"), (" \n", "Body cannot be blank")],
    ids=["long", "blank"],
)
def test_a_comment_that_github_would_not_take_is_refused(github, ask, body, said):
    github.pull(7)
    comment = github.comment(7, "before")
    for method, path in (("POST", "/issues/7/comments"), ("PATCH", f"/issues/comments/{comment.id}")):
        answer = ask(method, path, {"body": body})
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, said)
    assert [each.body for each in github.comments(7)] == ["before"]


def test_annotations_are_appended(github, ask):
    completed = {"status": "completed", "conclusion": "failure", "output": OUTPUT | {"annotations": [NOTE] * 50}}
    run = ask("POST", "/check-runs", RUN | completed).json()
    shown = ask("PATCH", f"/check-runs/{run['id']}", {"output": OUTPUT | {"annotations": [NOTE] * 20}}).json()
    assert shown["output"]["annotations_count"] == 70
    assert len(github.check_runs[0].annotations) == 70


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"status": "completed"}, "POST check-runs: `completed` needs a conclusion"),
        ({"conclusion": "success", "output": OUTPUT | {"annotations": [NOTE] * 51}}, "output/annotations: ["),
        ({"conclusion": "success", "output": OUTPUT | {"summary": "s" * 65_536}}, "output/summary: 's"),
    ],
    ids=["conclusion", "annotations", "summary"],
)
def test_a_check_run_beyond_a_limit_is_refused_and_fails_the_test_that_sent_it(github, ask, sent, said):
    github.direct("the proxy refuses it, and the fake never sees it")
    assert ask("POST", "/check-runs", RUN | sent).status_code == 422
    assert github.check_runs == []
    [violation] = github.violations
    assert said in violation
    github.violations.clear()


def test_an_undescribed_request_fails_the_test_that_sent_it(github, ask):
    github.direct("the proxy refuses it, and the fake never sees it")
    assert ask("GET", "/nope").status_code == 404
    assert [each.endswith("/repos/acme/widgets/nope: no such operation") for each in github.violations] == [True]
    github.violations.clear()


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        (Token.INSTALLATION, {}),
        (
            Token.READ_ONLY,
            dict.fromkeys(["comment", "create", "update"], "Resource not accessible by integration"),
        ),
        (Token.PERSONAL, dict.fromkeys(["create", "update"], "You must authenticate via a GitHub App.")),
        (
            Token.OTHER_APP,
            {
                "update": "Invalid app_id `15368` - check run can only be modified by the GitHub App that created it.",
            },
        ),
    ],
)
def test_each_kind_of_token_may_do_what_it_may_at_github(github, ask, kind, refused):
    github.pull(7)
    run = ask("POST", "/check-runs", RUN | {"conclusion": "success"}).json()
    github.token_kind = kind
    answers = {
        "comment": ask("POST", "/issues/7/comments", {"body": "hello"}),
        "create": ask("POST", "/check-runs", RUN | {"conclusion": "success"}),
        "update": ask("PATCH", f"/check-runs/{run['id']}", {"conclusion": "success"}),
    }
    assert {name: each.json()["message"] for name, each in answers.items() if each.status_code == 403} == refused
    assert ask("GET", "/pulls/7").status_code == 200


@pytest.mark.parametrize(
    ("said", "message"), [(None, "Requires authentication"), ("token ghs_other", "Bad credentials")]
)
def test_nothing_is_told_without_the_token(github, ask, said, message):
    github.pull(7)
    answer = ask("GET", "/pulls/7", headers={"Authorization": said})
    assert (answer.status_code, answer.json()["message"]) == (401, message)


def test_an_artefact_is_behind_a_redirect_and_the_token_stays_at_home(github, ask):
    artifact = github.artifact(5, "energygate-default", zipped(**{"report.json": b"{}"}))
    [listed] = ask("GET", "/actions/runs/5/artifacts?name=energygate-default").json()["artifacts"]
    assert (listed["id"], listed["workflow_run"]["head_sha"]) == (artifact.id, HEAD_SHA)
    answer = ask("GET", f"/actions/artifacts/{artifact.id}/zip")
    assert (answer.content, [each.status_code for each in answer.history]) == (artifact.data, [302])
    assert [each.headers.get("authorization") for each in github.downloads] == [None]
    assert ask("GET", answer.url).status_code == 403
    assert github.violations == [f"GET /{artifact.id}: the token went to the store of artefacts"]
    github.violations.clear()


def test_an_expired_artefact_is_gone(github, ask):
    artifact = github.artifact(5, "energygate-default", b"", expired=True)
    assert ask("GET", f"/actions/artifacts/{artifact.id}/zip").status_code == 410


def test_a_fault_is_met_as_often_as_planned_by_the_requests_it_is_for(github, ask):
    github.pull(7)
    github.fail(faults.exhausted(1_900_000_000), times=2, method="GET", path="/pulls")
    assert ask("GET", "/issues/7/comments").status_code == 200
    met = [ask("GET", "/pulls/7") for _ in range(3)]
    assert [each.status_code for each in met] == [403, 403, 200]
    assert [each.headers["X-RateLimit-Remaining"] for each in met] == ["0", "0", "996"]
    assert met[0].headers["X-RateLimit-Reset"] == "1900000000"


@pytest.mark.parametrize("fault", [faults.reset(), faults.slow()], ids=["reset", "slow"])
def test_a_lost_answer_is_that_of_a_write_that_was_done(github, ask, fault):
    github.pull(7)
    github.fail(faults.lost(fault), method="POST")
    with pytest.raises((requests.ConnectionError, requests.Timeout)):
        ask("POST", "/issues/7/comments", {"body": "hello"}, timeout=0.5)
    assert github.ours(7) == ["hello"]


def test_a_page_of_a_proxy_breaks_no_contract(github, ask):
    github.fail(faults.html(200))
    assert ask("GET", "/pulls/7").text == "<html><body>Unicorn!</body></html>"


def test_something_may_happen_between_two_requests(github, ask):
    github.pull(7)
    comment = github.comment(7, "here")
    github.then("GET", "/comments", lambda: github.delete_comment(comment.id))
    assert [each["id"] for each in ask("GET", "/issues/7/comments").json()] == [comment.id]
    assert ask("PATCH", f"/issues/comments/{comment.id}", {"body": "new"}).status_code == 404


def test_the_author_of_a_comment_may_be_gone(github, ask):
    github.pull(7)
    github.comment(7, "here", login=None)
    assert [each["user"] for each in ask("GET", "/issues/7/comments").json()] == [None]
