"""Section 6 of the design: headers, paging, waits, and answers that are none."""

import gzip
import itertools
import socket
import subprocess
import sys
from importlib.metadata import version

import fakes_github_faults as faults
import pytest
from fakes_github import HEAD_SHA, Token, zipped
from fakes_github_faults import Fault
from fakes_github_http import Answer, Loopback
from fakes_hub import START_S

from energygate.errors import ConfigError
from energygate.github.client import GateSession
from energygate.github.errors import ArtefactTooLarge, HubLost, HubRefused, HubUnavailable
from energygate.github.transport import Deadline
from energygate.github.waiting import Patience

CHECK = {
    "name": "energygate",
    "head_sha": HEAD_SHA,
    "status": "completed",
    "conclusion": "success",
    "output": {"title": "t", "summary": "s", "annotations": []},
}
RUN = 77
CUT_OFF = Fault(Answer(200, raw=b"{", headers={"Content-Length": "100"}), is_contract=False)


@pytest.fixture
def pull(github):
    return github.pull(7)


def unavailable(call, *arguments):
    with pytest.raises(HubUnavailable) as raised:
        call(*arguments)
    return str(raised.value)


@pytest.mark.parametrize("where", ["url", "enterprise_url"])
def test_every_request_has_the_three_headers_whatever_its_method_and_server(github, connect, pull, where):
    github.foreign_comments(7, 120)
    hub = connect(url=f"{getattr(github, where)}/")

    hub.pull(7)
    hub.comments(7)
    comment = hub.create_comment(7, "first")
    hub.update_comment(comment["id"], "second")
    check = hub.create_check_run(CHECK)
    hub.update_check_run(check["id"], {"output": CHECK["output"]})

    assert [request.method for request in github.requests] == ["GET", "GET", "GET", "POST", "PATCH", "POST", "PATCH"]
    prefix = getattr(github, where).removeprefix(github.url)
    for request in github.requests:
        assert request.path.startswith(f"{prefix}/repos/acme/widgets/")
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["user-agent"] == f"energygate/{version('energygate')}"
        assert request.headers["authorization"] == "token ghs_test"


def test_every_page_of_a_list_is_read(github, hub, pull):
    written = github.foreign_comments(7, 201)

    assert [comment["id"] for comment in hub.comments(7)] == [comment.id for comment in written]
    assert github.asked[0] == "GET /issues/7/comments?per_page=100"
    assert len(github.asked) == 3


def test_a_list_that_goes_on_for_ever_is_left(github, hub, pull):
    link = {"Link": f'<{github.url}/repos/acme/widgets/issues/7/comments>; rel="next"'}
    github.fail(Fault(Answer(200, [], link)), times=1000)

    assert unavailable(hub.comments, 7) == (
        f"GitHub's API at {github.url} lists more than 100 pages. Run the job again later."
    )
    assert len(github.requests) == 100


@pytest.mark.parametrize("address", ["{other}/page2", "http://127.0.0.1:none/", "http://[/"])
def test_a_list_that_goes_on_at_another_server_is_left_and_that_one_never_sees_the_token(github, hub, pull, address):
    seen = []
    other = Loopback(lambda request: seen.append(request) or Answer(200, []))
    link = {"Link": f'<{address.format(other=other.url)}>; rel="next"'}
    github.fail(Fault(Answer(200, [], link), is_contract=False))

    said = unavailable(hub.comments, 7)
    other.close()

    assert said == (
        f"GitHub's API at {github.url} names another server for the rest of a list. Run the job again later."
    )
    assert seen == []


def test_answers_come_as_the_server_sent_them(github, hub, pull):
    github.comment(7, "of somebody who is gone", login=None)

    assert not {"ETag", "Last-Modified"} & hub.pull(7).keys()
    assert hub.comments(7)[0]["user"] is None


def test_open_pull_requests_are_found_by_owner_and_branch(github, hub):
    github.pull(8, fork=True)
    github.pull(9)

    assert [pull["number"] for pull in hub.open_pulls("outsider", "topic")] == [8]


def test_a_fork_that_is_gone_does_not_hide_its_pull_request(github, hub):
    github.pull(8, head_repository=None)

    assert hub.pull(8)["head"]["repo"] is None


