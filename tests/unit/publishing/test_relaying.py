"""What a fork's own run reported, published as a comment alone."""

import json
from importlib.metadata import version

import fakes_github_faults as faults
import pytest
from fakes import a_report, a_row
from fakes_github import FORK_ID, HEAD_SHA, Token, zipped
from msgspec.structs import replace

from energygate.errors import RelayRefused
from energygate.github.comment import When
from energygate.github.event import Relayed, Source
from energygate.model import Head, Outcome
from energygate.report.json import encode_report

NEWER = "0123456789abcdef0123456789abcdef01234567"
RUN = {
    "run_id": 77,
    "event": "pull_request",
    "head_sha": HEAD_SHA,
    "head_branch": "topic",
    "source": Source(id=FORK_ID, owner="outsider"),
}
OPENING = (
    "Measured by the pull request's own code on a run that a maintainer allowed; figures as that run reported them."
)
NOT_ALL = "::warning title=energygate%3A not all is published::"
REGRESSED = a_row(outcome=Outcome.REGRESSED, ratio=1.2)


def reported(*rows, commit=HEAD_SHA, **how):
    """The report that the fork's run wrote."""
    report = replace(a_report(*rows, **how), head=Head(run_id="20261122T031500Z-1a2b3c4d5e", commit=commit))
    return encode_report(report)


def packed(*rows, **how):
    return zipped(**{"report.json": reported(*rows, **how)})


@pytest.fixture
def relay(job, github):
    """Relays the run of the fork behind the pull request 7."""
    github.pull(7, fork=True)
    github.pull(8, head_sha=NEWER)

    def relayed(*, inputs=None, hub="own", by=500, **facts):
        publisher = job.publisher(inputs=inputs, hub=hub, name="workflow_run", pull=None, run_id=by)
        publisher.relay(Relayed(**RUN | facts))

    return relayed


def comment_of(github):
    (body,) = github.ours(7)
    return body


def test_a_good_report_becomes_a_comment_that_says_whose_figures_these_are(relay, job, github):
    github.artifact(77, "energygate-default", packed(REGRESSED, exit_code=1, verdict="failed"))
    relay(attempt=2)
    first, second, heading, blank, opening, *_ = comment_of(github).splitlines()
    assert (first, heading, blank, opening) == (
        "<!-- energygate:v1:default -->",
        "## Energy: regressed. `bench.py::test_encode` uses 20.0 % more joules",
        "",
        OPENING,
    )
    assert '"run":77,"attempt":2,' in second
    assert "[run 77](https://github.com/acme/widgets/actions/runs/77), attempt 2</sub>" in comment_of(github)
    assert job.outputs["comment-url"].endswith(f"#issuecomment-{github.comments(7)[0].id}")
    assert (job.log, job.summary) == ([], "")


@pytest.mark.parametrize("where", ["url", "enterprise_url"])
def test_all_that_is_asked_has_the_headers_that_github_wants_and_the_store_is_not_shown_the_token(
    relay, github, connect, where
):
    github.artifact(77, "energygate-default", packed(REGRESSED, exit_code=1, verdict="failed"))
    relay(hub=connect(url=getattr(github, where)))
    root = f"{getattr(github, where).removeprefix(github.url)}/repos/acme/widgets"
    (artefact,) = github.artifacts
    assert [f"{each.method} {each.target}" for each in github.requests] == [
        f"GET {root}/pulls?state=open&head=outsider%3Atopic&per_page=100",
        f"GET {root}/actions/runs/77/artifacts?name=energygate-default&per_page=100",
        f"GET {root}/actions/artifacts/{artefact}/zip",
        f"GET {root}/pulls/7",
        f"GET {root}/issues/7/comments?per_page=100",
        f"POST {root}/issues/7/comments",
    ]
    for request in github.requests:
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["user-agent"] == f"energygate/{version('energygate')}"
        assert request.headers["authorization"] == "token ghs_test"
    (download,) = github.downloads
    assert "authorization" not in download.headers


def test_a_relayed_result_never_becomes_a_check_run(relay, github):
    github.artifact(77, "energygate-default", packed(a_row()))
    relay(inputs={"comment": When.ALWAYS})
    assert [each.path for each in github.writes] == ["/repos/acme/widgets/issues/7/comments"]


def test_of_two_attempts_the_newer_report_is_published_and_the_older_verdict_shown(relay, github):
    github.artifact(77, "energygate-default", packed(REGRESSED, exit_code=1, verdict="failed"))
    relay(by=500)
    github.artifact(77, "energygate-default", packed(a_row()))
    relay(by=501, attempt=2)
    assert "## Energy: no regression found\n" in comment_of(github)
    assert "This is attempt 2; earlier: regressed." in comment_of(github)


