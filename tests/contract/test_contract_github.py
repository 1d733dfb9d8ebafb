"""The checker of GitHub's contract finds what it must find, and nothing else."""

import pytest
from contract_github import Exchange, read_contract, violations

REPOSITORY = "/repos/acme/widgets"
NOTE = {"path": "bench.py", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "slow"}


def created(*annotations):
    output = {"title": "t", "summary": "s", "annotations": list(annotations)}
    return Exchange("POST", f"{REPOSITORY}/check-runs", {"name": "energygate", "head_sha": "0" * 40, "output": output})


COMMENT = read_contract("sub.json.gz").example("issue-comment")
COMMENTS = f"{REPOSITORY}/issues/7/comments"
TOO_LONG = {
    "message": "Validation Failed",
    "errors": [{"resource": "IssueComment", "code": "unprocessable", "field": "data"}],
    "documentation_url": "https://docs.github.com/rest",
}

BROKEN = {
    "no such operation": Exchange("GET", "/nope"),
    "sent output/annotations: [": created(*[NOTE] * 51),
    "sent output/annotations/0/annotation_level: 'bad' is not one of": created(NOTE | {"annotation_level": "bad"}),
    "sent body: {'status': 'completed'} is not valid under any": Exchange(
        "PATCH", f"{REPOSITORY}/check-runs/1", {"status": "completed"}
    ),
    "sent body: 'body' is a required property": Exchange("POST", COMMENTS, {"bdy": "x"}),
    "sent a body, and none is described": Exchange("GET", COMMENTS, {"body": "x"}),
    "sent no body": Exchange("POST", COMMENTS),
    "no query parameter is called pages": Exchange("GET", f"{COMMENTS}?pages=2"),
    "answered 201: body: 'user' is a required property": Exchange(
        "POST", COMMENTS, {"body": "x"}, 201, {name: value for name, value in COMMENT.items() if name != "user"}
    ),
    "answered 201: created_at: 'yesterday' is not a 'date-time'": Exchange(
        "POST", COMMENTS, {"body": "x"}, 201, COMMENT | {"created_at": "yesterday"}
    ),
    "answered 202, which is not described": Exchange("POST", COMMENTS, {"body": "x"}, 202, COMMENT),
    "answered 502: no error of GitHub's: '<html>'": Exchange("GET", COMMENTS, None, 502, "<html>"),
    "answered 302 with a body, and none is described": Exchange(
        "GET", f"{REPOSITORY}/actions/artifacts/1/zip", None, 302, {}
    ),
}

KEPT = {
    "50 annotations": created(*[NOTE] * 50),
    "a comment, longer than the server takes: that is not described": Exchange(
        "POST", COMMENTS, {"body": "x" * 70_000}, 422, TOO_LONG
    ),
    "a comment": Exchange("POST", COMMENTS, {"body": "x"}, 201, COMMENT),
    "a comment of a user who is gone": Exchange("GET", COMMENTS, None, 200, [COMMENT | {"user": None}]),
    "a reference with a slash": Exchange("GET", f"{REPOSITORY}/git/ref/heads/main"),
    "a redirect": Exchange("GET", f"{REPOSITORY}/actions/artifacts/1/zip", None, 302),
    "a refusal": Exchange("PATCH", f"{REPOSITORY}/issues/comments/1", {"body": "x"}, 403, {"message": "no"}),
}


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
@pytest.mark.parametrize(("said", "exchange"), BROKEN.items())
def test_what_breaks_the_contract_is_named_with_its_path(said, exchange, prefix):
    target = f"{prefix}{exchange.target}"
    moved = Exchange(exchange.method, target, exchange.sent, exchange.status, exchange.answered)
    [found] = violations(moved)
    assert found.startswith(f"{exchange.method} {target}: {said}")


@pytest.mark.parametrize("exchange", KEPT.values(), ids=KEPT)
def test_what_keeps_the_contract_gives_no_error(exchange):
    assert violations(exchange) == []