@pytest.mark.parametrize(
    ("fault", "times", "waits"),
    [
        (faults.retry_after(2), 1, [2]),
        (faults.retry_after(2, status=429), 2, [2, 2]),
        (faults.exhausted(int(START_S) + 90), 1, [90]),
        (faults.exhausted(int(START_S) + 90, status=429), 1, [90]),
        (faults.bare(429), 2, [60, 120]),
        (faults.secondary(), 1, [60]),
        (faults.down(502), 2, [1.5, 2.5]),
        (faults.down(503), 1, [1.5]),
        (faults.down(504), 3, [1.5, 2.5, 4.5]),
        (faults.html(502), 1, [1.5]),
        (faults.reset(), 2, [1.5, 2.5]),
        (CUT_OFF, 1, [1.5]),
    ],
)
def test_a_question_is_asked_again_after_the_wait_that_its_refusal_wants(github, hub, pull, fault, times, waits):
    github.fail(fault, times=times)

    assert hub.pull(7)["number"] == 7
    assert hub.waits == waits


def test_a_question_that_times_out_is_asked_again(github, hub, pull):
    hub.session.default_read_timeout = 0.2
    github.fail(faults.slow())

    assert hub.pull(7)["number"] == 7
    assert hub.waits == [1.5]


@pytest.mark.parametrize(
    ("fault", "waits"),
    [(faults.retry_after(2), [2]), (faults.exhausted(int(START_S) + 5), [5]), (faults.bare(429), [60])],
)
def test_a_write_that_was_refused_for_now_is_made_again(github, hub, pull, fault, waits):
    github.fail(fault, method="POST")

    hub.create_comment(7, "text")

    assert hub.waits == waits
    assert github.ours(7) == ["text"]


@pytest.mark.parametrize("fault", [faults.down(502), faults.down(500), faults.reset(), faults.slow(), CUT_OFF])
@pytest.mark.parametrize("is_done", [True, False])
def test_a_write_whose_answer_is_lost_is_not_made_again_by_itself(github, hub, pull, fault, is_done):
    hub.session.default_read_timeout = 0.2
    github.fail(faults.lost(fault) if is_done else fault)

    with pytest.raises(HubLost):
        hub.create_comment(7, "text")

    assert hub.waits == []
    assert len(github.requests) == 1


@pytest.mark.parametrize(
    ("fault", "waits", "what"),
    [
        (faults.bare(429), [60, 120], "limits the rate (HTTP 429) and wants 240 s of waiting, where 0 s are left"),
        (faults.retry_after(3600), [], "limits the rate (HTTP 403) and wants 3600 s of waiting, where 180 s are left"),
        (faults.retry_after(2), [2, 2, 2], "limits the rate (HTTP 403), 4 times"),
        (faults.down(502), [1.5, 2.5, 4.5], "answers HTTP 502, 4 times"),
        (faults.html(503), [1.5, 2.5, 4.5], "answers HTTP 503, 4 times"),
        (faults.down(500), [], "answers HTTP 500"),
        (faults.html(200), [], "answers with what is no answer of GitHub's API"),
        (Fault(Answer(200, []), is_contract=False), [], "answers with what is no answer of GitHub's API"),
        (Fault(Answer(200, {"number": 7}), is_contract=False), [], "answers with what is no answer of GitHub's API"),
        (Fault(Answer(204), is_contract=False), [], "answers HTTP 204 instead of 200"),
    ],
)
def test_what_is_no_answer_is_given_up_within_the_budget_and_said(github, hub, pull, fault, waits, what):
    github.fail(fault, times=10)

    assert unavailable(hub.pull, 7) == f"GitHub's API at {github.url} {what}. Run the job again later."
    assert hub.waits == waits


def test_all_requests_of_a_session_share_one_budget(github, hub, pull):
    github.fail(faults.retry_after(100))
    hub.pull(7)
    github.fail(faults.retry_after(100))

    assert "wants 100 s of waiting, where 80 s are left" in unavailable(hub.pull, 7)