def test_the_run_that_measured_first_does_not_overwrite_a_later_one_however_late_it_is_published(relay, job, github):
    for run_id in (77, 78):
        github.artifact(run_id, "energygate-default", packed(REGRESSED, exit_code=1, verdict="failed"))
    relay(by=500, run_id=78)
    body = comment_of(github)
    relay(by=501, run_id=77)
    assert comment_of(github) == body
    assert len(job.told("notice")) == 1
    assert "run 78, attempt 1 has commented on the same commit already" in job.told("notice")[0]


def test_what_a_report_says_of_itself_is_not_believed(relay, github):
    github.artifact(77, "energygate-default", packed(REGRESSED, exit_code=0, verdict="passed"))
    relay()
    assert "## Energy: regressed. " in comment_of(github)


def test_the_number_of_another_pull_request_in_the_artefact_has_no_effect(relay, github):
    report = json.loads(reported(REGRESSED, exit_code=1, verdict="failed"))
    report["tool"]["pull_request"] = "8"
    github.artifact(77, "energygate-default", zipped(**{"report.json": json.dumps(report)}))
    relay()
    assert (len(github.comments(7)), github.comments(8)) == (1, [])


def test_an_id_has_an_artefact_of_its_own(relay, job, github):
    github.artifact(77, "energygate-gpu", packed(REGRESSED, exit_code=1, verdict="failed"))
    relay(inputs={"id": "gpu"})
    assert comment_of(github).startswith("<!-- energygate:v1:gpu -->\n")
    relay()
    assert job.told("notice") == [
        "::notice title=energygate::Run 77 left no artefact called energygate-default: nothing was measured."
    ]


def unknown_field():
    report = json.loads(reported(a_row()))
    return zipped(**{"report.json": json.dumps(report | {"pull_request": 8})})


@pytest.mark.parametrize(
    ("data", "facts", "rule"),
    [
        (zipped(**{"report.json": b"{}", "more": b""}), {}, "the zip has exactly one entry"),
        (zipped(other=b"{}"), {}, "the zip's entry is called report.json"),
        (zipped(**{"report.json": bytes(17 << 20)}), {}, "a report has at most 16777216 bytes"),
        (unknown_field(), {}, "a report has no fields but those of its schema"),
        (packed(*1001 * [a_row()]), {}, "there are at most 1000 items"),
        (packed(a_row(), commit=NEWER), {}, "a report describes the commit of its run"),
        (packed(a_row()), {"head_sha": NEWER}, f"the artefact is of run 77 and commit {HEAD_SHA}"),
    ],
)
def test_an_artefact_that_breaks_a_rule_is_refused_by_its_name_and_nothing_is_published(
    relay, job, github, data, facts, rule
):
    github.artifact(77, "energygate-default", data, **facts)
    with pytest.raises(RelayRefused) as refused:
        relay()
    assert f"The rule: {rule}. Nothing of it is published." in str(refused.value)
    assert (github.writes, job.summary, job.outputs, job.log) == ([], "", {}, [])


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"state": "closed"}, "The pull request was closed meanwhile: nothing to comment on."),
        ({"head_sha": NEWER}, f"Superseded: the run measured {HEAD_SHA}, the pull request is at {NEWER}."),
        ({}, "The artefact energygate-default of run 77 has expired."),
    ],
)
def test_where_there_is_nothing_to_say_any_more_there_is_a_notice(relay, job, github, state, said):
    github.pull(7, fork=True, **state)
    github.artifact(77, "energygate-default", b"", expired=True)
    relay()
    assert job.log == [f"::notice title=energygate::{said}"]
    assert (github.writes, job.outputs) == ([], {"comment-url": ""})


def test_a_refusal_is_one_warning_and_one_sentence_of_the_summary(relay, job, github):
    github.artifact(77, "energygate-default", packed(REGRESSED, exit_code=1, verdict="failed"))
    github.token_kind = Token.READ_ONLY
    relay()
    (warning,) = job.log
    assert warning.startswith(f"{NOT_ALL}GitHub refused to write the comment (HTTP 403): ")
    assert job.summary.startswith("\n> [!WARNING]\n> ``GitHub refused to write the comment (HTTP 403): ")


def test_a_github_that_cannot_be_asked_for_the_artefact_is_said_and_refuses_nothing(relay, job, github):
    github.fail(faults.down(), times=1000)
    relay()
    (warning,) = job.log
    assert warning == (
        f"{NOT_ALL}The fork's result is not published. GitHub's API at {github.url} answers HTTP 502, 4 times. Run the "
        "job again later."
    )
    assert job.outputs == {"comment-url": ""}


def test_without_a_token_nothing_is_asked_and_the_reason_is_said(relay, job, github):
    relay(hub=None)
    assert github.requests == []
    (warning,) = job.log
    assert warning == (
        f"{NOT_ALL}The input github-token is empty, so the fork's result is not published. Leave it at its default, "
        "and give the job `permissions: {actions: read, pull-requests: write}`."
    )