def test_a_server_that_answers_nobody_is_left_after_less_than_a_minute(github, connect, pull):
    seconds = iter(range(0, 10_000, 15))
    hub = connect(clock=lambda: next(seconds))
    hub.session.default_read_timeout = 0.1
    github.fail(faults.slow(), times=10)

    assert unavailable(hub.pull, 7) == (
        f"GitHub's API at {github.url} is silent (ReadTimeout), for 49 s. Run the job again later."
    )
    assert len(github.requests) == 3


def test_a_write_that_got_no_answer_counts_towards_that_minute(github, connect, pull):
    seconds = iter(range(0, 10_000, 20))
    hub = connect(clock=lambda: next(seconds))
    hub.session.default_read_timeout = 0.1
    github.fail(faults.slow(), times=10)

    with pytest.raises(HubLost):
        hub.create_comment(7, "text")
    said = unavailable(hub.comments, 7)

    assert said == f"GitHub's API at {github.url} is silent (ReadTimeout), for 40 s. Run the job again later."
    assert len(github.requests) == 2


def test_a_server_that_answers_byte_by_byte_is_left_after_less_than_a_minute(github, connect, pull):
    looks = []  # each is a second; one is taken when a request begins, and one before each of many reads
    deadline = Deadline(now_s=lambda: looks.append(None) or len(looks))
    hub = connect(clock=lambda: len(looks), deadline=deadline)
    github.fail(Fault(Answer(200, raw=b" " * (4 << 20)), is_contract=False), times=10)

    said = unavailable(hub.pull, 7)

    assert said == (
        f"GitHub's API at {github.url} is silent (ConnectionError: no whole answer within 20 s), for 44 s. "
        "Run the job again later."
    )
    assert len(looks) + sum(hub.waits) < 60


def test_a_write_that_is_answered_too_late_may_have_been_done(github, connect, pull):
    seconds = itertools.count(0, 12)
    hub = connect(deadline=Deadline(now_s=lambda: next(seconds)))
    github.fail(faults.lost(Fault(Answer(201, raw=b" " * 10**6), is_contract=False)))

    with pytest.raises(HubLost, match=r"no whole answer within 20 s"):
        hub.create_comment(7, "text")


def test_the_store_of_artefacts_has_a_deadline_too(github, connect):
    artifact = github.artifact(RUN, "energygate-default", b" " * 10**6)
    seconds = itertools.count(0, 1)
    assert len(connect(deadline=Deadline(now_s=lambda: 0.0)).artifact_zip(artifact.id, 10**6)) == 10**6

    hub = connect(deadline=Deadline(now_s=lambda: next(seconds)))

    assert unavailable(hub.artifact_zip, artifact.id, 10**6) == (
        f"GitHub's API at {github.url} broke off an artefact (ConnectionError: no whole answer within 20 s). "
        "Run the job again later."
    )


def test_an_answer_that_unpacks_to_more_than_any_list_is_not_read_on(github, hub, pull):
    bomb = gzip.compress(b" " * (2**26 + 1), compresslevel=1)
    github.fail(Fault(Answer(200, raw=bomb, headers={"Content-Encoding": "gzip"}), is_contract=False))

    assert unavailable(hub.comments, 7) == (
        f"GitHub's API at {github.url} answers with more than 67108864 bytes. Run the job again later."
    )


def test_a_server_that_is_not_there_is_named_with_the_systems_word_for_it(connect):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said = unavailable(connect(url=url).pull, 7)

    assert said == (
        f"GitHub's API at {url} is silent (ConnectionError: Connection refused), 4 times. Run the job again later."
    )


def test_an_address_that_is_none_is_not_asked_twice(connect):
    hub = connect(url="api.github.test")

    assert unavailable(hub.pull, 7) == (
        "GitHub's API at api.github.test cannot be asked (MissingSchema). Mend GITHUB_API_URL."
    )
    assert hub.waits == []


ONLY_READS = (
    "The token of a fork's or Dependabot's run can only read, whatever the job asks for: docs/github.md says how to "
    "publish for those."
)
REFUSALS = {
    "comment": (
        Token.READ_ONLY,
        lambda hub: hub.create_comment(7, "text"),
        (
            "GitHub refused to write the comment (HTTP 403): Resource not accessible by integration. "
            f"Give the job `permissions: pull-requests: write`. {ONLY_READS}"
        ),
    ),
    "check run": (
        Token.READ_ONLY,
        lambda hub: hub.create_check_run(CHECK),
        (
            "GitHub refused to write the check run (HTTP 403): Resource not accessible by integration. "
            f"Give the job `permissions: checks: write`. {ONLY_READS}"
        ),
    ),
    "check run of a person": (
        Token.PERSONAL,
        lambda hub: hub.create_check_run(CHECK),
        (
            "GitHub refused to write the check run (HTTP 403): You must authenticate via a GitHub App. "
            "A personal token cannot write check runs: leave github-token at its default, or set check-run: never."
        ),
    ),
    "check run of another App": (
        Token.OTHER_APP,
        lambda hub: hub.update_check_run(hub.create_check_run(CHECK)["id"], {"output": CHECK["output"]}),
        (
            "GitHub refused to write the check run (HTTP 403): Invalid app_id `15368` - check run can only be modified "
            "by the GitHub App that created it. The check run belongs to another GitHub App: publish with one and the "
            "same App."
        ),
    ),
    "pull request": (
        Token.INSTALLATION,
        lambda hub: hub.pull(8),
        (
            "GitHub refused to show the pull request (HTTP 404): Not Found. "
            f"Give the job `permissions: pull-requests: read`. {ONLY_READS}"
        ),
    ),
    "blank comment": (
        Token.INSTALLATION,
        lambda hub: hub.create_comment(7, " "),
        (
            "GitHub refused to write the comment (HTTP 422): Validation Failed; Body cannot be blank. "
            "Mend what GitHub names."
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_not_waited_for_and_says_what_mends_it(github, hub, pull, case):
    github.token_kind, call, said = REFUSALS[case]

    with pytest.raises(HubRefused) as raised:
        call(hub)

    assert str(raised.value) == said
    assert hub.waits == []


def test_a_token_that_github_does_not_know_is_named_as_the_fault(connect, pull):
    with pytest.raises(HubRefused) as raised:
        connect(token="ghs_other").pull(7)

    assert str(raised.value) == (
        "GitHub refused to show the pull request (HTTP 401): Bad credentials. "
        "Give github-token a token that is valid; its default is the job's own."
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "line\none\x1b[31m\u202e\x00"}, "line one"),
        ({"message": "x" * 1000}, f"{'x' * 299}…"),
        ({"message": None, "errors": "none"}, "no reason given"),
        ([], "[]"),
        ({"message": ["odd"], "errors": [{"code": "x"}, 7]}, "['odd']"),
        ({"message": "you sent ghs_test"}, "you sent ***"),
    ],
)
def test_what_github_says_is_short_printable_and_without_the_token(github, hub, pull, body, said):
    github.fail(Fault(Answer(403, body), is_contract=False))

    with pytest.raises(HubRefused) as raised:
        hub.pull(7)

    assert raised.value.message == said


def test_a_page_of_a_proxy_is_a_refusal_like_another(github, hub, pull):
    github.fail(faults.html(403))

    with pytest.raises(HubRefused, match=r"\(HTTP 403\): <html><body>Unicorn!</body></html>\. Give the job"):
        hub.pull(7)


def test_a_write_is_not_sent_on_to_another_address(github, hub, pull):
    github.fail(Fault(Answer(307, headers={"Location": f"{github.url}/elsewhere"}), is_contract=False))

    with pytest.raises(HubUnavailable, match="answers HTTP 307 instead of 201") as raised:
        hub.create_comment(7, "text")

    assert not isinstance(raised.value, HubLost)
    assert len(github.requests) == 1


def test_a_write_with_an_answer_that_is_none_may_have_been_done(github, hub, pull):
    github.fail(faults.lost(faults.html(201)))

    with pytest.raises(HubLost):
        hub.create_comment(7, "text")


def test_the_token_is_in_nothing_that_is_shown(connect):
    session = connect().session

    assert "ghs_test" not in f"{session!r}{session.auth!r}{session.headers!r}{session.shown!r}"


@pytest.mark.parametrize("token", ["", "ghs_te\nst", "ghs te", "ghs_té"])
def test_a_token_that_can_be_none_is_refused_unseen(token):
    with pytest.raises(ConfigError) as raised:
        GateSession("https://api.github.test", token, patience=Patience())

    assert str(raised.value) == (
        "The GitHub token holds characters that no token has, or none. Without a token nothing is published. "
        "Leave github-token at its default, or set it anew."
    )


def test_an_artefact_is_fetched_without_showing_the_token_to_its_store(github, hub, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login someone password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    data = zipped(**{"report.json": b"{}"})
    artifact = github.artifact(RUN, "energygate-default", data)

    assert hub.artifact_zip(artifact.id, len(data)) == data
    (download,) = github.downloads
    assert "authorization" not in download.headers
    assert github.requests[0].headers["authorization"] == "token ghs_test"


def test_an_artefact_is_not_read_beyond_the_limit(github, hub):
    data = zipped(**{"report.json": b"{}"})
    artifact = github.artifact(RUN, "energygate-default", data, size_in_bytes=1)

    with pytest.raises(ArtefactTooLarge) as raised:
        hub.artifact_zip(artifact.id, len(data) - 1)

    assert raised.value.what == f"The artefact has more than {len(data) - 1} bytes."


def test_an_artefact_that_comes_packed_once_more_is_not_unpacked(github, hub):
    artifact = github.artifact(RUN, "energygate-default", b"zip")
    github.fail(Fault(Answer(200, raw=gzip.compress(b"0" * 10**6), headers={"Content-Encoding": "gzip"})), path="sig=")

    assert "sends an artefact that is packed once more" in unavailable(hub.artifact_zip, artifact.id, 1000)


def test_an_artefact_that_ends_early_is_none(github, hub):
    artifact = github.artifact(RUN, "energygate-default", b"zip")
    github.fail(CUT_OFF, path="sig=")

    said = unavailable(hub.artifact_zip, artifact.id, 1000)

    assert said == (
        f"GitHub's API at {github.url} broke off an artefact (ChunkedEncodingError). Run the job again later."
    )


def test_an_artefact_that_has_expired_is_a_refusal_with_that_status(github, hub):
    artifact = github.artifact(RUN, "energygate-default", b"", expired=True)

    with pytest.raises(HubRefused) as raised:
        hub.artifact_zip(artifact.id, 1000)

    assert raised.value.status == 410


def test_a_store_of_artefacts_that_is_down_is_asked_again_and_its_address_stays_secret(github, hub):
    artifact = github.artifact(RUN, "energygate-default", b"zip")
    github.fail(faults.down(503), path="sig=")
    assert hub.artifact_zip(artifact.id, 1000) == b"zip"
    assert hub.waits == [1.5]

    github.fail(faults.reset(), times=10, path="sig=")
    said = unavailable(hub.artifact_zip, artifact.id, 1000)

    assert said == (
        f"GitHub's API at {github.url} is silent (ConnectionError: Connection reset by peer), 4 times. "
        "Run the job again later."
    )


def test_the_artefacts_of_a_run_are_those_of_the_name(github, hub):
    first = github.artifact(RUN, "energygate-default", b"1")
    github.artifact(RUN, "energygate-gpu", b"2")
    second = github.artifact(RUN, "energygate-default", b"3")

    assert [found["id"] for found in hub.artifacts(RUN, "energygate-default")] == [second.id, first.id]
    assert github.asked == ["GET /actions/runs/77/artifacts?name=energygate-default&per_page=100"]


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_nothing_is_asked_of_any_other_host(github, hub, pull):
    github.foreign_comments(7, 120)
    artifact = github.artifact(RUN, "energygate-default", b"zip")

    hub.pull(7)
    hub.comments(7)
    hub.update_comment(hub.create_comment(7, "text")["id"], "more")
    hub.update_check_run(hub.create_check_run(CHECK)["id"], {"output": CHECK["output"]})
    hub.artifact_zip(artifact.id, 1000)

    assert len(github.requests) == 8


def test_what_only_decides_about_publishing_loads_no_client():
    modules = ", ".join(f"energygate.github.{name}" for name in ("comment", "checks", "marker", "waiting"))
    said = f"import sys, {modules}; print(sorted({{'github3', 'requests'}} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"
